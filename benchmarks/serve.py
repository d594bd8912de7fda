"""Requests a second through the batching queue and through what one writes first, `/health` meanwhile, and how fast predict is.

`python -m benchmarks.serve` (under three minutes; alone on the machine). It needs trained arms (`make repro`). Clients send
different tickets, so that nothing is scored for two of them at once; each server is a process of its own, as is the client.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.load import CLIENTS, Loaded, load, server
from benchmarks.rows import Row

REQUESTS = 200
ROUNDS = 3
LINES = 600
FIRST_LINE_SECONDS = 8.0
LINES_A_SECOND = 60.0
GAIN = 3.0
OURS = ("steady", "serve", "--capacity", str(2 * CLIENTS), "--batch-size", "64", "--timeout", "300", "--port")
PLAIN = {name: ("benchmarks.plain_server", name) for name in ("def", "async")}


def measure() -> Iterator[Row]:
    """The rows of this benchmark; none where no arm has been trained."""
    if not Path("models/tuned/steady.json").is_file():
        return
    yield from predict_rows()
    yield from serve_rows()


def texts(count: int, start: int = 0) -> list[str]:
    """Different tickets of the sample data."""
    lines = Path("data/raw/tickets.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines[start : start + count]]


def predict_rows() -> Iterator[Row]:
    """Start to first line, and lines a second after it, of `predict`: with the tuned arm, and with every arm."""
    short = [" ".join(text.split()[:12]) for text in texts(LINES)]
    first, _ = _predict(short, "--arm", "tuned")
    _, every = _predict(short)
    _, tuned = _predict(short, "--arm", "tuned")
    yield Row("predict: start to first line", first, "s", FIRST_LINE_SECONDS)
    yield Row("predict: lines of 12 words, tuned arm", tuned, "lines/s", LINES_A_SECOND)
    yield Row("predict: lines of 12 words, every arm", every, "lines/s", LINES_A_SECOND)


def _predict(lines: Sequence[str], *options: str) -> tuple[float, float]:
    """Seconds to the first answer, and answers a second after it."""
    command = [sys.executable, "-m", "steady", "predict", *options]
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None and running.stdout is not None
        running.stdin.write("\n".join(lines) + "\n")
        running.stdin.close()
        running.stdout.readline()  # the names of the columns
        running.stdout.readline()
        first = time.perf_counter() - started
        rest = sum(1 for _ in running.stdout)
        return first, rest / (time.perf_counter() - started - first)


def serve_rows() -> Iterator[Row]:
    """The servers under the same clients in turn, `ROUNDS` times; medians of the rates, the worst of `/health`."""
    with server(*OURS) as ours, server(*PLAIN["def"]) as threads, server(*PLAIN["async"]) as loop:
        ports = {"ours": ours, "def": threads, "async": loop}
        for port in ports.values():
            load(port, _bodies(texts(20)), 4)  # warm
        found = {name: [] for name in ports}
        for turn in range(ROUNDS):
            for name, port in ports.items():
                found[name].append(load(port, _bodies(texts(REQUESTS, 20 + turn * REQUESTS), name == "ours")))
        every = load(ours, _bodies(texts(REQUESTS)))
    yield from _compared(found)
    yield Row("serve: batching queue, every arm", every.rate, "requests/s", None)


def _bodies(asked: Sequence[str], one_arm: bool = False) -> list[dict[str, Any]]:
    return [{"text": text, "arms": ["tuned"]} if one_arm else {"text": text} for text in asked]


def _compared(found: dict[str, list[Loaded]]) -> Iterator[Row]:
    rate = {name: median(item.rate for item in items) for name, items in found.items()}
    seconds = [second for item in found["ours"] for second in item.seconds]
    health = [second for item in found["ours"] for second in item.health]
    yield Row("serve: plain FastAPI, def endpoint", rate["def"], "requests/s", None)
    yield Row("serve: plain FastAPI, async endpoint", rate["async"], "requests/s", None)
    yield Row("serve: batching queue, tuned arm", rate["ours"], "requests/s", None)
    yield Row("serve: batching / def endpoint", rate["ours"] / rate["def"], "times", GAIN)
    yield Row("serve: batching / async endpoint", rate["ours"] / rate["async"], "times", GAIN)
    yield Row("serve: a request among 50 clients, median", 1000 * median(seconds), "ms", None)
    yield Row("serve: a request among 50 clients, slowest", 1000 * max(seconds), "ms", None)
    yield Row("serve: /health under 50 clients, 99 of 100", 1000 * quantiles(health, n=100)[98], "ms", 100.0)
    yield Row("serve: /health under 50 clients, slowest", 1000 * max(health), "ms", 100.0)
    plain = [second for name in ("def", "async") for item in found[name] for second in item.health]
    yield Row("serve: /health of the plain ones, slowest", 1000 * max(plain), "ms", None)


def main() -> None:
    """Print every row as it is measured."""
    for row in measure():
        bar = "" if row.bar is None else f"   bar {row.bar:g}"
        print(f"{row.name:45} {row.value:9.2f} {row.unit}{bar}", flush=True)


if __name__ == "__main__":
    main()
