"""Everything that is checked before a request or a WebSocket reaches the page: ASGI middleware.

In this order, the cheapest first: the rate of the client, the name in the Host header (DNS rebinding), the origin,
the size, the token. Every answer carries the headers that keep a page to itself.
"""

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from rtkaraoke.web.access import Access
from rtkaraoke.web.limits import Buckets

RATE_HZ, BURST = 60.0, 240  #: requests of one client
MAX_MESSAGE = 16_384  #: bytes of a request's body or a WebSocket's message

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
WELCOME = "Scan the QR code on the screen, or open the address that the terminal printed."


class Guard:
    """Lets through who may come in, with ``scope["state"]["role"]`` and ``["client"]``; refuses everyone else.

    Parameters
    ----------
    app : ASGI application
    access : Access
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._requests = Buckets(RATE_HZ, BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await WebSocket(scope, receive, send).send_denial_response(refusal)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await (refusal or self._app)(scope, _limited(receive), send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why this one is refused, as an answer; None when it is let in."""
        client = scope["client"][0] if scope.get("client") else ""
        headers = Headers(scope=scope)
        if not self._requests.take(client):
            return _refuse(429, "too many requests: wait a second", {"retry-after": "1"})
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._access.host_is_ours(host):
            return _refuse(421, f"this is not the server of {host[:80]!r}: open the address that the terminal printed")
        origin = headers.get("origin")
        asks_only = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not self._access.origin_is_ours(origin, host) if origin is not None else not asks_only:
            return _refuse(403, "asked by a page that is not this server's")
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if origin is None and foreign and headers.get("sec-fetch-mode") != "navigate":
            return _refuse(403, "asked by a page that is not this server's")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > MAX_MESSAGE:
            return _refuse(413, f"more than {MAX_MESSAGE} bytes")
        role = self._access.role(_cookie(headers, self._access.cookie))
        if role is None and not self._enters(scope):
            return _refuse(401, WELCOME)
        scope.setdefault("state", {})
        scope["state"] |= {"role": role, "client": client}
        return None

    def _enters(self, scope: Scope) -> bool:
        """Whether this request brings a token instead of a cookie: only the front door takes that."""
        return scope["type"] == "http" and scope["path"] == "/enter" and scope["method"] == "GET"


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found else None


def _limited(receive: Receive) -> Receive:
    """``receive`` that ends a body which is longer than it said, or did not say."""
    n_received = 0

    async def limited() -> Message:
        nonlocal n_received
        message = await receive()
        n_received += len(message.get("body", b""))
        if n_received > MAX_MESSAGE:
            return {"type": "http.disconnect"}
        return message

    return limited


def _refuse(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(why, status, headers)
