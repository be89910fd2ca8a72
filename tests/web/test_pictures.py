"""The three views on a phone and on a beamer: nothing goes wrong on them, nothing is cut off, and they are documented.

``RTKARAOKE_PICTURES=1 pytest tests/web/test_pictures.py`` writes the pictures of ``docs/night.md``.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from rtkaraoke.karaoke.night import Guest
from rtkaraoke.web.access import Access
from rtkaraoke.web.app import create_app
from rtkaraoke.web.serve import listen, serving
from tests.support.browser import chromium, opened
from tests.support.night import Evening
from tests.web.conftest import KEYS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
VARIABLE = "RTKARAOKE_PICTURES"
SONGS = {
    "The Night Shift - Paper Lanterns": (0.08, 0.62),
    "Mira Solberg - Harbour Lights": (0.55, 0.70),
    "Tin Roof Parade - Seven Wet Umbrellas": (0.30, 0.48),
    "Kofi & the Tide - Low Water": (0.02, 0.93),
    "The Night Shift - Last Tram Home": (0.75, 0.10),
    "Elena Marsh - Borrowed Coat": (0.42, 0.15),
}
LYRICS = (
    (38.0, "We hung the paper lanterns"),
    (41.2, "along the garden wall"),
    (44.6, "and every one was burning"),
    (48.0, "before the rain could fall"),
)
HEARD_S = 42.6
PHONES = "http://192.0.2.7:8765/enter?t=an-invented-token-0"
SIZES = {"phone": (360, 800), "beamer": (1920, 1080)}
VIEWS = {"sing": "/", "host": "/host", "stage": "/stage"}


def cover(path: Path, hues: tuple[float, float]) -> None:
    """A made-up cover: two colours and a moon."""
    y, x = np.mgrid[0:1:200j, 0:1:200j]
    hue = np.where(y + 0.25 * np.sin(6 * x) > 0.6, hues[0], hues[1])
    value = 0.85 - 0.35 * y
    value[(x - 0.68) ** 2 + (y - 0.3) ** 2 < 0.03] = 1.0
    picture = matplotlib.colors.hsv_to_rgb(np.stack([hue, 0.55 - 0.3 * (value == 1.0), value], axis=-1))
    matplotlib.image.imsave(path, picture)


def lyrics() -> str:
    """The same in enhanced LRC: a time for each word."""
    lines = []
    for start_s, line in LYRICS:
        words = line.split()
        times = [start_s + 2.6 * number / len(words) for number in range(len(words))]
        stamp = [f"{int(at // 60):02d}:{at % 60:05.2f}" for at in times]
        lines.append(f"[{stamp[0]}]" + " ".join(f"<{at}>{word}" for at, word in zip(stamp, words, strict=True)))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an evening in full swing, for its host."""
    folder = tmp_path_factory.mktemp("evening")
    evening = Evening(folder, tuple(SONGS), seconds=188.0)
    evening.close()
    for name, hues in SONGS.items():
        cover(folder / "songs" / f"{name}.png", hues)
        (folder / "songs" / f"{name}.lrc").write_text(lyrics())
    evening.open(guest_url=PHONES)
    evening.library.scan()
    evening.session.length_s = 214.0
    turns = (("Paper Lanterns", "Ada"), ("Harbour Lights", "Ben"), ("Low Water", "Cleo & Dan"), ("Seven", "محمد"))
    for number, (title, singer) in enumerate(turns):
        evening.night.add(evening.song(title), singer, Guest(str(number)), key=(0, 2, -1, 0)[number])
    evening.play(3)
    evening.session.tell("the duck is calibrated: threshold -41.5 dB, bleed -12.0 dB")
    evening.session.source["position_s"] = HEARD_S
    evening.night.tick()
    listener = listen(0)
    port = listener.getsockname()[1]
    app = create_app(evening.night, Access(KEYS, port), PHONES)
    with serving(app, listener):
        yield f"http://127.0.0.1:{port}"
    evening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as running:
        yield running


def shown(browser: "Browser", site: str, view: str, size: str, scheme: str = "dark") -> tuple["Page", list[str]]:
    """A view that has drawn itself."""
    page, wrong = opened(browser, *SIZES[size], scheme)
    page.goto(f"{site}/enter?t={KEYS.host}")
    page.goto(site + VIEWS[view])
    page.wait_for_selector({"sing": "#results .song", "host": "#buses .card", "stage": ".syllable"}[view])
    page.wait_for_timeout(1200 if view == "host" else 400)  # for meters and pictures to fill
    return page, wrong


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits_its_screen_and_nothing_goes_wrong(
    browser: "Browser", site: str, tmp_path: Path, root: Path, view: str, size: str
) -> None:
    page, wrong = shown(browser, site, view, size)
    fits(page)
    assert wrong == []
    width, height = SIZES[size]
    folder = root / "docs" / "pictures" if os.environ.get(VARIABLE) else tmp_path
    folder.mkdir(exist_ok=True)
    path = folder / f"night-{view}-{width}x{height}.png"
    page.screenshot(path=path)
    assert path.stat().st_size > 5_000
    if view == "sing":  # the queue, with everything opened
        page.click("#tab-queue")
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        fits(page)
    page.context.close()


