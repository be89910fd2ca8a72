"""An evening with many phones: live sound beside 20 open pages, meters at 20 Hz and searches; every sample counts.

    python benchmarks/night.py [--minutes 10] [--clients 20] [--periods 128 1024] [--model live] [--quick]

The command ``rtkaraoke night`` plays a song in which every sample says its own number, with the voice untouched, so
that what leaves the stream must be that song, bit for bit. Needs Linux, `jackd` and PortAudio, and no sound card.
Writes ``results/night.json``.
"""

import argparse
import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile
from common import Cell, Table, parse, save

from rtkaraoke.bench.index_signal import Accounts, encode
from rtkaraoke.bench.jack import DEVICE, dummy_server
from rtkaraoke.bench.stalls import watched
from rtkaraoke.live.rtmixer_backend import RtmixerBackend
from rtkaraoke.live.settings import LiveSettings

RATE = 44_100
RESERVE = 65_536
SETTLE_S = 3.0
SEARCH_EVERY_S = 1.0
WORDS = ("numb", "every sam", "song 1", "sil", "a", "number")
COLUMNS = {
    "period": "",
    "prefill": "",
    "minutes": ".1f",
    "clients": "",
    "meters Hz": ".1f",
    "longest gap ms": ".0f",
    "searches": "",
    "search p95 ms": ".1f",
    "lost": "",
    "silent": "",
    "repeated": "",
    "altered": "",
    "xruns": "",
    "server xruns": "",
    "stalls": "",
    "longest stall ms": ".1f",
    "late masks": "",
    "page CPU": ".0%",
}


@dataclass
class Traffic:
    """What the clients saw."""

    pulses_hz: float
    longest_gap_ms: float
    searches_ms: list[float]
    last_pulse: dict[str, Any]


def make_songs(folder: Path, seconds: float) -> None:
    """The song that is played, and 500 more to search in."""
    with soundfile.SoundFile(folder / "Every Sample - Says Its Number.wav", "w", RATE, 2, "FLOAT") as song:
        for second in range(int(seconds) + 1):
            song.write(encode(second * RATE, RATE))
    for number in range(500):
        soundfile.write(folder / f"Silent Singers - Song {number}.wav", np.zeros((800, 1), np.float32), 8000)


