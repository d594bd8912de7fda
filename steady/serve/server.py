"""Run the application with uvicorn; SIGTERM and SIGINT let running requests end."""

import sys
from typing import Any

import uvicorn

GRACE_SECONDS = 10
# How long the model's thread may keep Python to itself while the event loop waits; Python's own is ten times that
SWITCH_SECONDS = 0.0005


def run(app: Any, host: str, port: int) -> None:
    """Serve until a signal comes; requests that are under way have `GRACE_SECONDS` to end."""
    sys.setswitchinterval(SWITCH_SECONDS)
    uvicorn.Server(configuration(app, host, port)).run()


def configuration(app: Any, host: str, port: int) -> uvicorn.Config:
    """Bounded in connections, headers and idle time; neither the access log nor the server's name goes out."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="info",
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE_SECONDS,
        # far above the usual capacity, whose refusal says more than uvicorn's
        limit_concurrency=1000,
        backlog=256,
    )
