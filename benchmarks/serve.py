"""Requests a second through the batching queue and through a plain FastAPI loop over the same models, and how fast predict is.

Needs trained arms (`make repro`); clients send different tickets, so that nothing is scored for two of them at once.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.rows import Row

CLIENTS = 50
REQUESTS = 150
LINES = 600
FIRST_LINE_SECONDS = 8.0
LINES_A_SECOND = 60.0
GAIN = 3.0


def measure() -> Iterator[Row]:
    """The rows of this benchmark; none where no arm has been trained."""
    if not Path("models/tuned/steady.json").is_file():
        return
    yield from predict_rows()
    yield from serve_rows()


def texts(count: int) -> list[str]:
    """Different tickets of the sample data."""
    lines = Path("data/raw/tickets.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines[:count]]


def predict_rows() -> Iterator[Row]:
    """Start to first line, and lines a second after it, of `predict` with every arm."""
    short = [f"{' '.join(text.split()[:12])}" for text in texts(LINES)]
    command = [sys.executable, "-W", "ignore", "-m", "steady", "predict"]
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdin is not None and running.stdout is not None
        running.stdin.write("\n".join(short) + "\n")
        running.stdin.close()
        running.stdout.readline()  # the names of the columns
        running.stdout.readline()
        first = time.perf_counter() - started
        rest = sum(1 for _ in running.stdout)
        seconds = time.perf_counter() - started - first
    yield Row("predict: start to first line", first, "s", FIRST_LINE_SECONDS)
    yield Row("predict: lines of 12 words, every arm", rest / seconds, "lines/s", LINES_A_SECOND)


def serve_rows() -> Iterator[Row]:
    """The two servers under the same clients, one after the other."""
    from steady.serve.app import Limits, make_app
    from steady.serve.asking import open_asker, spare_quantisation

    spare_quantisation()
    asker = open_asker(Path("params.yaml"), Path("models"), Path("data/formatted/wordings.jsonl"), (), ())
    asked = texts(REQUESTS)
    health: list[float] = []
    with served(make_app(asker.arms, asker.phrasing, Limits(capacity=CLIENTS, timeout_seconds=300))) as url:
        batched = asyncio.run(load(url, asked, health))
    with served(plain_app(asker)) as url:
        plain = asyncio.run(load(url, asked, []))
    yield Row("serve: plain FastAPI loop, every arm", plain, "requests/s", None)
    yield Row("serve: batching queue, every arm", batched, "requests/s", None)
    yield Row("serve: gain through batching", batched / plain, "times", GAIN)
    yield Row("serve: slowest /health under 50 clients", 1000 * max(health), "ms", 100.0)


def plain_app(asker: Any) -> Any:
    """What one writes first: an endpoint that asks each model for one prompt after the other."""
    import torch
    from fastapi import FastAPI

    from steady.models import load_tokenizer
    from steady.parameters import read_params
    from steady.scoring.arm import _load_model, read_manifest
    from steady.serve.arms import AskParams

    params = read_params(Path("params.yaml"), AskParams).model
    tokenizer = load_tokenizer(params)
    folders = {arm.name: Path("models") / arm.name for arm in asker.arms}
    models = {name: _load_model(folder, read_manifest(folder), params).eval() for name, folder in folders.items()}
    longest = asker.arms[0].max_length
    app = FastAPI()

    @app.post("/predict")
    async def predict(body: dict[str, Any]) -> Any:
        prompt = asker.phrasing.prompt(body["text"], "canonical")
        batch = tokenizer([prompt], truncation=True, max_length=longest, return_tensors="pt")
        batch.pop("token_type_ids", None)
        with torch.inference_mode():
            return {name: model(**batch).logits[0].tolist() for name, model in models.items()}

    @app.get("/health")
    async def health() -> Any:
        return {}

    return app


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Run an application on a free port."""
    import socket

    import uvicorn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


async def load(url: str, asked: list[str], health: list[float]) -> float:
    """Requests a second with `CLIENTS` clients; `health` gets the seconds of the health checks beside them."""
    import httpx

    limits = httpx.Limits(max_connections=CLIENTS + 1)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:
        places = asyncio.Semaphore(CLIENTS)

        async def ask(text: str) -> None:
            async with places:
                (await client.post("/predict", json={"text": text})).raise_for_status()

        await ask("warm")
        started = time.perf_counter()
        tasks = [asyncio.ensure_future(ask(text)) for text in asked]
        while not all(task.done() for task in tasks):
            at = time.perf_counter()
            if health is not None:
                await client.get("/health")
                health.append(time.perf_counter() - at)
            await asyncio.sleep(0.1)
        await asyncio.gather(*tasks)
        return len(asked) / (time.perf_counter() - started)
