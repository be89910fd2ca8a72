"""Whoever may not come in stays out, and whoever is in can do no more than is theirs."""

import contextlib
import json
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rtkaraoke.karaoke.night import Guest
from rtkaraoke.web.app import SEARCHES_BURST
from rtkaraoke.web.guard import MAX_MESSAGE
from rtkaraoke.web.hub import COMMANDS_BURST, MOST_OF_ONE
from tests.support.flood import flood
from tests.support.night import Evening
from tests.web.conftest import KEYS, Browser

PATHS = (
    *("/", "/host", "/stage", "/static/style.css", "/static/sing.js", "/static/../../../pyproject.toml"),
    *("/api/state", "/api/search?q=a", "/api/layout", "/api/lyrics/0000000000000000", "/api/cover/0000000000000000"),
    *("/api/qr.svg", "/nothing", "/enter", "/enter?t=", "/enter?t=wrong", "/enter?t=guest-token-of-tonigh"),
)
TRAVERSALS = (
    *("../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd"),
    *("....//....//etc/passwd", "..\\..\\windows\\win.ini", "%00", "file:///etc/passwd", "night.sqlite", "0" * 16),
    *("0" * 10_000, "-1", "1e9", "NaN", "' OR 1=1 --", "\u2025/\u2025/etc/passwd", "Ann - One.wav"),
)


@contextlib.contextmanager
def live(client: httpx.Client, origin: str | None = "") -> Iterator[ClientConnection]:
    """The WebSocket of a browser."""
    url = client.base_url
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    with connect(
        f"ws://{url.host}:{url.port}/live",
        origin=f"http://{url.host}:{url.port}" if origin == "" else origin,  # type: ignore[arg-type]
        additional_headers={"cookie": cookie},
        compression=None,
        proxy=None,
        max_size=None,
    ) as connection:
        yield connection


def refused_status(client: httpx.Client, origin: str | None = "") -> int:
    """With which status of HTTP the WebSocket is refused."""
    with pytest.raises(InvalidStatus) as refused, live(client, origin):
        pass
    return refused.value.response.status_code


