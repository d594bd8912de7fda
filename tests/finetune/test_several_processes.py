"""One fine-tuning in several processes: the batch of `params.yaml`, one writer, and the bytes of a run that nobody stopped."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

import rank_training
from generative_fixture import examples, material, model_folder, view
from safetensors.torch import load_file

from steady.errors import SteadyError
from steady.finetune.checkpoints.trainer import SHARE, SharedBatches
from steady.finetune.preflight import check_settings
from steady.finetune.run import TrainingRun
from steady.launchers import World
from steady.models import ranks

LAUNCH = """
import sys
import click
from steady.errors import reported
from steady.launchers import launch
@click.command()
def main():
    with reported():
        launch(sys.argv[1].split(), "rank_training", sys.argv[2:])
main(args=[])
"""
TORCHRUN = "torchrun --standalone --nproc-per-node 2"
ACCELERATE = "accelerate launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"


def in_processes(folder: Path, *words: str, kill: str = "", launcher: str = TORCHRUN) -> subprocess.CompletedProcess:
    """Run `rank_training` in two processes."""
    own = {"PYTHONPATH": os.pathsep.join(str(Path(__file__).parents[level]) for level in range(3))}
    own |= {"OMP_NUM_THREADS": "1", "STEADY_KILL": kill}
    command = [sys.executable, "-c", LAUNCH, launcher, str(folder), *words]
    return subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False, timeout=600)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def bases(tmp_path_factory, tiny_encoder):
    """A folder with a small base of each kind."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "base-classifier").symlink_to(tiny_encoder.id)
    for kind in ("llama", "t5"):
        (folder / f"base-{kind}").symlink_to(model_folder(folder, kind))
    return folder


@pytest.mark.slow
def test_two_processes_train_the_adapter_of_one(bases):
    done = in_processes(bases, "plain", *rank_training.KINDS)
    assert done.returncode == 0, done.stderr
    assert "process 0" in done.stdout and "process 1" not in done.stdout  # the others are silent
    for kind in rank_training.KINDS:
        one, two = rank_training.train_kind(bases, "one", kind), bases / "plain" / kind
        weights = [load_file(out / "arm/adapter_model.safetensors") for out in (one, two)]
        apart = max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])
        print(f"{kind}: max |difference of the adapter| {apart:.1e}")
        assert apart < 1e-5, (kind, apart)
        assert any(float(tensor.abs().max()) > 1e-4 for name, tensor in weights[0].items() if "lora_B" in name)
        assert sorted(files(one)) == sorted(files(two))
        assert b'"processes": 2' in (two / "arm/steady.json").read_bytes()


@pytest.mark.slow
def test_when_a_process_is_killed_all_end_with_one_message_and_the_next_run_ends_with_the_same_bytes(bases):
    whole = in_processes(bases, "whole", "llama", launcher=f"{ACCELERATE} --main_process_port 0")
    assert whole.returncode == 0, whole.stderr
    killed = in_processes(bases, "killed", "llama", kill="1")
    seconds = time.time() - float((bases / "killed/killed").read_text())
    print(f"all processes have ended {seconds:.1f} s after the kill of one")
    assert seconds < 30  # without the launcher the others would wait for a day
    assert killed.returncode == 1
    assert killed.stderr.splitlines()[-1].startswith("Error: Process 1 was killed by signal 9; the others were ended")
    assert "Traceback" not in killed.stderr
    again = in_processes(bases, "killed", "llama")
    assert again.returncode == 0 and "Going on from step 10" in again.stdout + again.stderr
    assert files(bases / "killed/llama") == files(bases / "whole/llama")


@pytest.fixture
def second_of_three(monkeypatch):
    monkeypatch.setattr(ranks, "_worlds", [World(1, 3, 1)])


def test_a_process_collates_its_share_and_says_how_large_it_is(second_of_three):
    assert SharedBatches(lambda rows: {"rows": rows})(range(7)) == {"rows": [1, 4], SHARE: 2 / 7}
    assert SharedBatches(lambda rows: {"rows": rows}, together=2)(range(8)) == {"rows": [2, 3], SHARE: 2 / 8}
    assert SharedBatches(lambda rows: {"rows": rows})(range(1)) == {SHARE: 0.0}


def test_a_batch_that_the_processes_do_not_divide_is_refused(second_of_three, tmp_path):
    run = TrainingRun("tuned", view(tmp_path, "CAUSAL_LM"), material(examples()), tmp_path)
    with pytest.raises(SteadyError, match="3 processes do not divide it"):
        check_settings(run)


def test_a_parameter_without_a_gradient_in_any_process_keeps_none(monkeypatch):
    monkeypatch.setattr(ranks, "_worlds", [World(0, 2, 0)])
    monkeypatch.setattr(ranks, "summed", lambda tensor: tensor * 2)  # two processes that have the same
    used, unused, frozen = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True), torch.ones(1)
    used.grad = torch.tensor([1.0, 2.0])
    ranks.sum_gradients([used, unused, frozen])
    assert used.grad.tolist() == [2.0, 4.0] and unused.grad is None