@contextlib.contextmanager
def night(folder: Path, model: str, prefill: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command, running; its address."""
    arguments = [
        *(sys.executable, "-m", "rtkaraoke", "night", str(folder / "songs"), "--data", str(folder / "data")),
        *("--port", "0", "--mics", "1", "--model", model, "--provider", "cpu", "--vocals", "0"),
        *("--input", DEVICE, "--output", DEVICE, "--channels", "3,4", "--prefill", str(prefill)),
        *("--set", "music.level=0"),
    ]
    program = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
    assert program.stdout is not None
    found = re.search(r"http://\S+", program.stdout.readline())
    try:
        if found is None:
            raise RuntimeError("the night did not begin")
        yield found.group(), program
    finally:
        program.terminate()
        program.wait(20)


async def phone(number: int, address: str, seconds: float, found: list[Traffic]) -> None:
    """One client: meters as they come, a search every second."""
    from websockets.asyncio.client import connect

    url = urllib.parse.urlsplit(address)
    here = (f"127.0.0.{number + 2}", 0)  # a client each, as in a room
    host = f"{url.hostname}:{url.port}"

    async def get(path: str, cookie: str = "") -> tuple[str, bytes]:
        reader, writer = await asyncio.open_connection(url.hostname, url.port, local_addr=here)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.decode(), body

    head, _ = await get(f"{url.path}?{url.query}")
    cookie = "; ".join(re.findall(r"set-cookie: ([^;]+)", head, re.IGNORECASE))
    searches_ms: list[float] = []

    async def search() -> None:
        turn = number
        while True:
            began = time.perf_counter()
            await get(f"/api/search?q={urllib.parse.quote(WORDS[turn % len(WORDS)])}", cookie)
            searches_ms.append(1e3 * (time.perf_counter() - began))
            turn += 1
            await asyncio.sleep(SEARCH_EVERY_S)

    async with connect(
        f"ws://{host}/live", origin=f"http://{host}", additional_headers={"cookie": cookie},
        compression=None, proxy=None, local_addr=here,
    ) as socket:  # fmt: skip
        searching = asyncio.create_task(search())
        if number == 0:
            _, body = await get("/api/search?q=every", cookie)
            song = json.loads(body)["songs"][0]["id"]
            await socket.send(json.dumps({"do": "add", "song": song, "singer": "Number", "vocals": 0.0}))
        began = last = time.perf_counter()
        n_pulses, longest_s, pulse = 0, 0.0, {}
        while time.perf_counter() - began < seconds:
            message = json.loads(await socket.recv())
            if message["kind"] == "pulse":
                now = time.perf_counter()
                if n_pulses:
                    longest_s = max(longest_s, now - last)
                last, n_pulses, pulse = now, n_pulses + 1, message
        searching.cancel()
    found.append(Traffic(n_pulses / (last - began), 1e3 * longest_s, searches_ms, pulse))


def traffic(address: str, n_clients: int, seconds: float) -> list[Traffic]:
    """All clients, in a process of their own."""

    async def run() -> list[Traffic]:
        found: list[Traffic] = []
        await asyncio.gather(*(phone(number, address, seconds, found) for number in range(n_clients)))
        return found

    return asyncio.run(run())


def listen(seconds: float, period: int) -> Accounts:
    """What leaves the stream, from when the song has faded in; in a process of its own."""
    every = (1, 2, 3, 4)
    settings = LiveSettings(
        input=DEVICE,
        output=DEVICE,
        channels_in=every,
        channels_out=every,
        sample_rate=RATE,
        block=period,
        prefill=RESERVE,
    )
    stream = RtmixerBackend().open(settings, RESERVE)
    accounts, block = Accounts(), np.zeros((RESERVE, 4), np.float32)
    stream.start()
    try:
        began, ends = 0.0, time.monotonic() + 120.0
        while (now := time.monotonic()) < ends:
            while n_samples := stream.read(block[: min(stream.readable, RESERVE)]):
                heard = block[:n_samples, 2:]
                stream.write(np.zeros((n_samples, 4), np.float32))
                if not began and heard.any():
                    began, ends = now, now + SETTLE_S + seconds
                if began and now > began + SETTLE_S:
                    accounts.add(heard)
            time.sleep(0.05)
    finally:
        stream.stop()
        stream.close()
    return accounts


def evening(period: int, seconds: float, n_clients: int, model: str) -> tuple[list[Cell], bool]:
    """One row of the table, and whether real-time priority was granted."""
    spawn, prefill = get_context("spawn"), max(512, 2 * period)
    with (
        tempfile.TemporaryDirectory() as name,
        dummy_server(period, RATE),
        watched() as stalls,
        ProcessPoolExecutor(1, mp_context=spawn) as ear,
        ProcessPoolExecutor(1, mp_context=spawn) as crowd,
    ):
        folder = Path(name)
        (folder / "songs").mkdir()
        make_songs(folder / "songs", seconds + SETTLE_S + 30)
        hearing = ear.submit(listen, seconds, period)
        time.sleep(1.0)
        with night(folder, model, prefill) as (address, program):
            began_s, cpu = time.monotonic(), psutil.Process(program.pid)
            before = sum(cpu.cpu_times()[:2])
            crowding = crowd.submit(traffic, address, n_clients, seconds + SETTLE_S)
            accounts, clients = hearing.result(), crowding.result()
            ended_s = time.monotonic()
            share = (sum(cpu.cpu_times()[:2]) - before) / (ended_s - began_s)
    engine = clients[0].last_pulse["engine"]
    searches = sorted(each for client in clients for each in client.searches_ms)
    xruns = engine["xruns"]
    found = [stalls.longer_than(1e3 * period / RATE, began_s, ended_s), stalls.longest_ms(began_s, ended_s)]
    row: list[Cell] = [
        period,
        prefill,
        seconds / 60,
        len(clients),
        min(client.pulses_hz for client in clients),
        max(client.longest_gap_ms for client in clients),
        len(searches),
        searches[int(0.95 * len(searches))],
        *(accounts.lost, accounts.silent, accounts.repeated, accounts.altered),
        xruns["underruns"] + xruns["overruns"],
        max((count for kind, count in xruns.items() if kind.startswith("device")), default=0),
        *(found if stalls.watched else (None, None)),
        engine["late"],
        share,
    ]
    return row, engine["realtime"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--periods", nargs="+", type=int, default=[128, 1024])
    parser.add_argument("--model", default="live")
    options = parse(parser, minutes=0.05, clients=4, periods=[128])
    seconds = 60.0 * options.minutes
    evenings = [evening(period, seconds, options.clients, options.model) for period in options.periods]
    table = Table(
        "night",
        "An evening with many phones",
        COLUMNS,
        [row for row, _ in evenings],
        f"`rtkaraoke night` on JACK's dummy at 44.1 kHz, network {options.model}, real-time priority "
        f"{'granted' if all(realtime for _, realtime in evenings) else 'refused'}. Every client has the host view's "
        "meters and searches once a second among 501 songs. *meters Hz*: of the client with the fewest; *lost* to "
        "*altered*: samples of the song as they left the stream; *xruns*: the program's, *server xruns*: JACK's own; "
        "*stalls*: how often a core of the machine ran nobody, not even a watchdog of the highest priority, for longer "
        "than a period; *page CPU*: of one core, by server and night, without the engine.",
    )
    print(table.markdown())
    print(f"\nwrote {save('night', [table], minutes=options.minutes, clients=options.clients)}")


if __name__ == "__main__":
    main()
