"""The Starlette application: three pages, a small JSON interface, one WebSocket."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.karaoke.night import Guest, Night
from rtkaraoke.web.access import KEEP_S, Access, Role
from rtkaraoke.web.guard import MAX_MESSAGE, WELCOME, Guard
from rtkaraoke.web.hub import Hub, dumps, obey, read_message
from rtkaraoke.web.limits import Buckets

STATIC = Path(__file__).parent / "static"
PAGES = {"/": "sing.html", "/host": "host.html", "/stage": "stage.html"}
SEARCHES_HZ, SEARCHES_BURST = 8.0, 30  #: of one client: as fast as anyone types
MOST_FOUND = 60
LONGEST_QUERY = 100
MARK = "rtkaraoke_mark"  #: the cookie by which a phone's own entries are known again


def create_app(night: Night, access: Access, guest_url: str = "") -> ASGIApp:
    """The application, guarded.

    Parameters
    ----------
    night : Night
        Running.
    access : Access
    guest_url : str
        What the QR code on the stage says; empty for none.
    """
    server = _Server(night, access, guest_url)
    return Guard(server.app(), access)


class _Server:
    def __init__(self, night: Night, access: Access, guest_url: str) -> None:
        self._night = night
        self._access = access
        self._guest_url = guest_url
        self._qr = _qr(guest_url) if guest_url else b""
        self._hub = Hub(night, access)
        self._searches = Buckets(SEARCHES_HZ, SEARCHES_BURST)

    def app(self) -> Starlette:
        routes = [
            *(Route(path, self._page(name)) for path, name in PAGES.items()),
            Route("/enter", self.enter),
            Route("/api/host", self.become_host, methods=["POST"]),
            Route("/api/command", self.command, methods=["POST"]),
            Route("/api/state", self.state),
            Route("/api/search", self.search),
            Route("/api/layout", self.layout),
            Route("/api/lyrics/{song}", self.lyrics),
            Route("/api/cover/{song}", self.cover),
            Route("/api/qr.svg", self.qr),
            WebSocketRoute("/live", self.live),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        return Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={HTTPException: _say, RtkaraokeError: _say_error},  # type: ignore[dict-item]
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        pushing = asyncio.create_task(self._hub.run())
        yield
        pushing.cancel()
        with suppress(asyncio.CancelledError):
            await pushing

    def _page(self, name: str) -> Any:
        async def page(_request: Request) -> Response:
            return FileResponse(STATIC / name, headers={"cache-control": "no-cache"})

        return page

    async def enter(self, request: Request) -> Response:
        """The front door: the token in the address becomes a cookie, and leaves the address."""
        role = self._access.role(request.query_params.get("t"))
        if role is None:
            if _role(request) is None:
                return PlainTextResponse(WELCOME, 401)
            return RedirectResponse("/", 303)
        if role == "guest" and _role(request) == "host":
            return RedirectResponse("/", 303)
        response = RedirectResponse("/host" if role == "host" else "/", 303)
        self._keep(response, request, role)
        return response

    def _keep(self, response: Response, request: Request, role: Role) -> None:
        key = self._access.keys.host if role == "host" else self._access.keys.guest
        age = int(KEEP_S)
        response.set_cookie(self._access.cookie, key, max_age=age, httponly=True, samesite="lax")
        if not request.cookies.get(MARK):
            response.set_cookie(MARK, secrets.token_urlsafe(12), max_age=30 * age, httponly=True, samesite="lax")

    async def become_host(self, request: Request) -> Response:
        """The PIN makes a guest a host."""
        message = await _body(request)
        pin = message.get("pin")
        if set(message) != {"pin"} or not isinstance(pin, str) or len(pin) > 64:
            raise HTTPException(400, "wanted the PIN that stands in the terminal")
        try:
            key = self._access.host_key(pin, request.state.client)
        except PermissionError as error:
            raise HTTPException(429, str(error)) from None
        if key is None:
            raise HTTPException(403, "that is not the PIN that stands in the terminal")
        response = _json({"role": "host"})
        self._keep(response, request, "host")
        return response

    async def command(self, request: Request) -> Response:
        """One command, as on the WebSocket."""
        done = await obey(self._night, _role(request) or "guest", _who(request), await _body(request))
        return _json(done, 400 if "error" in done else 200)

    async def state(self, _request: Request) -> Response:
        """What changes now and then: the song, the queue, the settings."""
        return _json(await run_in_threadpool(self._night.state))

    async def search(self, request: Request) -> Response:
        """Songs that fit ``q``."""
        if not self._searches.take(request.state.client):
            return PlainTextResponse("too many searches: wait a second", 429, {"retry-after": "1"})
        text = request.query_params.get("q", "")
        if len(text) > LONGEST_QUERY:
            raise HTTPException(400, f"a search of {len(text)} characters: wanted at most {LONGEST_QUERY}")
        return _json({"songs": await run_in_threadpool(self._night.search, text, MOST_FOUND)})

    async def layout(self, request: Request) -> Response:
        """Every bus and plugin with its parameters, for hosts."""
        if _role(request) != "host":
            raise HTTPException(403, "this is for the host: enter the PIN in the host view")
        return _json(await run_in_threadpool(self._night.controls.layout))

    async def lyrics(self, request: Request) -> Response:
        """Lines and syllables of a song with their times."""
        return _json(await run_in_threadpool(self._night.lyrics, request.path_params["song"]))

    async def cover(self, request: Request) -> Response:
        """The picture of a song."""
        cover = await run_in_threadpool(self._night.cover, request.path_params["song"])
        if cover is None:
            raise HTTPException(404, "no cover")
        return Response(cover.data, media_type=cover.mime, headers={"cache-control": "private, max-age=3600"})

    async def qr(self, _request: Request) -> Response:
        """The address for phones as a QR code."""
        if not self._guest_url:
            raise HTTPException(404, "not open to the network: start with --lan")
        return Response(self._qr, media_type="image/svg+xml")

    async def live(self, socket: WebSocket) -> None:
        """The WebSocket."""
        await self._hub.serve(socket, _role(socket) or "guest", socket.state.client, _who(socket))


def _qr(url: str) -> bytes:
    import segno

    buffer = BytesIO()
    segno.make(url, error="m").save(buffer, kind="svg", scale=8, border=3, light="#fff", dark="#000")
    return buffer.getvalue()


def _role(connection: HTTPConnection) -> Role | None:
    return connection.state.role


def _who(connection: HTTPConnection) -> Guest:
    return Guest(mark=connection.cookies.get(MARK, "")[:64], host=_role(connection) == "host")


async def _body(request: Request) -> dict[str, Any]:
    try:
        message = read_message(await request.body())
    except ClientDisconnect:
        raise HTTPException(413, f"more than {MAX_MESSAGE} bytes") from None
    if message is None:
        raise HTTPException(400, "wanted a JSON object")
    return message


def _json(content: Any, status: int = 200) -> Response:
    return Response(dumps(content), status, media_type="application/json")


async def _say(_request: Request, error: HTTPException) -> Response:
    return PlainTextResponse(error.detail, error.status_code, error.headers)


async def _say_error(_request: Request, error: RtkaraokeError) -> Response:
    return PlainTextResponse(str(error), 404)
