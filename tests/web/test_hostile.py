"""Whatever stands in tags, file names and singers' names is shown as text, and does nothing."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtkaraoke.karaoke.night import Guest
from rtkaraoke.web.access import Access
from rtkaraoke.web.app import create_app
from rtkaraoke.web.serve import listen, serving
from tests.support.browser import chromium, opened
from tests.support.night import Evening
from tests.web.conftest import KEYS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such file names"),
]
SONGS = (
    "<script>alert(1)<\u2215script> - <img src=x onerror=alert(2)>",
    "\u202egnp.evil\u202c - right\u200fto\u200eleft\u2066",
    "bell\x07 - esc\x1b[31m\x9b",
    "'; DROP TABLE library; -- - {{7*7}} ${7*7} javascript:alert(3)",
    "שיר - لحن",
    "a" * 120 + " - " + "\u0301" * 50,
)
SINGERS = ("<b>Ada</b><script>alert(4)</script>", "\u202eneB", "Cleo\x00\x1b[2J")


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    evening = Evening(tmp_path, SONGS)
    lyrics = "[00:01.00]<script>alert(5)</script>\n[00:02.00]\u202e<img src=x onerror=alert(6)>\n"
    for name in SONGS:
        (tmp_path / "songs" / f"{name}.lrc").write_text(lyrics)
    evening.library.scan()
    yield evening
    evening.close()


def test_hostile_tags_names_and_lyrics_are_shown_as_text_on_every_view(evening: Evening) -> None:
    found = evening.night.search("")
    assert len(found) == len(SONGS)
    for song, singer in zip(found, SINGERS, strict=False):
        evening.night.add(song["id"], singer, Guest("a phone"))
    evening.session.tell("<script>alert(7)</script>")
    evening.play(4)
    listener = listen(0)
    port = listener.getsockname()[1]
    with serving(create_app(evening.night, Access(KEYS, port)), listener), chromium() as browser:
        page, wrong = opened(browser, 360, 800)
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(f"http://127.0.0.1:{port}/enter?t={KEYS.host}")
        for view, drawn in (("/", "#results .song"), ("/host", "#log li"), ("/stage", ".syllable")):
            page.goto(f"http://127.0.0.1:{port}{view}")
            page.wait_for_selector(drawn, state="attached")
            page.wait_for_timeout(500)
            assert page.locator("script:not([src]), img[src='x'], b:has-text('Ada'):not(nav b)").count() <= (
                1 if view == "/stage" else 0  # the stage's own <b> around the next singer
            )
            assert page.evaluate("[...document.querySelectorAll('[onerror], [onclick], [style*=url]')].length") == 0
            text = page.evaluate("document.body.textContent")
            assert not {"\u202e", "\u2066", "\x1b", "\x07", "\x9b", "\x00"} & set(text)
            if view == "/":
                assert "<script>alert(1)" in text
                page.click("#tab-queue")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert dialogs == []
        assert wrong == []
