"""Who may do what: the token of the night, the key of its host, and the PIN that turns a guest into a host.

A phone comes with the token in its address (from the QR code), once; from then on it shows a cookie that scripts
cannot read. The address that is printed for the machine itself carries the host's key instead.
"""

import ipaddress
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Literal

from rtkaraoke.web.limits import Buckets

Role = Literal["guest", "host"]

TOKEN_BYTES = 16
KEEP_S = 12 * 3600.0  #: a night started again within this time lets everybody stay in
PIN_TRIES = 5  #: wrong PINs of one client at once; after them one a minute
PIN_TRIES_OF_ALL = 50  #: of all clients together; after them one in ten seconds


@dataclass(frozen=True, slots=True)
class Keys:
    """``guest`` is the token in the QR code, ``host`` the key of the host, ``pin`` what a guest types to become one."""

    guest: str
    host: str
    pin: str


def new_keys(pin: str = "") -> Keys:
    """Keys that nobody has seen before; the PIN has six digits where none is given."""
    return Keys(
        secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES), pin or f"{secrets.randbelow(10**6):06d}"
    )


def kept_keys(path: Path, pin: str = "") -> Keys:
    """The keys in ``path`` where they are of today, so that a restart sends nobody away; else new ones, kept there.

    Nobody but the user may read the file.
    """
    keys = new_keys(pin)
    try:
        if time.time() - path.stat().st_mtime < KEEP_S:
            found = Keys(**json.loads(path.read_text(encoding="utf-8")))
            if all(isinstance(value, str) and value for value in (found.guest, found.host, found.pin)):
                keys = Keys(found.guest, found.host, pin or found.pin)
    except (OSError, ValueError, TypeError):
        pass  # nothing kept, or nothing of use
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"guest": keys.guest, "host": keys.host, "pin": keys.pin}, file)
    draft.replace(path)
    return keys


class Access:
    """The rules of one night.

    Parameters
    ----------
    keys : Keys
    port : int
        Where the server listens.
    lan : bool
        Whether it listens to the whole network. If not, only the names of this machine itself are taken.
    names : sequence of str
        Further host names under which the server may be addressed.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        keys: Keys,
        port: int,
        *,
        lan: bool = False,
        names: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys = keys
        self.port = port
        self.lan = lan
        self.cookie = f"rtkaraoke_{port}"  # cookies know no ports: two nights on one machine are to be told apart
        self._names = {"localhost", *(name.lower() for name in names)}
        self._tries = Buckets(rate=1 / 60, burst=PIN_TRIES, clock=clock)
        self._tries_of_all = Buckets(rate=0.1, burst=PIN_TRIES_OF_ALL, clock=clock)

    def role(self, key: str | None) -> Role | None:
        """What a token or cookie stands for; None when for nothing. Takes as long for any."""
        given = (key or "").encode("utf-8", "surrogateescape")
        host = compare_digest(given, self.keys.host.encode())
        guest = compare_digest(given, self.keys.guest.encode())
        return "host" if host else "guest" if guest else None

    def host_key(self, pin: str, client: str) -> str | None:
        """The host's key for the right PIN, None for a wrong one. Raises PermissionError after too many tries."""
        if not (self._tries.take(client) and self._tries_of_all.take("all")):
            raise PermissionError("too many wrong PINs: wait a minute. The PIN stands in the terminal")
        if not compare_digest(pin.encode("utf-8", "surrogateescape"), self.keys.pin.encode()):
            return None
        self._tries.forget(client)
        return self.keys.host

    def host_is_ours(self, host: str) -> bool:
        """Whether a Host header names this server.

        A foreign name that was made to point here (DNS rebinding) is refused. An address is no name; but where only
        this machine is listened to, it must be this machine's.
        """
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = port, "80"
        if (port or "80") != str(self.port):
            return False
        name = name.lower()
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self.lan or address.is_loopback

    def origin_is_ours(self, origin: str, host: str) -> bool:
        """Whether an Origin header is that of our own page at ``host``, which was found to be ours."""
        return origin.lower() == f"http://{host.lower()}"
