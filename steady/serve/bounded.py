"""An ASGI layer that reads each body whole before the application sees it: bounded in bytes and in seconds."""

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# the rest of a refused body would be read as the next request
CLOSE = {"connection": "close"}


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
        await self.app(scope, _replay(body, receive), send)


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


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, then what the server says: that the client has left."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
