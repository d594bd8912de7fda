"""Keep the event loop free: `/health` is answered before every other layer, and long work on texts is done on another thread."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from steady.serve.counting import Counts

# Prompts of so many characters in all take about a millisecond to render; the loop can wait that long
QUICK_CHARACTERS = 20_000

Result = TypeVar("Result")
# The status and the body of an answer
State = Callable[[], tuple[int, object]]


class QuickHealth:
    """An ASGI layer that answers `GET /health` in one turn of the event loop, so that a hundred busy requests delay it by one."""

    def __init__(self, app: ASGIApp, state: State, counts: Counts) -> None:
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
