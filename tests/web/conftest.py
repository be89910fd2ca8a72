"""A night with its page, served as ever, but on no sound card."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

httpx = pytest.importorskip("httpx", reason="needs httpx")
for needed in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(needed, reason="needs the extra web: pip install rtkaraoke[web]")

from rtkaraoke.web.access import Access, Keys  # noqa: E402
from rtkaraoke.web.app import create_app  # noqa: E402
from rtkaraoke.web.serve import listen, serving  # noqa: E402
from tests.support.night import Evening  # noqa: E402

KEYS = Keys(guest="guest-token-of-tonight", host="host-key-of-tonight", pin="123456")
Browser = Callable[..., "httpx.Client"]


@pytest.fixture
def songs() -> tuple[str, ...]:
    """Their names; a test may have others."""
    return ("Ann - One", "Bob - Two", "Cid - Three")


@pytest.fixture
def evening(tmp_path: Path, songs: tuple[str, ...]) -> Iterator[Evening]:
    evening = Evening(tmp_path, songs)
    yield evening
    evening.close()


@pytest.fixture
def url(evening: Evening) -> Iterator[str]:
    """Where the page is served."""
    listener = listen(0)
    port = listener.getsockname()[1]
    app = create_app(evening.night, Access(KEYS, port), f"http://192.0.2.7:{port}/enter?t={KEYS.guest}")
    with serving(app, listener):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def browser(url: str) -> Iterator[Browser]:
    """Open a browser, with the cookie that a key gives."""
    opened = []

    def open_browser(key: str = "") -> "httpx.Client":
        client = httpx.Client(base_url=url, headers={"origin": url}, follow_redirects=True, trust_env=False, timeout=30)
        opened.append(client)
        if key:
            assert client.get(f"/enter?t={key}").status_code == 200
        return client

    yield open_browser
    for client in opened:
        client.close()


@pytest.fixture
def stranger(browser: Browser) -> "httpx.Client":
    """A browser without a token."""
    return browser()


@pytest.fixture
def guest(browser: Browser) -> "httpx.Client":
    """A phone that came by the QR code."""
    return browser(KEYS.guest)


@pytest.fixture
def host(browser: Browser) -> "httpx.Client":
    """The machine of the host."""
    return browser(KEYS.host)
