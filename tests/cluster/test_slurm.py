"""A grid on a real Slurm of two nodes, with a task that is requeued, one that is cancelled and one that fails."""

import os
import subprocess
import sys

import pytest

# Twelve runs of the pipeline, and packages of the system: for those who ask for it.
pytestmark = pytest.mark.skipif(
    not os.environ.get("STEADY_SLURM"), reason="set STEADY_SLURM=1 to run grids on a Slurm of this machine"
)

GRID = (
    "-S",
    "lora.target_modules=[query],[key],[value],[dense],[query,value],nothing",
    *("-S", "train.num_train_epochs=20", "-S", "train.early_stopping_patience=99"),
    *(
        "-S",
        "model.num_threads=1",
        "-S",
        "runtime.progress=false",
        "--recipe",
        "smoke",
        "--at-once",
        "4",
        "--name",
        "grid",
    ),
)
REQUEUED, WARNED, CANCELLED = 0, 1, 4


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def refs(folder):
    names = git(folder, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return [name for name in names if "/grid-" in name]


def results(folder):
    """The hashes of all that the experiments wrote, by the name of the experiment."""
    return {name.rpartition("/")[2]: git(folder, "show", f"{name}:dvc.lock") for name in refs(folder)}


@pytest.fixture(scope="module")
def local(make_project, steady, warm):
    """The project of a grid that has run on this machine, and what the command wrote."""
    folder = make_project("local")
    return folder, steady(folder, "cluster", *GRID, "--cluster", "local", python="python")


@pytest.fixture(scope="module")
def project(slurm, make_project):
    """A project whose grids run on Slurm."""
    return make_project("slurm")


def submit(steady, folder, *words):
    """Submit a grid; its job number."""
    code, text = steady(folder, "cluster", *words, "--gpus", "0", "--cpus", "1", "--time", "30")
    assert code == 0, text
    return text.partition(": job ")[2].partition(".")[0]


def end_of_all():
    return not subprocess.check_output(["squeue", "--noheader"])


@pytest.mark.slow
def test_a_grid_on_this_machine_leaves_experiments_and_says_which_one_failed(local, steady):
    folder, (code, text) = local
    assert code == 1 and "once before them: prepare, format\n" in text
    assert "grid-5: failed: Error: lora.target_modules: 'nothing' matches no module" in text
    assert sorted(results(folder)) == [f"grid-{number}" for number in range(5)]
    (pushed,) = [name for name in refs(folder) if name.endswith("/grid-0")]
    git(folder, "update-ref", "-d", pushed)  # as if its task could not push it
    code, table = steady(folder, "cluster", "collect")
    assert code == 0 and "5 of 6 experiments are here" in table and pushed in refs(folder)
    assert git(folder, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_grid_on_slurm_ends_as_on_this_machine_whatever_becomes_of_single_tasks(project, local, steady, wait):
    job = submit(steady, project, *GRID)
    subprocess.run(["scancel", f"{job}_{CANCELLED}"], check=True)
    # The second is what Slurm sends 90 s before the time limit.
    for number, command in ((REQUEUED, ["scontrol", "requeue"]), (WARNED, ["scancel", "--batch", "--signal=USR2"])):
        work = project / ".cluster/grid/work" / f"{number:04d}"
        wait(lambda work=work: list(work.glob(".checkpoints/*/checkpoint-*")), 600, "a checkpoint")
        subprocess.run([*command, f"{job}_{number}"], check=True)
    wait(end_of_all, 1200, "the end of all tasks")
    _, table = steady(project, "cluster", "status")
    states = {line.split()[0]: line for line in table.splitlines() if line[:4].strip().isdigit()}
    assert all("done" in states[str(number)] and "attempt 2" in states[str(number)] for number in (REQUEUED, WARNED))
    assert "cancelled" in states["4"] and "failed" in states["5"]
    assert table.splitlines()[-1] == "grid: 6 experiments: 4 done, 1 cancelled, 1 failed"
    for number in (REQUEUED, WARNED):
        assert "Going on from step" in steady(project, "cluster", "logs", str(number))[1]
    assert "'nothing' matches no module" in steady(project, "cluster", "logs", "5")[1]
    code, table = steady(project, "cluster", "collect")
    assert code == 0 and "4 of 6 experiments are here" in table
    expected = {name: lock for name, lock in results(local[0]).items() if name != f"grid-{CANCELLED}"}
    assert results(project) == expected and len(expected) == 4


@pytest.mark.slow
def test_one_fine_tuning_runs_on_two_nodes(project, steady, wait, free_ports, monkeypatch):
    rendezvous = f"--rdzv-id 1 --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:{free_ports(1)[0]}"
    srun = "srun -N2 -n2 --cpus-per-task=1 --kill-on-bad-exit=1"
    monkeypatch.setenv("STEADY_LAUNCHER", f"{srun} torchrun --nnodes 2 --nproc-per-node 1 {rendezvous}")
    submit(steady, project, *GRID[4:-1], "two", "--nodes", "2")
    wait(end_of_all, 600, "the end of the task")
    assert steady(project, "cluster", "status")[1].splitlines()[-1] == "two: 1 experiments: 1 done"
    assert '"processes": 2' in (project / ".cluster/two/work/0000/models/tuned/steady.json").read_text()


@pytest.mark.slow
def test_tasks_of_a_bare_srun_are_refused_in_a_line_each_and_write_nothing(project, tmp_path):
    stage = [sys.executable, "-m", "stages.prepare", "--params", "params.yaml"]
    for name in ("train", "validation", "test", "rejected", "metrics"):
        stage += [f"--{name}", str(tmp_path / name)]
    done = subprocess.run(["srun", "-n4", *stage], cwd=project, capture_output=True, text=True, check=False)
    refusals = [line for line in done.stderr.splitlines() if line.startswith("Error: This is process")]
    assert done.returncode == 1 and len(refusals) == 4 and all("of 4 that srun started" in line for line in refusals)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_seeds_run_as_jobs_after_the_stages_that_they_share(project, steady, wait):
    words = ("--recipe", "smoke", "--cluster", "slurm", "--gpus", "0", "--cpus", "1", "--time", "30", "--at-once", "2")
    code, text = steady(project, "seeds", "0", "1", *words)
    assert code == 0 and "once before them: prepare, format\n" in text, text
    wait(end_of_all, 600, "the end of both seeds")
    _, table = steady(project, "cluster", "status", "--name", "seeds-smoke")
    assert table.splitlines()[-1] == "seeds-smoke: 2 experiments: 2 done"
    manifests = [project / f".cluster/seeds-smoke/work/{n:04d}/models/tuned/steady.json" for n in (0, 1)]
    assert [f'"seed": {seed}' in path.read_text() for seed, path in enumerate(manifests)] == [True, True]
