"""The layers between the server and the application: counts for Prometheus, bodies within bounds, and a quick answer to `/health`."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
# the rest of a refused body would be read as the next request
CLOSE = {"connection": "close"}
# Prompts of so many characters in all take about a millisecond to render; the loop can wait that long
QUICK_CHARACTERS = 20_000
Result = TypeVar("Result")


class Counts:
    """Counters of one server; a registry of its own, so that two servers of a process do not mix."""

    def __init__(self) -> None:
        # the global registry would keep the counters of an earlier server
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "steady_requests", "Requests by path and status", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "steady_request_seconds", "Time of a prediction", registry=self.registry, buckets=SECONDS
        )
        self.prompts = Counter("steady_prompts", "Prompts scored by arm", ["arm"], registry=self.registry)
        self.batches = Histogram("steady_batch_prompts", "Prompts in a batch", registry=self.registry, buckets=SIZES)
        self.batch_seconds = Histogram(
            "steady_batch_seconds", "Time of a batch", registry=self.registry, buckets=SECONDS
        )
        self.pending = Gauge("steady_pending_requests", "Requests waiting or being answered", registry=self.registry)
        self.left = Counter("steady_clients_left", "Clients that left before their answer", registry=self.registry)

    def batch(self, arm: str, prompts: int, seconds: float) -> None:
        """Count a batch of the model's thread."""
        self.prompts.labels(arm).inc(prompts)
        self.batches.observe(prompts)
        self.batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)


class CountedAnswers:
    """An ASGI layer that counts answers by path and status."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count when the status goes out; the path is that of the route, so that clients invent none."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "other")
                self.counts.requests.labels(path, str(message["status"])).inc()
            await send(message)

        await self.app(scope, receive, counted if scope["type"] == "http" else send)


def error_body(code: str, message: str) -> dict[str, dict[str, str]]:
    """The body of every answer that is no success; short, and never with the input in it."""
    return {"error": {"code": code, "message": message[:1000]}}


class Left(Exception):  # noqa: N818
    """The client went before its body had come."""


class BoundedBody:
    """Answers 413 to a body over `limit` bytes and 408 to one that takes longer than `seconds`."""

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self.app, self.limit, self.seconds = app, limit, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no request, and requests whose body is within bounds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = False

        async def again() -> Message:
            """The body once, then what the server says: that the client has left."""
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            body = await asyncio.wait_for(_read(receive, self.limit), self.seconds)
        except Left:
            return
        except TimeoutError:
            refusal = error_body("too_slow", f"the body has to arrive within {self.seconds:g} seconds")
            await JSONResponse(refusal, 408, CLOSE)(scope, receive, send)
            return
        if body is None:
            refusal = error_body("too_large", f"a body has at most {self.limit} bytes")
            await JSONResponse(refusal, 413, CLOSE)(scope, receive, send)
            return
        await self.app(scope, again, send)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The body, or None where it is longer than `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Left
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        # stop here: what comes behind the limit is never held in memory
        if size > limit:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


class QuickHealth:
    """An ASGI layer that answers `GET /health` in one turn of the event loop, so that a hundred busy requests delay it by one."""

    def __init__(self, app: ASGIApp, state: Callable[[], tuple[int, object]], counts: Counts) -> None:
        self.app, self.state, self.counts = app, state, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the check, pass on everything else."""
        if scope["type"] != "http" or scope["path"] != "/health" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        status, content = self.state()
        self.counts.requests.labels("/health", str(status)).inc()
        await JSONResponse(content, status, None if status == 200 else {"Retry-After": "5"})(scope, receive, send)


async def aside(characters: int, work: Callable[[], Result]) -> Result:
    """The result of some work on so many characters: at once where it is little, else on another thread."""
    return work() if characters < QUICK_CHARACTERS else await asyncio.to_thread(work)
