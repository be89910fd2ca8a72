"""Everybody who has the page open: what they are sent, and what they ask for.

The night is read once per tick, and written once for all. A phone on a bad network misses ticks, never order: each
connection has a place for the latest of every kind of message, not a queue. Nothing here ever waits for a client
longer than that client's own task.
"""

import asyncio
import json
import math
import time
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from rtkaraoke.errors import NightError, RtkaraokeError
from rtkaraoke.karaoke.night import Guest, Night
from rtkaraoke.web.access import Access, Role
from rtkaraoke.web.commands import Command, parse
from rtkaraoke.web.guard import MAX_MESSAGE
from rtkaraoke.web.limits import Buckets

PULSE_S = 0.05  #: meters and clock
COMMANDS_HZ, COMMANDS_BURST = 40.0, 160  #: of one client, over all its connections
MOST_CONNECTIONS = 200  #: of everybody
MOST_OF_ONE = 16  #: of one client; a household behind one address has several phones
TOO_FAST = 200  #: messages refused for their rate until the connection is closed
CLOSE_POLICY, CLOSE_BUSY = 1008, 1013


class Report(BaseModel):
    """What a browser measured of itself: ``rtt_ms`` there and back, ``frame_ms`` from one picture to the next."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    do: Literal["report"]
    view: Literal["sing", "host", "stage"]
    rtt_ms: float = Field(ge=0, le=60_000)
    frame_ms: float = Field(ge=0, le=10_000)


class Client:
    """One connection."""

    def __init__(self, socket: WebSocket, role: Role, address: str, who: Guest) -> None:
        self.socket = socket
        self.role: Role = role
        self.address = address
        self.who = who
        self.report: Report | None = None
        self.n_refused = 0
        self._latest: dict[str, str] = {}
        self._answers: list[str] = []
        self._more = asyncio.Event()

    def send(self, kind: str, text: str) -> None:
        """Send ``text`` as soon as there is room; a later one of the same kind takes its place."""
        self._latest[kind] = text
        self._more.set()

    def answer(self, message: dict[str, Any]) -> None:
        """Send ``message`` for certain, or close: nobody may make us keep more than a few."""
        self._answers.append(dumps(message))
        self._more.set()

    @property
    def n_waiting(self) -> int:
        """Answers that were not fetched."""
        return len(self._answers)

    async def write(self) -> None:
        """Send what is there, until the connection ends."""
        while True:
            await self._more.wait()
            self._more.clear()
            answers, self._answers = self._answers, []
            latest, self._latest = self._latest, {}
            for text in (*answers, *latest.values()):
                await self.socket.send_text(text)


class Hub:
    """All connections.

    Parameters
    ----------
    night : Night
    access : Access
    """

    def __init__(self, night: Night, access: Access) -> None:
        self._night = night
        self._access = access
        self._clients: set[Client] = set()
        self._rate = Buckets(COMMANDS_HZ, COMMANDS_BURST)
        self._version = -1
        self._state = "{}"
        self._values: dict[str, float] = {}

    async def run(self) -> None:
        """Send what changes, until cancelled."""
        while True:
            started = time.monotonic()
            if self._clients:
                with suppress(RtkaraokeError):  # a database that is busy: the next tick tries again
                    await self._push()
            await asyncio.sleep(max(0.005, PULSE_S - (time.monotonic() - started)))

    async def _push(self) -> None:
        if self._night.version != self._version:
            await self._read_state()
            for client in self._clients:
                client.send("state", self._state)
        values = self._night.controls.values()
        if values != self._values:
            self._values = values
            for client in self._clients:
                self._send_values(client)
        pulse = self._night.pulse()
        texts = {
            "host": dumps({"kind": "pulse", **pulse, "browsers": self._reports()}),
            "guest": dumps({"kind": "pulse", "clock": pulse["clock"]}),
        }
        for client in self._clients:
            client.send("pulse", texts[client.role])

    def _send_values(self, client: Client) -> None:
        if client.role == "host":
            client.send("values", dumps({"kind": "values", "values": self._values}))

    async def _read_state(self) -> None:
        version = self._night.version
        state = await run_in_threadpool(self._night.state)  # asks the database
        self._version, self._state = version, dumps({"kind": "state", **state})

    def _reports(self) -> list[dict[str, Any]]:
        return [client.report.model_dump(exclude={"do"}) for client in self._clients if client.report is not None]

    async def serve(self, socket: WebSocket, role: Role, address: str, who: Guest) -> None:
        """One connection from its beginning to its end."""
        of_this = sum(client.address == address for client in self._clients)
        if len(self._clients) >= MOST_CONNECTIONS or of_this >= MOST_OF_ONE:
            await socket.close(CLOSE_BUSY)
            return
        client = Client(socket, role, address, who)
        self._clients.add(client)  # before anything is waited for: the limits hold for all who come at once
        writer: asyncio.Task[None] | None = None
        try:
            await socket.accept()
            if self._version != self._night.version:
                with suppress(RtkaraokeError):
                    await self._read_state()
            client.answer({"kind": "hello", "role": role, "me": who.tag})
            client.send("state", self._state)
            self._send_values(client)
            writer = asyncio.create_task(client.write())
            await self._listen(client)
        except (WebSocketDisconnect, RuntimeError):
            pass  # gone, perhaps while we wrote
        finally:
            self._clients.discard(client)
            if writer is not None:
                writer.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError, OSError):
                    await writer

    async def _listen(self, client: Client) -> None:
        while True:
            text = await client.socket.receive_text()
            if not self._rate.take(client.address) or client.n_waiting > COMMANDS_BURST:
                client.n_refused += 1
                if client.n_refused == 1:
                    client.answer({"kind": "error", "text": "too fast: some of this was not done"})
                if client.n_refused > TOO_FAST:
                    await client.socket.close(CLOSE_POLICY, "too many messages")
                    return
                continue
            client.n_refused = 0
            await self._obey(client, text)

    async def _obey(self, client: Client, text: str) -> None:
        message = read_message(text)
        number = message.pop("n", None) if message else None
        number = number if isinstance(number, int) and abs(number) < 2**53 else None
        match message:
            case None:
                client.answer({"kind": "error", "text": f"wanted a JSON object of at most {MAX_MESSAGE} bytes"})
            case {"do": "ping", "at": int() | float() as at} if len(message) == 2:
                client.answer({"kind": "pong", "at": at})
            case {"do": "report"}:
                with suppress(ValidationError):
                    client.report = Report.model_validate(message)
            case _:
                client.answer(
                    {"kind": "done", "n": number, **await obey(self._night, client.role, client.who, message)}
                )


async def obey(night: Night, role: Role, who: Guest, message: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command: ``{"result": ...}``, or ``{"error": why not}``."""
    try:
        command: Command = parse(message, role)
        return {"result": await run_in_threadpool(command.run, night, who)}
    except RtkaraokeError as error:
        return {"error": str(error)}


def read_message(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object that ``text`` is, or None."""

    def refuse(_constant: str) -> None:
        raise NightError("NaN and Infinity are no JSON")

    try:
        found = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError, NightError):
        return None
    return found if isinstance(found, dict) else None


def dumps(message: Any) -> str:
    """``message`` as compact JSON; infinite numbers, which JSON does not know, as null."""
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(message), ensure_ascii=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
