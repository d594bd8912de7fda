"""A training that is stopped goes on from its last good checkpoint on the same machine and ends with the same bytes."""

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from transformers import Trainer

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import TASKS, examples, material, model_folder, train_arm, view

from steady.finetune.checkpoints.checkpoints import MANIFEST, Checkpoints
from steady.finetune.params import FinetuneParams
from steady.finetune.run import TrainingData, TrainingRun
from steady.models.params import ModelParams

STEPS = 9  # 12 rows, 2 a batch, 2 accumulated, 3 epochs
FAMILIES = ("llama", "t5", "bert")


class Stopped(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module", autouse=True)
def code_as_it_is() -> Iterator[None]:
    """Code that is edited while these tests run would be another training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steady.finetune.finetune.code_digest", lambda package: "the code")
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def settings(
    root: Path, family: str, encoder: ModelParams, **sections: dict[str, Any]
) -> tuple[FinetuneParams, TrainingData]:
    """An arm with dropout and accumulation, that evaluates and saves in the middle of epochs."""
    train = {"eval_steps": 2, "base_dropout": 0.1} | sections.pop("train", {})
    if family == "bert":
        model = {"task": "SEQ_CLS", "pooling": "mean"}
        return view(Path(encoder.id), "SEQ_CLS", model=model, train=train, **sections), material(examples())
    sft = {"preview_steps": 4, "generate_rows": 3}
    return view(model_folder(root, family), TASKS[family], train=train, sft=sft, **sections), material(examples())


def stop_at(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """The process ends in the batch of this number."""
    step, seen = Trainer.training_step, iter(range(10**6))

    def stopping(self: Any, *args: Any, **kwargs: Any) -> Any:
        if next(seen) == batch:
            raise Stopped
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", stopping)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(root: Path, tiny_encoder: ModelParams, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The files of each family's uninterrupted run."""
    found = {}
    for family in FAMILIES:
        folder = tmp_path_factory.mktemp(family)
        train_arm(folder, *settings(root, family, tiny_encoder), folder / "checkpoints")
        assert not list((folder / "checkpoints").iterdir()), "checkpoints go when the arm is written"
        found[family] = digests(folder)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_stopped_twice_at_random_it_ends_with_the_same_bytes(
    family, whole, root, tiny_encoder, tmp_path, monkeypatch, caplog
):
    given = settings(root, family, tiny_encoder)
    batches = random.Random(family).sample(range(5, 2 * STEPS - 4), 2)
    for batch in batches:
        with monkeypatch.context() as patch:
            stop_at(patch, batch)
            try:
                train_arm(tmp_path, *given, tmp_path / "checkpoints")
            except Stopped:
                continue
            break
    train_arm(tmp_path, *given, tmp_path / "checkpoints")
    assert "Going on from step" in caplog.text
    assert digests(tmp_path) == whole[family]


def damage(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("optimizer.pt", "gone"),
        ("scheduler.pt", "gone"),
        ("rng_state.pth", "gone"),
        ("position.pt", "flipped"),
        ("adapter_model.safetensors", "flipped"),
        ("trainer_state.json", "flipped"),
        (MANIFEST, "gone"),
        (MANIFEST, "flipped"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(name, how, tmp_path):
    kept = Checkpoints(tmp_path)
    for step in (2, 4):
        with kept.writing(step) as folder:
            for file in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "position.pt", "adapter_model.safetensors"):
                (folder / file).write_bytes(bytes(100))
            (folder / "trainer_state.json").write_text(json.dumps({"best_global_step": 2, "padding": " " * 50}))
    assert kept.last_good() == (4, [])
    damage(tmp_path / "checkpoint-4" / name, how)
    step, faults = kept.last_good()
    assert step == 2 and len(faults) == 1
    assert faults[0].startswith("checkpoint-4: ") and (name in faults[0] or name == MANIFEST)
    damage(tmp_path / "checkpoint-2" / name, how)
    assert kept.last_good()[0] is None


def test_a_checkpoint_whose_best_is_damaged_is_not_used(tmp_path):
    kept = Checkpoints(tmp_path)
    for step in (2, 4, 6):
        with kept.writing(step) as folder:
            (folder / "weights").write_bytes(bytes(10))
            (folder / "trainer_state.json").write_text(json.dumps({"best_global_step": min(step, 4)}))
    damage(tmp_path / "checkpoint-4" / "weights", "flipped")
    step, faults = kept.last_good()
    assert step == 2
    assert "checkpoint-6: the best so far is checkpoint-4, and there weights is damaged" in faults[0]


def test_half_a_checkpoint_is_none_and_is_swept_away(tmp_path):
    kept = Checkpoints(tmp_path / "run")
    with pytest.raises(Stopped), kept.writing(3) as folder:
        (folder / "weights").write_bytes(b"x")
        raise Stopped
    assert kept.steps() == [] and len(list(kept.folder.iterdir())) == 1
    with kept.held():
        assert [path.name for path in kept.folder.iterdir()] == ["lock"]


def test_the_last_two_and_the_best_are_kept(tmp_path):
    kept = Checkpoints(tmp_path)
    for step in range(1, 8):
        with kept.writing(step) as folder:
            (folder / "trainer_state.json").write_text("{}")
        kept.keep(best=2)
    assert kept.steps() == [2, 6, 7]


def test_a_folder_in_use_is_refused(tmp_path):
    from steady.errors import SteadyError

    refused = pytest.raises(SteadyError, match="another process is training the same")
    with Checkpoints(tmp_path).held(), refused, Checkpoints(tmp_path).held():
        pass


def test_another_setting_never_sees_a_checkpoint(root, tiny_encoder, tmp_path):
    from steady.finetune.finetune import training_fingerprint

    def name(params: FinetuneParams, given: TrainingData) -> str:
        return training_fingerprint(TrainingRun("tuned", params, given, tmp_path))

    params, given = settings(root, "llama", tiny_encoder)
    same = name(params, given)
    assert name(*settings(root, "llama", tiny_encoder)) == same
    other = [
        settings(root, "llama", tiny_encoder, train={"learning_rate": 0.02}),
        settings(root, "llama", tiny_encoder, lora={"r": 3}),
        settings(root, "llama", tiny_encoder, arm={"wordings": "canonical"}),
        settings(root, "t5", tiny_encoder),
        (params, material(examples(rows=11))),
        (params, material(examples(), wordings=2)),
    ]
    assert len({name(*one) for one in other} | {same}) == 7
    slow = params.model_copy(update={"runtime": params.runtime.model_copy(update={"progress": True})})
    assert name(slow, given) == same, "what cannot change results is left out"


def test_a_run_that_early_stopping_had_ended_is_not_trained_on(root, tiny_encoder, tmp_path, monkeypatch):
    """The process ends between the last save and the writing of the arm."""
    from steady.finetune import finetune as module

    steep = {"learning_rate": 0.1, "lr_scheduler_type": "constant", "early_stopping_patience": 1}
    params, learned = settings(root, "llama", tiny_encoder, train=steep)
    # The validation answers share no letter with those that are learned, so their loss rises by 0.1 between the first two
    # evaluations; processors differ by less than 0.0001 there.
    unlearned = [msgspec.structs.replace(prompt, completion="0123456789?!") for prompt in learned.validation]
    given = params, replace(learned, validation=unlearned)
    whole = train_arm(tmp_path / "whole", *given, tmp_path / "checkpoints")
    assert whole.training["stopped_early"]

    def gone(*_: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(module, "save_trained", gone)
        train_arm(tmp_path / "again", *given, tmp_path / "checkpoints")
    train_arm(tmp_path / "again", *given, tmp_path / "checkpoints")
    assert digests(tmp_path / "again") == digests(tmp_path / "whole")


KILLED = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/.."]
from pathlib import Path
import steady.finetune.finetune as module
module.code_digest = lambda package: "the code"
from generative_fixture import examples, material, train_arm, view
params = view(Path(sys.argv[2]), "CAUSAL_LM", train={"eval_steps": 1, "num_train_epochs": 8, "learning_rate": 0.001})
out = Path(sys.argv[3])
print("begins", flush=True)
train_arm(out, params, material(examples()), out / "checkpoints")
"""


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(root, tmp_path):
    """`kill -9`, also in the middle of a save: a checkpoint is saved after every step."""
    import subprocess
    import time

    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(model_folder(root, "llama"))]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    rng, resumed = random.Random(0), 0
    for _ in range(8):
        running = subprocess.Popen([*command, str(killed)], stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None and running.stdout.readline() == "begins\n"
        # a pattern of fixed depth: the run removes its unfinished folders while they are listed
        saved = killed / "checkpoints"
        deadline = time.monotonic() + 120
        before = {path.name for path in saved.glob("*/checkpoint-*")}
        while running.poll() is None and time.monotonic() < deadline:
            if {path.name for path in saved.glob("*/checkpoint-*")} - before:
                break
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.15))
        running.kill()
        running.wait()
        resumed += bool(before)
    subprocess.run([*command, str(killed)], check=True, capture_output=True)
    assert resumed >= 5
    assert digests(killed) == digests(whole)
