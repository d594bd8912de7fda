"""A served application on a free port, with arms that answer from the letters of a prompt: no model, no waiting."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import httpx
import numpy as np
import pytest
import uvicorn
from arms_fixture import Trained, make_trained

from steady.prompts.bank import read_bank
from steady.prompts.levels import available_wordings
from steady.scoring.predictions import classify
from steady.serve.app import Limits, make_app
from steady.serve.arms import Length, ReadyArm, as_records
from steady.serve.phrasing import Phrasing
from steady.serve.server import configuration

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("billing", "technical", "account", "shipping", "other")


@dataclass
class Gate:
    """Lets the model's thread through, or holds it; counts what it scored."""

    opened: threading.Event = field(default_factory=threading.Event)
    batches: list[int] = field(default_factory=list)
    seconds: float = 0.0


def letters(gate: Gate, shift: int) -> Callable[[list[str]], Any]:
    """Logits that depend on a prompt's letters alone."""

    def score(prompts: list[str]) -> Any:
        gate.opened.wait(20)
        time.sleep(gate.seconds)
        gate.batches.append(len(prompts))
        rows = [
            [(sum(prompt.encode("utf-8", "replace")) + shift) * (column + 1) % 7 for column in range(5)]
            for prompt in prompts
        ]
        return np.asarray(rows, dtype=np.float32)

    return score


def a_phrasing() -> Phrasing:
    """Ten wordings of the tickets, the canonical one first."""
    from steady.parameters import read_params
    from steady.prompts.params import FormatStage

    view = read_params(ROOT / "params.yaml", FormatStage)
    bank = read_bank(ROOT / "data" / "raw" / "wordings" / "tickets.yaml")
    every = available_wordings(bank, view.format)
    few = [every[0], *[wording for wording in every if wording.family == "paraphrase"][:5], *every[1:5]]
    return Phrasing({wording.id: wording for wording in few}, bank)


@dataclass
class Served:
    """A running server."""

    url: str
    gate: Gate
    app: Any
    server: uvicorn.Server

    def client(self) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=30)


@contextmanager
def serving(app: Any, gate: Gate) -> Iterator[Served]:
    """Run an application on a free port of the loopback until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(configuration(app, "127.0.0.1", port))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(f"http://127.0.0.1:{port}", gate, app, server)
    finally:
        gate.opened.set()
        server.should_exit = True
        thread.join(20)


def an_app(gate: Gate, **limits: Any) -> Any:
    """The application over two arms of `letters`."""

    def arm(name: str, shift: int) -> ReadyArm:
        score = letters(gate, shift)
        return ReadyArm(
            name,
            LABELS,
            192,
            lambda prompts: classify(score, as_records(prompts), LABELS, 64),
            lambda prompts: [Length(len(prompt), min(len(prompt), 192)) for prompt in prompts],
        )

    arms = [arm(name, shift) for shift, name in enumerate(("baseline", "tuned"))]
    return make_app(arms, a_phrasing(), Limits(**limits))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server whose model never waits."""
    gate = Gate()
    gate.opened.set()
    with serving(an_app(gate), gate) as running:
        yield running


@pytest.fixture
def start() -> Iterator[Callable[..., Any]]:
    """A function that serves an application with limits of its own; its model waits until the gate is opened."""
    with ExitStack() as stack:

        def started(**limits: Any) -> Served:
            gate = Gate()
            return stack.enter_context(serving(an_app(gate, **limits), gate))

        yield started


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two arms of a tiny encoder, with all that lies around them after a run."""
    return make_trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def serve_arms() -> Callable[[Any], Any]:
    """Serve what `open_asker` opened."""

    def serve(asker: Any) -> Any:
        gate = Gate()
        return serving(make_app(asker.arms, asker.phrasing, Limits(capacity=64)), gate)

    return serve
