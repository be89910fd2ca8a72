"""An evening as it is: the command, a true PortAudio stream, a browser, and a second client that listens."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.support import ear
from tests.support.browser import PATIENCE_MS, chromium, opened
from tests.support.flood import flood
from tests.support.jack import JackServer, jack_server

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.jack,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="JACK's dummy driver"),
]
ROOT = Path(__file__).parents[2]
HEARD_S = 4.0
PLACE_S = 40.0
AROUND_S = 4.0


@pytest.fixture(scope="module")
def server() -> Iterator[JackServer]:
    with jack_server(period=1024) as running:
        yield running


@pytest.fixture
def songs(root: Path, tmp_path: Path) -> Path:
    """Real songs where they are, else two that are made up: chords at the sides, a voice in the middle."""
    folder = Path(os.environ.get("RTKARAOKE_DATA", root.parent / "shared" / "data")) / "songs"
    if folder.is_dir():
        return folder
    folder = tmp_path / "songs"
    folder.mkdir()
    at = np.arange(100 * ear.RATE) / ear.RATE
    for name, base in (("Jonathan Coulton - Code Monkey", 220.0), ("Steven Dunston - Northern Star", 330.0)):
        chord = [sum(np.sin(2 * np.pi * base * step * n * at) / n for n in range(1, 9)) for step in (1.0, 1.26)]
        voice = sum(np.sin(2 * np.pi * 1.8 * base * n * at) / n for n in range(1, 6))
        soundfile.write(folder / f"{name}.flac", 0.1 * (np.stack(chord) + voice).T, ear.RATE)
    return folder


class Night:
    """The command, running."""

    def __init__(self, server: JackServer, songs: Path, data: Path) -> None:
        self.server = server
        arguments = (
            *("--port", 0, "--data", data, "--mics", 1, "--model", "centre", "--prefill", 4096),
            *("--input", "loopback", "--output", "loopback", "--channels", "3,4", "--set", "mic1.gate.bypass=1"),
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rtkaraoke", "night", str(songs), *map(str, arguments)],
            env=server.environment | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=data.parent,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/enter\?t=\S+", line)
        if found is None:
            raise AssertionError(line + self.process.communicate(timeout=20)[1])
        self.address = found.group()

    def hear(self, folder: Path, sing: bool = False, seconds: float = HEARD_S) -> NDArray[np.float32]:
        """What leaves the stream in the next ``seconds`` ``(sample, 2)``; with ``sing`` microphone 1 hears a burst."""
        path = folder / "heard.npy"
        command = [sys.executable, "-m", "tests.support.ear", str(path), str(seconds), *(["sing"] if sing else [])]
        subprocess.run(command, env=self.server.environment, cwd=ROOT, check=True, timeout=60, capture_output=True)
        return np.load(path)


def until(condition: Callable[[], bool], what: str, patience_s: float = 90.0) -> None:
    ends = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


def shows(page: "Page", expression: str, value: object = None) -> None:
    """Wait until ``expression`` is true on a page. Playwright's own way needs eval, which the page forbids."""
    try:
        until(lambda: page.evaluate(expression, value), expression)
    except AssertionError:
        state = page.evaluate("JSON.stringify([link.clock, link.heard(), link.rtt_ms, link.state])")
        toast = page.text_content("#toast")
        raise AssertionError(f"never true: {expression} ({value})\n{toast}\n{state}") from None


def set_range(page: "Page", selector: str, value: float) -> None:
    """Move a slider, as a finger does."""
    page.locator(selector).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); "
        "slider.dispatchEvent(new Event('change')); }",
        value,
    )


def ask(page: "Page", path: str) -> dict:
    return page.evaluate("(path) => fetch(path).then((answer) => answer.json())", path)


def clock_runs_from(page: "Page", second: float) -> None:
    """Wait until the page's clock is at a place of the song again."""
    shows(page, "(second) => link.heard() > second && link.heard() < second + 3", second)


