"""Scoring by the processes of a launcher writes the bytes of one process."""

import os
import subprocess
import sys
from pathlib import Path

import generative_run
import pytest

TASK = "CAUSAL_LM"


@pytest.fixture
def by_processes(monkeypatch):
    """Run the stages in so many processes."""

    def chosen(number: int) -> None:
        def stage(run: Path, name: str, *arguments: str) -> str:
            words = [str(run / word.removeprefix("run:")) if word.startswith("run:") else word for word in arguments]
            command = [sys.executable, "-m", f"stages.{name}", "--params", str(run / "params.yaml"), *words]
            launcher = f"torchrun --standalone --nproc-per-node {number}"
            own = {"STEADY_LAUNCHER": launcher, "DVC_ROOT": str(run), "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                command, cwd=generative_run.ROOT, env=os.environ | own, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        monkeypatch.setattr(generative_run, "stage", stage)

    return chosen


def score(run: Path) -> dict[str, bytes]:
    """Evaluate and measure the sensitivity of the baseline; what was written, by its path."""
    generative_run.evaluate(run, "baseline")
    generative_run.sensitivity(run, "baseline")
    places = [run / "reports/arms/baseline", run / "metrics/arms/baseline"]
    files = [path for place in places for path in sorted(place.rglob("*")) if path.is_file()]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_two_and_three_processes_write_the_bytes_of_one(tmp_path, by_processes, monkeypatch):
    monkeypatch.chdir(generative_run.ROOT)
    values = generative_run.settings(generative_run.write_model(tmp_path / "base", TASK), TASK, labels=True)
    values["data"]["test_rows"] = (
        150  # of which 64 at the most are scored together: three bundles with those of validation
    )
    generative_run.write_settings(tmp_path, values)
    generative_run.prepare(tmp_path)
    generative_run.finetune(tmp_path, "baseline", "canonical")
    alone = score(tmp_path)
    assert {"reports/arms/baseline/predictions.jsonl", "metrics/arms/baseline/sensitivity.json"} <= set(alone)
    for number in (2, 3):
        by_processes(number)
        assert score(tmp_path) == alone
        assert not list((tmp_path / ".checkpoints").glob("*"))  # what the processes exchanged is gone