def pipelined(client: httpx.Client, path: str, n_requests: int) -> Counter[int]:
    """Ask for the same so many times in one go: how often each status came."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return flood(client.base_url.host, client.base_url.port or 80, path, n_requests, cookies)


def answer_to(connection: ClientConnection, text: str | bytes) -> dict[str, Any]:
    """The answer to a message, whatever else comes in between."""
    connection.send(text)
    while True:
        message = json.loads(connection.recv(timeout=20))
        if message["kind"] in ("done", "error", "pong"):
            return message


def is_closed_by(connection: ClientConnection, messages: Iterable[str | Iterable[str]]) -> bool:
    """Whether the server closes a connection that sends this."""
    try:
        for message in messages:
            connection.send(message)
        while True:
            connection.recv(timeout=20)
    except (ConnectionClosed, OSError) as end:
        return not isinstance(end, TimeoutError)


def command(client: httpx.Client, **message: Any) -> tuple[int, str]:
    answer = client.post("/api/command", content=json.dumps(message))
    return answer.status_code, answer.text


def test_without_a_token_nothing_is_shown(stranger: httpx.Client) -> None:
    for path in PATHS:
        answer = stranger.get(path)
        assert answer.status_code == 401, path
        assert "QR code" in answer.text
        assert "set-cookie" not in answer.headers


def test_a_wrong_cookie_is_none(stranger: httpx.Client) -> None:
    for value in ("", "wrong", KEYS.guest[:-1], KEYS.guest + "x", KEYS.pin, "é" * 40, "a" * 5000):
        answer = stranger.get("/", headers={"cookie": f"rtkaraoke_{stranger.base_url.port}={value}".encode()})
        assert answer.status_code == 401, value


def test_without_a_token_no_command_and_no_websocket(stranger: httpx.Client, evening: Evening) -> None:
    assert command(stranger, do="skip")[0] == 401
    assert refused_status(stranger) == 401


def test_the_token_becomes_a_cookie_that_no_script_reads_and_leaves_the_address(stranger: httpx.Client) -> None:
    answer = stranger.get(f"/enter?t={KEYS.guest}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    for cookie in answer.headers.get_list("set-cookie"):
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
    assert stranger.get("/").status_code == 200


def test_a_foreign_origin_is_refused_though_the_cookie_is_right(guest: httpx.Client) -> None:
    port = guest.base_url.port
    for origin in (
        "http://evil.example",
        "null",
        f"https://127.0.0.1:{port}",
        "http://127.0.0.1:1",
        "http://localhost",
    ):
        for answer in (
            guest.get("/api/state", headers={"origin": origin}),
            guest.post("/api/command", content='{"do": "skip"}', headers={"origin": origin}),
        ):
            assert answer.status_code == 403, origin
        assert refused_status(guest, origin) == 403


def test_what_changes_something_must_say_its_origin(guest: httpx.Client) -> None:
    del guest.headers["origin"]
    assert guest.get("/api/state").status_code == 200
    assert guest.post("/api/command", content='{"do": "skip"}').status_code == 403
    assert refused_status(guest, None) == 403


def test_another_page_s_image_and_script_tags_get_nothing(guest: httpx.Client) -> None:
    del guest.headers["origin"]
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert guest.get("/api/state", headers=headers).status_code == 403
    assert guest.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200


def test_a_name_that_was_made_to_point_here_is_refused(guest: httpx.Client) -> None:
    port = guest.base_url.port
    for name in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "127.0.0.1:1", "192.0.2.7"):
        answer = guest.get("/api/state", headers={"host": name, "origin": f"http://{name}"})
        assert answer.status_code == 421, name


def test_no_parameter_leads_out_of_the_library(host: httpx.Client, evening: Evening) -> None:
    for value in TRAVERSALS:
        follow(host, evening, value)


def follow(host: httpx.Client, evening: Evening, value: str) -> None:
    """Try a name everywhere."""
    for path in (f"/api/cover/{value}", f"/api/lyrics/{value}", f"/static/{value}", f"/api/search?q={value}"):
        answer = host.get(path)
        assert "root:" not in answer.text
        assert str(evening.folder) not in answer.text
        assert answer.status_code in (200, 400, 404, 405)
        if answer.status_code == 200:
            assert path.startswith("/api/search")
    fields = {
        "song": {"do": "add", "singer": "Ada"},
        "plugin": {"do": "set", "parameter": "level", "value": 0.0},
        "parameter": {"do": "set", "plugin": "mic1", "value": 0.0},
        "name": {"do": "preset", "plugin": "mic1.echo"},
        "port": {"do": "midi_open"},
    }
    for field, message in fields.items():
        status, text = command(host, **message, **{field: value})
        assert status == 400, (field, text)
        assert str(evening.folder) not in text
    assert evening.session.recorded == []


WRONG_COMMANDS: tuple[dict[str, Any], ...] = (
    {"do": "set", "plugin": "kazoo", "parameter": "level", "value": 0.0},
    {"do": "set", "plugin": "mic1", "parameter": "kazoo", "value": 0.0},
    {"do": "set", "plugin": "mic1", "parameter": "level", "value": 13.0},
    {"do": "set", "plugin": "mic1", "parameter": "level", "value": "0"},
    {"do": "set", "plugin": "mic1", "parameter": "level", "value": True},
    {"do": "set", "plugin": "mic1", "parameter": "level", "value": None},
    {"do": "set", "plugin": "mic1", "parameter": "level", "value": 1e308},
    {"do": "set", "plugin": ["mic1"], "parameter": "level", "value": 0.0},
    {"do": "set", "plugin": "mic1", "parameter": "level"},
    {"do": "set", "plugin": "mic1", "parameter": "level", "value": 0.0, "more": 1},
    {"do": "preset", "plugin": "mic1.echo", "name": "cathedral"},
    {"do": "preset", "plugin": "mic1", "name": "__class__"},
    {"do": "settings", "crossfade_s": 1e9},
    {"do": "settings", "crossfade_s": -1},
    {"do": "seek", "to_s": -1.0},
    {"do": "move", "entry": 10**30, "place": 0},
    {"do": "move", "entry": 1, "place": -1},
    {"do": "record", "on": 1},
    {"do": "record", "on": True, "path": "/etc/passwd"},
    {"do": "change", "entry": 1, "key": 7},
    {"do": "change", "entry": 1, "tempo": 10},
    {"do": "change", "entry": 1, "vocals": 6.0},
    {"do": "upload", "data": "x"},
    {"do": "__init__"},
    {"do": None},
    {},
)


def test_what_is_not_declared_is_refused_and_changes_nothing(host: httpx.Client, evening: Evening) -> None:
    before, version = dict(evening.session.values), evening.night.version
    for message in WRONG_COMMANDS:
        assert command(host, **message)[0] == 400, message
    assert evening.session.values == before
    assert evening.night.version == version


NO_MESSAGES = (
    '{"do": "set", "plugin": "mic1", "parameter": "level", "value": NaN}',
    '{"do": "set", "plugin": "mic1", "parameter": "level", "value": Infinity}',
    '{"do": "set", "plugin": "mic1", "parameter": "level", "value": 1e999}',
    "[" * 10_000,
    "[]",
    "3",
    "null",
    '"skip"',
    "",
    "\x00",
    '{"do":' * 1000,
)


def test_what_is_no_message_is_refused(host: httpx.Client, evening: Evening) -> None:
    before = dict(evening.session.values)
    with live(host) as connection:
        for text in NO_MESSAGES:
            assert host.post("/api/command", content=text).status_code == 400, text
            answer = answer_to(connection, text)
            assert answer["kind"] == "error" or "error" in answer, text
    assert evening.session.values == before


def test_bytes_that_are_no_text_are_refused(host: httpx.Client) -> None:
    assert host.post("/api/command", content=b"\xff\xfe\x00").status_code == 400


def test_large_bodies_are_refused_by_what_they_say_and_by_what_they_are(host: httpx.Client) -> None:
    for size in (MAX_MESSAGE + 1, 10_000_000):
        for content in (b" " * size, (b" " * 10_000 for _ in range(size // 10_000 + 1))):
            with contextlib.suppress(httpx.WriteError, httpx.ReadError):  # closed while it was being sent
                assert host.post("/api/command", content=content).status_code == 413
    assert host.get("/api/state").status_code == 200


def test_a_burst_of_ten_thousand_requests_is_refused_and_the_night_goes_on(
    guest: httpx.Client, evening: Evening
) -> None:
    answers = Counter[int]()
    for _ in range(10):
        answers += pipelined(guest, "/static/icon.svg", 1_000)
    assert answers.total() == 10_000
    assert answers[429] > 5_000
    assert answers.keys() == {200, 429}
    evening.night.add(evening.song("One"), "Ada", Guest("a phone"))
    evening.play(2)
    assert evening.now == "One"


def test_a_burst_of_searches_is_refused(guest: httpx.Client) -> None:
    answers = pipelined(guest, "/api/search?q=a", 100)
    assert answers[429] > 20
    assert answers[200] >= SEARCHES_BURST


def test_a_search_is_no_longer_than_a_line(guest: httpx.Client) -> None:
    assert guest.get("/api/search", params={"q": "a" * 101}).status_code == 400


def test_guests_do_what_guests_do_and_the_pin_makes_a_host(guest: httpx.Client, evening: Evening) -> None:
    for message in (
        {"do": "set", "plugin": "mic1", "parameter": "level", "value": 0.0},
        {"do": "pause", "on": True},
        {"do": "mute", "on": True},
        {"do": "record", "on": True},
        {"do": "rescan"},
        {"do": "move", "entry": 1, "place": 0},
    ):
        status, text = command(guest, **message)
        assert (status, "for the host" in text) == (400, True)
    assert guest.get("/api/layout").status_code == 403
    assert guest.post("/api/host", json={"pin": "000000"}).status_code == 403
    assert guest.post("/api/host", json={"pin": KEYS.pin}).status_code == 200
    assert guest.get("/api/layout").status_code == 200
    assert command(guest, do="mute", on=True)[0] == 200
    assert evening.session.muted


def test_a_pin_is_text_and_nothing_else(guest: httpx.Client) -> None:
    for body in ({}, {"pin": 123456}, {"pin": None}, {"pin": "1" * 65}, {"pin": "123456", "x": 1}, []):
        assert guest.post("/api/host", json=body).status_code == 400, body


def test_pins_cannot_be_tried_out(guest: httpx.Client) -> None:
    found = [guest.post("/api/host", json={"pin": f"{pin:06d}"}).status_code for pin in range(20)]
    assert found == [403] * 5 + [429] * 15
    assert guest.post("/api/host", json={"pin": KEYS.pin}).status_code == 429


def test_two_phones_do_not_touch_each_other_s_songs(guest: httpx.Client, evening: Evening, browser: Browser) -> None:
    status, text = command(guest, do="add", song=evening.song("One"), singer="Ada")
    assert status == 200
    entry = json.loads(text)["result"]["entry"]
    other = browser(KEYS.guest)
    for message in ({"do": "remove", "entry": entry}, {"do": "change", "entry": entry, "key": 3}):
        status, text = command(other, **message)
        assert (status, "Ada's" in text) == (400, True)
    assert guest.cookies["rtkaraoke_mark"] not in other.get("/api/state").text
    assert command(guest, do="remove", entry=entry)[0] == 200


def test_every_answer_keeps_the_page_to_itself(guest: httpx.Client) -> None:
    for path in ("/", "/host", "/stage", "/api/state", "/static/style.css", "/nothing", "/api/qr.svg"):
        headers = guest.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_other_methods_are_refused(guest: httpx.Client) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        for path in ("/", "/api/state", "/api/command"):
            assert guest.request(method, path).status_code in (404, 405)


def test_a_websocket_message_of_ten_megabytes_closes_that_connection_and_no_other(
    guest: httpx.Client, host: httpx.Client
) -> None:
    with live(host) as other:
        with live(guest) as connection:
            assert is_closed_by(connection, ["x" * 10_000_000])
        assert answer_to(other, '{"do": "ping", "at": 1}') == {"kind": "pong", "at": 1}


def test_fragments_do_not_get_around_the_size(guest: httpx.Client) -> None:
    with live(guest) as connection:
        assert is_closed_by(connection, [("x" * 1_000 for _ in range(10_000))])


def test_a_burst_of_messages_is_refused_and_then_the_connection_closed(guest: httpx.Client, evening: Evening) -> None:
    evening.night.add(evening.song("One"), "Ada", Guest("another phone"))
    with live(guest) as connection:
        assert is_closed_by(connection, 10_000 * ['{"do": "skip"}'])
    assert evening.waiting == ["One"]
    assert COMMANDS_BURST < 10_000


def test_one_client_cannot_hold_all_connections(guest: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(live(guest)) for _ in range(MOST_OF_ONE)]
        assert refused_status(guest) == 403
        assert answer_to(connections[0], '{"do": "ping", "at": 2}')["kind"] == "pong"


def test_a_client_that_reads_nothing_holds_nobody_up(guest: httpx.Client, host: httpx.Client) -> None:
    with live(guest) as lazy:
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with live(host) as other:
            for number in range(20):
                assert answer_to(other, json.dumps({"do": "ping", "at": number})) == {"kind": "pong", "at": number}
