"""Runs of `seeds` and its like in copies of the repository: the same here and as jobs of Slurm, for which a stand-in runs them."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from steady.cluster.copies import Copies, collected, keep_or_make
from steady.cluster.plan import Folder, Plan
from steady.cluster.status import statuses
from steady.commands import seeds
from steady.errors import SteadyError
from steady.repro.workspaces import make_workspace

ROOT = Path(__file__).resolve().parents[2]
# `shared` depends on no seed, and appends a line to a file outside of the copies whenever it runs.
STAGES = """stages:
  shared:
    cmd: echo ran >> {runs} && cp params.yaml shared.yaml && sed -i /^seed/d shared.yaml
    deps: [.gitignore]
    outs: [shared.yaml]
  trained:
    cmd: grep ^seed params.yaml > trained.txt
    deps: [shared.yaml]
    params: [seed]
    outs: [trained.txt]
"""
# What `sbatch` does, as far as submitit needs it: number the job, and run it once for each task, one after the other.
SBATCH = """#!/bin/bash
for file; do :; done
job=$(($(cat {state}/job) + 1)); echo $job > {state}/job
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$file")
(
  flock 9
  export SLURM_JOB_ID=$job
  if [ -z "$last" ]; then bash "$file"; else
    for task in $(seq 0 "$last"); do SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$task bash "$file"; done
  fi
) 9>{state}/lock >{state}/log 2>&1 &
echo "Submitted batch job $job"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with the parameters of this one and two stages that take no time."""
    root = tmp_path / "root"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").touch()
    shutil.copy(ROOT / "params.yaml", root)
    shutil.copytree(ROOT / "recipe", root / "recipe")
    (root / "dvc.yaml").write_text(STAGES.format(runs=tmp_path / "runs"))
    (root / ".gitignore").write_text(".cluster/\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `sbatch` that runs its jobs, and a `scontrol` that says what the file `answer` holds; the folder of both."""
    state = tmp_path / "slurm"
    state.mkdir()
    (state / "job").write_text("6\n")
    (state / "answer").touch()
    for name, text in (("sbatch", SBATCH.format(state=state)), ("scontrol", f"#!/bin/bash\ncat {state}/answer\n")):
        (state / name).write_text(text)
        (state / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{state}:/usr/bin:/bin")
    return state


@pytest.fixture
def run_seeds(project: Path, monkeypatch: pytest.MonkeyPatch):
    """Run `steady seeds` without its summary: the exit status, what it wrote, and the copies that it would have read."""
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> tuple[int, str, dict[int, Path]]:
        read: dict[int, Path] = {}
        monkeypatch.setattr(seeds, "summarize", lambda folders, out: read.update(folders))
        result = CliRunner().invoke(seeds.main, [*words, "--root", str(project)])
        return result.exit_code, result.output, read

    return run


def ended(project: Path) -> bool:
    folder = Folder(project, "seeds-smoke")
    return all(folder.attempt(number).code is not None for number in range(2))


def test_seeds_run_as_jobs_are_collected_and_are_those_of_this_machine(project, slurm, run_seeds, tmp_path):
    words = ("3", "5", "--recipe", "smoke")
    code, text, read = run_seeds(*words, "--cluster", "slurm", "--gpus", "0")
    assert code == 0 and "once before them: shared\n" in text and "submitted seeds-smoke: job 8" in text
    assert "When all runs are done: steady seeds 3 5 --recipe smoke --collect" in text and read == {}
    until = time.monotonic() + 300
    while not ended(project):
        assert time.monotonic() < until, (slurm / "log").read_text()
        time.sleep(0.2)
    code, text, read = run_seeds(*words, "--collect")
    assert code == 0 and list(read) == [3, 5], text
    assert [(folder / "trained.txt").read_text() for folder in read.values()] == ["seed: 3\n", "seed: 5\n"]
    assert (tmp_path / "runs").read_text() == "ran\n"
    locks = [(folder / "dvc.lock").read_bytes() for folder in read.values()]
    # Made anew, and without what DVC has in its cache: nothing of the jobs is taken over.
    shutil.rmtree(project / ".cluster")
    shutil.rmtree(project / ".dvc/cache")
    code, text, read = run_seeds(*words)
    assert code == 0 and "seeds-smoke-1: done" in text
    assert [(folder / "dvc.lock").read_bytes() for folder in read.values()] == locks


def test_a_dry_run_shows_the_runs_and_leaves_nothing(project, run_seeds):
    code, text, _ = run_seeds("0", "1", "--dry-run", "--cluster", "slurm", "--time", "2:00:00")
    assert code == 0 and "   1  seed=1\n" in text and "at most 4 h and 4 GPU-hours" in text
    assert not (project / ".cluster").exists()


def copies_of(project: Path, values: list[int]) -> Copies:
    points = [[f"seed={value}"] for value in values]
    return Copies("seeds-smoke", "steady seeds", points, lambda n, folder: make_workspace(project, folder, {"seed": n}))


def test_a_copy_is_made_anew_only_where_a_file_or_a_value_is_another(project):
    folder = Folder(project, "seeds-smoke")
    assert keep_or_make(folder, 0, copies_of(project, [0]), "files")
    (folder.work(0) / "checkpoint").touch()
    assert not keep_or_make(folder, 0, copies_of(project, [0, 1]), "files")
    assert (folder.work(0) / "checkpoint").exists()
    assert keep_or_make(folder, 0, copies_of(project, [0]), "other files")
    assert not (folder.work(0) / "checkpoint").exists()
    assert keep_or_make(folder, 0, copies_of(project, [1]), "other files")


def test_runs_that_are_not_done_or_were_others_are_not_summarized_and_live_ones_not_begun_again(
    project, slurm, run_seeds
):
    copies, folder, told = copies_of(project, [0, 1]), Folder(project, "seeds-smoke"), []
    fixed = {"name": "seeds-smoke", "cache": "k", "cluster": "slurm", "command": copies.command, "jobs": ["7_0", "7_1"]}
    folder.write_plan(Plan(points=copies.points, inputs=copies.digest(), **fixed))
    attempt = folder.begin(0)
    attempt.code = 0
    folder.write_attempt(0, attempt)
    (slurm / "answer").write_text("JobId=8 ArrayJobId=7 ArrayTaskId=1 JobState=RUNNING Reason=None\n")
    with pytest.raises(SteadyError, match="1 of 2 runs are not done"):
        collected(project, copies, told.append)
    assert told[-1] == "seeds-smoke: 2 experiments: 1 done, 1 running"
    with pytest.raises(SteadyError, match="with other values"):
        collected(project, copies_of(project, [0, 2]), told.append)
    code, text, _ = run_seeds("0", "1", "--recipe", "smoke", "--cluster", "slurm")
    assert code == 1 and "1 of 2 runs are still waiting or running" in text
    assert [one.state for one in statuses(folder, folder.plan())] == ["done", "running"]