def test_an_evening_from_the_printed_address_to_a_kill_and_on(server: JackServer, songs: Path, tmp_path: Path) -> None:
    night = Night(server, songs, tmp_path / "data")
    try:
        with chromium() as browser:
            phone, phone_wrong = opened(browser, 360, 800)
            phone.goto(night.address)
            host, host_wrong = phone.context.new_page(), phone_wrong
            host.set_default_timeout(PATIENCE_MS)
            host.goto(night.address)
            host.wait_for_selector("#desk:not([hidden])")
            silence = night.hear(tmp_path)
            assert ear.level_db(silence) < -100

            # Search, and queue two songs for two singers.
            phone.goto(host.url.replace("/host", "/"))
            for singer, words, title in (("Ada", "code mon", "Code Monkey"), ("Ben", "northern", "Northern Star")):
                phone.fill("#name", singer)
                phone.fill("#search", words)
                found = "(title) => document.querySelector('#results').textContent.startsWith(title)"
                shows(
                    phone,
                    f"(title) => ({found})(title) && document.querySelectorAll('#results .add').length === 1",
                    title,
                )
                phone.click("#results .add")
                shows(phone, "(text) => document.body.textContent.includes(text)", f"for {singer}")
            shows(host, "link.state?.now?.song.title === 'Code Monkey' && link.state?.queue.length === 1")
            shows(host, "link.heard() > 1")
            assert ear.level_db(night.hear(tmp_path)) > -60

            def at_place(place_s: float = PLACE_S, seconds: float = HEARD_S) -> NDArray[np.float32]:
                set_range(host, "#seek", place_s)
                clock_runs_from(host, place_s)
                return night.hear(tmp_path, seconds=seconds)

            # The record's voice, from the phone of its singer. The same place sounds the same until it is changed.
            # On a busy machine listening begins late: what is heard must lie somewhere in what was heard around it.
            around = at_place(PLACE_S - AROUND_S, HEARD_S + 3 * AROUND_S)
            without = at_place()
            assert ear.difference_db(without, around) < -30
            # Nor does a burst of ten thousand requests change it.
            with ThreadPoolExecutor(1) as pool:
                url = urllib.parse.urlsplit(night.address)
                flooding = pool.submit(flood, url.hostname or "", url.port or 0, "/static/icon.svg", 10_000)
                assert ear.difference_db(at_place(), around) < -30
                assert flooding.result()[429] > 5_000

            set_range(phone, "#now .voice", 100)
            shows(host, "link.state?.now?.vocals === 0")
            with_voice = at_place()
            assert ear.difference_db(with_voice, without) > -20
            assert ear.level_db(with_voice) > ear.level_db(without) + 1

            # Key.
            for _ in range(4):
                phone.click("#now [aria-label='Key up']")
            shows(host, "link.state?.now?.key === 4")
            higher = at_place()
            assert ear.key_between(with_voice, higher) == pytest.approx(4, abs=0.5)

            # Echo on the microphone, while the song is paused.
            host.click("#pause")
            shows(host, "link.state?.paused")
            details = host.locator("details", has_text="echo").first
            details.locator("summary").click()
            set_range(host, "[id='p-mic1.echo.mix']", 0)
            set_range(host, "[id='p-mic1.send_reverb']", 0)
            shows(host, "window.desk.latest['mic1.echo.mix'] === 0 && window.desk.latest['mic1.send_reverb'] === -90")
            dry = night.hear(tmp_path, sing=True)
            set_range(host, "[id='p-mic1.echo.mix']", 0.6)
            shows(host, "window.desk.latest['mic1.echo.mix'] > 50")
            echoing = night.hear(tmp_path, sing=True)
            assert ear.level_db(dry) > -60
            assert ear.tail_db(dry) < -40
            assert ear.tail_db(echoing) > -25

            # Skip: the other song is heard.
            host.click("#pause")
            shows(host, "link.state?.paused === false")
            host.click("#skip")
            shows(host, "link.state?.now?.song.title === 'Northern Star'")
            assert ear.level_db(night.hear(tmp_path)) > -60

            # Somebody waits, and the program is killed.
            phone.fill("#name", "Cleo")
            phone.click("#results .add")
            shows(host, "link.state?.queue.length === 1")
            before = ask(host, "/api/state")
            night.process.send_signal(signal.SIGKILL)
            night.process.communicate(timeout=20)
            night = Night(server, songs, tmp_path / "data")
            again, wrong = opened(browser, 360, 800)
            again.goto(night.address)
            after = ask(again, "/api/state")
            before_line = [before["now"], *before["queue"]]
            after_line = [*([after["now"]] if after["now"] else []), *after["queue"]]
            assert [entry["entry"] for entry in after_line] == [entry["entry"] for entry in before_line]
            assert [entry["singer"] for entry in after_line] == ["Ben", "Cleo"]
            until(lambda: bool(ask(again, "/api/state")["now"]), "the evening goes on")
            assert ear.level_db(night.hear(tmp_path)) > -60
            assert not [
                text
                for text in (*phone_wrong, *host_wrong, *wrong)
                if "WebSocket" not in text and "ERR_CONN" not in text
            ]
    finally:
        night.process.send_signal(signal.SIGINT)
        _, err = night.process.communicate(timeout=30)
    assert night.process.returncode == 130, err
