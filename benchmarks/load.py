"""Servers in processes of their own, and fifty clients that cost next to nothing: one connection each, kept open."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

CLIENTS = 50
START_SECONDS = 120.0
LOAD_SECONDS = 8.0
HEALTH_PAUSE = 0.02


class Loaded(NamedTuple):
    """Requests a second, the seconds of each request, and of each health check beside them."""

    rate: float
    seconds: list[float]
    health: list[float]


@contextmanager
def server(*command: str) -> Iterator[int]:
    """Run `python -m COMMAND PORT` until the block ends; its port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    quiet = subprocess.DEVNULL
    running = subprocess.Popen([sys.executable, "-m", *command, str(port)], stdout=quiet, stderr=quiet)
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(port):
            if running.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"`python -m {' '.join(command)} {port}` did not start (exit code {running.poll()})")
            time.sleep(0.2)
        yield port
    finally:
        running.terminate()
        running.wait(30)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def load(port: int, bodies: Sequence[dict[str, Any]], clients: int = CLIENTS, longest: float = LOAD_SECONDS) -> Loaded:
    """Ask for every body once, `clients` at a time, and for /health all the while; after `longest` seconds ask for no more."""
    return asyncio.run(_load(port, [json.dumps(body).encode() for body in bodies], clients, longest))


async def _load(port: int, bodies: list[bytes], clients: int, longest: float) -> Loaded:
    waiting, seconds = list(reversed(bodies)), []
    health: list[float] = []
    end = time.perf_counter() + longest

    async def client() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        while waiting and time.perf_counter() < end:
            seconds.append(await _ask(*connection, b"POST /predict", waiting.pop()))
        connection[1].close()

    async def watch() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        while True:
            health.append(await _ask(*connection, b"GET /health", b""))
            await asyncio.sleep(HEALTH_PAUSE)

    watching = asyncio.ensure_future(watch())
    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    rate = len(seconds) / (time.perf_counter() - started)
    watching.cancel()
    return Loaded(rate, seconds, health)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes, body: bytes) -> float:
    """The seconds of one request over an open connection; anything but a 200 is an error."""
    started = time.perf_counter()
    head = b"%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % (line, len(body)) + body)
    found = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in found.split(b"\r\n", 1)[0]:
        raise RuntimeError(found.decode("latin-1"))
    await reader.readexactly(int(found.split(b"content-length:")[1].split(b"\r\n")[0]))
    return time.perf_counter() - started
