"""A model that is measured by the processes of a launcher: the run is that of one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from measuring import ROWS, contents, run, write

from steady.measure.processes import launched

ROOT = Path(__file__).resolve().parents[2]


def test_an_early_stop_needs_one_process_and_a_server_is_asked_by_one(monkeypatch, llama_folder, tmp_path):
    monkeypatch.setenv("STEADY_LAUNCHER", "torchrun --nproc-per-node 2")
    prompts = write(tmp_path / "p.jsonl", ROWS)
    refusal = run(prompts, "--model", llama_folder, "--precision", 0.1, "--out", tmp_path / "out", code=1)
    assert "--precision: one process alone" in refusal.output and not (tmp_path / "out").exists()
    assert not launched({"endpoint": "http://localhost", "budget": False, "precision": None})


@pytest.mark.slow
def test_two_and_three_processes_leave_the_run_of_one(llama_folder, tmp_path):
    prompts = write(tmp_path / "p.jsonl", ROWS)

    def measured(processes: int) -> tuple[dict[str, bytes], str]:
        out = tmp_path / str(processes)
        command = [sys.executable, "-m", "steady", "measure", str(prompts), "--model", str(llama_folder)]
        command += ["--max-new-tokens", "4", "--batch-tokens", "64", "--threads", "1", "--fail-if", "accuracy < 2"]
        own = {"OMP_NUM_THREADS": "1"}
        if processes > 1:
            own["STEADY_LAUNCHER"] = f"torchrun --standalone --nproc-per-node {processes}"
        done = subprocess.run(
            [*command, "--out", str(out)], cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False
        )
        assert done.returncode == 3, done.stderr  # that of --fail-if, whatever started the processes
        assert done.stderr.count("accuracy < 2") == 1 and "POSIX, nats a token" in done.stdout
        return contents(out), done.stdout

    alone = measured(1)
    assert {"matrices.safetensors", "predictions.jsonl"} <= set(alone[0])
    for number in (2, 3):
        files, table = measured(number)
        assert files == alone[0] and table == alone[1].replace("/1", f"/{number}")
