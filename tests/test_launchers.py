"""A process believes the launcher that it was asked to use, and no other."""

import subprocess
import sys
from pathlib import Path

import pytest

from steady.errors import SteadyError
from steady.launchers import World, claim_world, launcher_of, relay

ROOT = Path(__file__).resolve().parent.parent
OURS = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(
    "given, name",
    [
        ({"SLURM_NTASKS": "4", "SLURM_STEP_ID": "0", "SLURM_PROCID": "0"}, "srun"),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}, "srun"),
        ({"PMI_SIZE": "4", "PMI_RANK": "2"}, "an MPI launcher"),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}, "mpirun"),
        (OURS, "torchrun"),
    ],
    ids=["srun", "srun, last task", "MPI", "Open MPI", "torchrun around a stage"],
)
def test_one_of_several_processes_of_another_launcher_is_refused(given, name):
    with pytest.raises(SteadyError, match=name) as refusal:
        claim_world(dict(given))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_a_number_of_processes_without_a_rank_is_removed_with_one_line(name, capsys):
    environment = {name: "4", "MASTER_ADDR": "elsewhere", "PATH": "here"}
    assert claim_world(environment) == World()
    assert environment == {"PATH": "here"}
    assert capsys.readouterr().err.count("\n") == 1


def test_the_batch_shell_of_a_job_with_several_tasks_is_one_process(capsys):
    # `sbatch -n 4` sets these in the batch shell, of which there is one.
    assert claim_world({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}) == World()
    assert capsys.readouterr().err == ""


def test_what_our_launcher_says_counts():
    assert claim_world(OURS | {"STEADY_LAUNCHED": "1", "SLURM_STEP_NUM_TASKS": "4"}) == World(1, 2, 1)


def test_a_launcher_without_a_rendezvous_is_refused():
    with pytest.raises(SteadyError, match="without RANK, WORLD_SIZE"):
        claim_world({"STEADY_LAUNCHED": "1", "SLURM_PROCID": "1"})
    with pytest.raises(SteadyError, match="neither `torchrun"):
        launcher_of({"STEADY_LAUNCHER": "srun -n 4"})
    assert launcher_of({"STEADY_LAUNCHER": "torchrun --nproc-per-node 2"}) == ["torchrun", "--nproc-per-node", "2"]


def test_a_stage_in_a_wrong_environment_ends_at_once_with_one_line_and_writes_nothing(tmp_path):
    command = [sys.executable, "-m", "stages.prepare", "--params", str(ROOT / "params.yaml")]
    for name in ("train", "validation", "test", "rejected", "metrics"):
        command += [f"--{name}", str(tmp_path / "out" / name)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PMI_SIZE": "4", "PMI_RANK": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_message_of_several_processes_is_passed_on_once_and_a_report_is_held_back(capsys):
    fault = "E1130 9:00 7 site-packages/torch/distributed/elastic/api.py:9] failed (exitcode: 1) local_rank: 1\n"
    lines = ["step 1\n", "step 1\n", "Error: no label\n", "Error: no label\n", fault, "Traceback\n"]
    assert relay(iter(lines)) == (True, fault + "Traceback\n")
    assert capsys.readouterr().err == "step 1\nstep 1\nError: no label\n"
