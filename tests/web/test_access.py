"""Keys, roles, PIN, and which addresses are ours."""

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from rtkaraoke.web.access import KEEP_S, PIN_TRIES, Access, Keys, kept_keys, new_keys

KEYS = Keys(guest="guest-token", host="host-key", pin="123456")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(clock: Clock) -> Access:
    return Access(KEYS, 8765, clock=clock)


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("guest-token", "guest"),
        ("host-key", "host"),
        ("", None),
        (None, None),
        ("guest-toke", None),
        ("123456", None),
        ("é\udcff", None),
    ],
)
def test_a_key_opens_what_it_is_for(access: Access, key: str | None, role: str | None) -> None:
    assert access.role(key) == role


def test_the_right_pin_gives_the_host_key_and_a_wrong_one_nothing(access: Access) -> None:
    assert access.host_key("000000", "phone") is None
    assert access.host_key("123456", "phone") == "host-key"


def test_wrong_pins_are_limited_and_a_minute_later_one_more_is_taken(access: Access, clock: Clock) -> None:
    for _ in range(PIN_TRIES):
        assert access.host_key("000000", "phone") is None
    with pytest.raises(PermissionError, match="wait a minute"):
        access.host_key("123456", "phone")
    assert access.host_key("123456", "another phone") == "host-key"
    clock.now += 61.0
    assert access.host_key("123456", "phone") == "host-key"


def test_many_clients_together_cannot_try_all_pins(access: Access) -> None:
    granted = 0
    for client in range(1_000):
        try:
            granted += access.host_key("000000", str(client)) is None
        except PermissionError:
            continue
    assert granted == 50


@pytest.mark.parametrize(
    ("host", "alone", "lan"),
    [
        ("127.0.0.1:8765", True, True),
        ("localhost:8765", True, True),
        ("LOCALHOST:8765", True, True),
        ("[::1]:8765", True, True),
        ("192.168.1.7:8765", False, True),
        ("stage.local:8765", False, False),
        ("desk.local:8765", True, True),
        ("evil.example:8765", False, False),
        ("127.0.0.1.evil.example:8765", False, False),
        ("127.0.0.1:80", False, False),
        ("127.0.0.1", False, False),
        ("127.0.0.1:8765@evil.example", False, False),
        ("", False, False),
        (":8765", False, False),
        ("2130706433:8765", False, False),
    ],
)
def test_only_our_own_names_are_taken(host: str, alone: bool, lan: bool) -> None:
    names = ("desk.local",)
    assert Access(KEYS, 8765, names=names).host_is_ours(host) is alone
    assert Access(KEYS, 8765, lan=True, names=names).host_is_ours(host) is lan


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("http://127.0.0.1:8765", True),
        ("http://127.0.0.1:8766", False),
        ("https://127.0.0.1:8765", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_only_our_own_origin_is_taken(access: Access, origin: str, ours: bool) -> None:
    assert access.origin_is_ours(origin, "127.0.0.1:8765") is ours


def test_no_two_nights_share_a_key() -> None:
    keys = [new_keys() for _ in range(20)]
    assert len({each.guest for each in keys} | {each.host for each in keys}) == 40
    assert all(len(each.pin) == 6 and each.pin.isdecimal() for each in keys)


def test_a_restart_keeps_the_keys_for_nobody_else_to_read(tmp_path: Path) -> None:
    path = tmp_path / "night" / "keys.json"
    first = kept_keys(path)
    assert kept_keys(path) == first
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_pin_that_is_given_holds(tmp_path: Path) -> None:
    kept_keys(tmp_path / "keys.json")
    assert kept_keys(tmp_path / "keys.json", "4711").pin == "4711"


@pytest.mark.parametrize("content", ["", "[]", '{"guest": 1, "host": "b", "pin": "c"}', '{"guest": ""}', "\x00"])
def test_damaged_keys_are_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    assert len(kept_keys(path).guest) > 20


def test_keys_of_another_day_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = kept_keys(path)
    yesterday = time.time() - KEEP_S - 60
    os.utime(path, (yesterday, yesterday))
    assert kept_keys(path).guest != first.guest