def fits(page: "Page") -> None:
    """Nothing is wider than the screen, and no control is cut off."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut_off = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select')].filter((each) => {
          const box = each.getBoundingClientRect();
          return box.width && (box.left < -1 || box.right > innerWidth + 1);
        }).map((each) => each.outerHTML)"""
    )
    assert cut_off == []


@pytest.mark.parametrize("view", VIEWS)
def test_both_colour_schemes_can_be_read(browser: "Browser", site: str, view: str) -> None:
    for scheme in ("light", "dark"):
        page, wrong = shown(browser, site, view, "phone", scheme)
        pale = page.evaluate(
            """() => {
              const bright = (text) => {
                const [r, g, b] = text.match(/[\\d.]+/g).map((each) => {
                  const share = Number(each) / 255;
                  return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const ground = (element) => {
                for (let at = element; at; at = at.parentElement) {
                  const colour = getComputedStyle(at).backgroundColor;
                  if (!colour.startsWith('rgba(0, 0, 0, 0')) return colour;
                }
                return getComputedStyle(document.documentElement).backgroundColor;
              };
              const found = [];
              const written = 'button, a, h1, h2, h3, th, td, label, .soft, .song-title, .song-artist, .chip';
              for (const element of document.querySelectorAll(written)) {
                const box = element.getBoundingClientRect();
                if (!box.width || element.disabled || !element.textContent.trim()) continue;
                const levels = [bright(getComputedStyle(element).color), bright(ground(element))];
                const contrast = (Math.max(...levels) + 0.05) / (Math.min(...levels) + 0.05);
                if (contrast < 4.5) found.push([element.className || element.tagName, contrast]);
              }
              return found;
            }"""
        )
        assert pale == [], scheme
        assert wrong == []
        page.context.close()


@pytest.mark.parametrize("view", VIEWS)
def test_everything_that_can_be_used_has_a_name_for_screen_readers(browser: "Browser", site: str, view: str) -> None:
    page, _ = shown(browser, site, view, "phone")
    if view == "sing":
        page.click("#tab-queue")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a, [role=img], [role=tab]')].filter((each) =>
          each.checkVisibility() && !(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length
          || each.getAttribute('aria-labelledby'))).map((each) => each.outerHTML)"""
    )
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.querySelectorAll('main').length") == 1
    assert page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map((each) => each.id)).size"
    ) == page.evaluate("document.querySelectorAll('[id]').length")
    page.context.close()


def test_songs_are_found_and_queued_by_keyboard_alone(browser: "Browser", site: str) -> None:
    page, wrong = shown(browser, site, "sing", "phone")
    page.focus("#name")
    page.keyboard.type("Eve")
    page.focus("#search")
    page.keyboard.type("coat")
    ready(page, "document.querySelectorAll('#results .add').length === 1")
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('add')"):
            break
    page.keyboard.press("Enter")
    ready(page, "link.state.queue.some((entry) => entry.singer === 'Eve')")
    page.focus("#tab-songs")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-queue"
    assert page.is_visible("#entries")
    entry = page.evaluate("link.state.queue.find((entry) => entry.singer === 'Eve').entry")
    page.evaluate("(entry) => link.ask({ do: 'remove', entry })", entry)
    assert wrong == []
    page.context.close()


def test_syllables_are_drawn_as_far_as_they_are_heard(browser: "Browser", site: str) -> None:
    page, wrong = shown(browser, site, "stage", "beamer")
    assert (page.text_content(".sung-now") or "").strip() == "along the garden wall"
    sung = page.evaluate("stage.sung()")
    assert [part for _, part in sung[:2]] == [1, 1]
    assert 0 < sung[2][1] < 1
    assert sung[3][1] == 0
    assert wrong == []
    page.context.close()


def test_with_reduced_motion_syllables_change_at_once(browser: "Browser", site: str) -> None:
    page, _ = opened(browser, 1920, 1080)
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{site}/enter?t={KEYS.host}")
    page.goto(f"{site}/stage")
    page.wait_for_selector(".syllable")
    ready(page, "stage.sung()[2][1] === 1")
    assert {part for _, part in page.evaluate("stage.sung()")} == {0, 1}
    page.context.close()


def test_the_host_view_says_what_the_browser_adds(browser: "Browser", site: str) -> None:
    page, _ = shown(browser, site, "host", "beamer")
    ready(page, "/\\\\+\\\\d+ ms/.test(document.querySelector('#browsers').textContent)".replace("\\\\", "\\"))
    page.context.close()


def ready(page: "Page", expression: str, value: Any = None) -> None:
    for _ in range(300):
        if page.evaluate(expression, value):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never true: {expression}")
