"""A grid on a real Slurm of two nodes, with a task that is requeued, one that is cancelled and one that fails."""

import os
import subprocess

import pytest

# Twelve runs of the pipeline, and packages of the system: for those who ask for it.
pytestmark = pytest.mark.skipif(
    not os.environ.get("STEADY_SLURM"), reason="set STEADY_SLURM=1 to run grids on a Slurm of this machine"
)

GRID = (
    "-S",
    "lora.target_modules=[query],[key],[value],[dense],[query,value],nothing",
    *("-S", "train.num_train_epochs=6", "-S", "train.early_stopping_patience=9"),
    *("-S", "model.num_threads=1", "-S", "runtime.progress=false", "--recipe", "smoke", "--name", "grid"),
)
REQUEUED, CANCELLED, FAILING = 0, 4, 5


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def results(folder):
    """The hashes of all that the experiments wrote, by the name of the experiment."""
    names = git(folder, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return {name.rpartition("/")[2]: git(folder, "show", f"{name}:dvc.lock") for name in names if "/grid-" in name}


@pytest.fixture(scope="module")
def local(make_project, steady):
    """The project of a grid that has run on this machine, and what the command wrote."""
    folder = make_project("local")
    return folder, steady(folder, "cluster", *GRID, "--cluster", "local")


@pytest.mark.slow
def test_a_grid_on_this_machine_leaves_experiments_and_says_which_one_failed(local, steady):
    folder, (code, text) = local
    assert code == 1 and "once before them: prepare, format\n" in text
    assert "grid-5: failed: Error: lora.target_modules: 'nothing' matches no module" in text
    assert sorted(results(folder)) == [f"grid-{number}" for number in range(5)]
    code, table = steady(folder, "cluster", "collect")
    assert code == 0 and "5 of 6 experiments are here" in table
    assert git(folder, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_grid_on_slurm_ends_as_on_this_machine_whatever_becomes_of_single_tasks(
    slurm, local, make_project, steady, wait
):
    folder = make_project("slurm")
    code, text = steady(folder, "cluster", *GRID, "--gpus", "0", "--cpus", "1", "--at-once", "2", "--time", "30")
    assert code == 0, text
    job = text.partition("submitted grid: job ")[2].partition(".")[0]
    subprocess.run(["scancel", f"{job}_{CANCELLED}"], check=True)
    work = folder / ".cluster/grid/work" / f"{REQUEUED:04d}"
    wait(lambda: list(work.glob(".checkpoints/*/checkpoint-*")), 300, "a checkpoint")
    subprocess.run(["scontrol", "requeue", f"{job}_{REQUEUED}"], check=True)
    wait(lambda: not subprocess.check_output(["squeue", "--noheader"]), 600, "the end of all tasks")
    _, table = steady(folder, "cluster", "status")
    states = {line.split()[0]: line for line in table.splitlines() if line[:4].strip().isdigit()}
    assert "done" in states["0"] and "attempt 2" in states["0"]
    assert "cancelled" in states["4"] and "failed" in states["5"]
    assert table.splitlines()[-1] == "grid: 6 experiments: 4 done, 1 cancelled, 1 failed"
    assert "Going on from step" in steady(folder, "cluster", "logs", "0")[1]
    assert "'nothing' matches no module" in steady(folder, "cluster", "logs", "5")[1]
    code, table = steady(folder, "cluster", "collect")
    assert code == 0 and "4 of 6 experiments are here" in table
    expected = {name: lock for name, lock in results(local[0]).items() if name != f"grid-{CANCELLED}"}
    assert results(folder) == expected and len(expected) == 4
