"""Whole runs under faults. `make torture` runs all of it and prints the figures; the quick tests have a short form of each."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from model_fixtures import tiny_encoder  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/finetune"), str(ROOT / "tests/hub"), str(ROOT / "tests/serve")]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """Write a line of the table that is printed at the end; the reports carry it out of the processes that run tests."""
    return lambda name, value: record_property(name, str(value))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread; code that is edited meanwhile is no other training; and nothing waits for the disk."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steady.finetune.finetune.code_digest", lambda package: "the code")
        patch.setattr("steady.finetune.checkpoints.checkpoints._to_disk", lambda path: None)
        # a third of the time of a tiny run: the arm has a card of its own
        patch.setattr("peft.PeftModel.create_or_update_model_card", lambda *_: None)
        yield
    torch.set_num_threads(threads)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind if hasattr(report, "when")]
    figures = sorted(item for report in reports if report.when == "call" for item in report.user_properties)
    width = max((len(name) for name, _ in figures), default=0)
    for name, value in figures:
        terminalreporter.write_line(f"{name:<{width}}  {value}")
