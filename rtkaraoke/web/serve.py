"""The server: uvicorn on a socket of its own, in the control process."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

import uvicorn

from rtkaraoke.errors import NightError
from rtkaraoke.web.guard import MAX_MESSAGE

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DEFAULT_PORT = 8765
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
READY_S = 10.0
STOP_S = 2
MOST_AT_ONCE = 512  #: connections of everybody


def listen(port: int, *, lan: bool = False) -> socket.socket:
    """A socket at ``port`` of this machine (0: any free one), or with ``lan`` of all its networks.

    Raises
    ------
    NightError
        When the port is taken.
    """
    # The protocol by name: asyncio switches Nagle's 40 ms off only where it stands there.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: nobody may take the port from us
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((EVERYWHERE if lan else LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NightError(f"port {port}: {why}. Is another night running? --port 0 takes any free one") from None
    return listener


def lan_address() -> str:
    """The address by which this machine is seen in its network; asks the routing table, sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET: an address of nobody
            return str(probe.getsockname()[0])
        except OSError:
            return LOOPBACK


def own_names() -> tuple[str, ...]:
    """Names by which this machine may be addressed in its network."""
    name = socket.gethostname().partition(".")[0].lower()
    return (name, f"{name}.local") if name else ()


def terminal_qr(text: str) -> str:
    """``text`` as a QR code for a terminal, dark and light."""
    import segno

    out = StringIO()
    segno.make(text, error="l").terminal(out, border=2, compact=True)
    return out.getvalue()


@contextlib.contextmanager
def serving(app: "ASGIApp", listener: socket.socket) -> Iterator[None]:
    """Serve ``app`` at ``listener`` on a thread of its own, for the time of the block.

    Raises
    ------
    NightError
        When the server does not start.
    """
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        http="h11",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever says to come from elsewhere does not
        ws_max_size=MAX_MESSAGE,
        ws_max_queue=16,
        ws_per_message_deflate=False,
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=STOP_S,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="rtkaraoke-web", daemon=True)
    started = threading.Event()
    startup = server.startup

    async def tell(*arguments: object, **more: object) -> None:
        await startup(*arguments, **more)  # type: ignore[arg-type]
        started.set()

    server.startup = tell  # type: ignore[method-assign]
    thread.start()
    try:
        if not started.wait(READY_S) or not thread.is_alive():
            raise NightError("the page's server did not start. Please report this, with the lines above")
        yield
    finally:
        server.should_exit = True
        thread.join(STOP_S + 3)
        listener.close()
