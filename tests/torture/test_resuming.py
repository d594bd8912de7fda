"""A run of 40 steps goes on from each of its checkpoints to the same bytes, and no restored part of a checkpoint can be left out."""

import hashlib
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from transformers import Trainer

sys.path.insert(0, str(Path(__file__).parents[1] / "finetune"))

from generative_fixture import TASKS, examples, material, model_folder, train_arm, view

from steady.finetune.callbacks import EpochWordings
from steady.finetune.checkpoints.checkpoints import MANIFEST, Checkpoints
from steady.finetune.checkpoints.trainer import Resumable
from steady.finetune.params import FinetuneParams
from steady.finetune.run import TrainingData

STEPS = 40
PREFERENCES = ("dpo", "grpo")
FAMILIES = {"bert": "classifier", "llama": "causal", "t5": "seq2seq"}
KINDS = [(family, objective) for objective in ("sft", "consistency") for family in FAMILIES]
# `by_wording` is `sft` in batches of one wording; `consistency` has batches of groups
KINDS += [("llama", "dpo"), ("llama", "grpo"), ("llama", "by_wording")]
Given = tuple[FinetuneParams, TrainingData]
Figure = Callable[[str, object], None]


@dataclass(frozen=True)
class Whole:
    """A run that nobody stopped: what it was given, the digest of what it wrote, and its checkpoints as they were at each save."""

    given: Given
    digest: str
    states: Sequence[Path]


def settings(root: Path, family: str, objective: str, encoder: Path) -> Given:
    """An arm with dropout and accumulation, saved at each of its 40 steps; three steps are an epoch, or with a preference all are."""
    arm: dict[str, Any] = {"objective": objective}
    train = {"max_steps": STEPS, "num_train_epochs": 14, "eval_steps": 1, "early_stopping_patience": STEPS}
    train |= {"base_dropout": 0.1, "learning_rate": 1e-3}
    if objective == "consistency":
        arm |= {"sampler": "grouped", "settings": {"consistency.start": 0.1, "train.per_device_train_batch_size": 4}}
    if objective == "by_wording":
        arm = {"objective": "sft", "sampler": "by_wording"}
    if objective in PREFERENCES:
        train |= {"max_steps": 2}
    sections: dict[str, Any] = {
        "arm": arm,
        "train": train,
        "dpo": {"num_train_epochs": 20, "per_device_train_batch_size": 3, "pairs": "data", "max_length": 90},
        "grpo": {
            "max_steps": STEPS,
            "per_device_train_batch_size": 4,
            "num_generations": 2,
            "max_completion_length": 6,
        },
    }
    data = material([msgspec.structs.replace(row, rejected="neither of them") for row in examples()])
    data = replace(data, validation=data.validation[:4])
    if family == "bert":
        return view(encoder, "SEQ_CLS", model={"pooling": "mean"}, **sections), data
    sections["sft"] = {"preview_steps": 20, "generate_rows": 0}
    return view(model_folder(root, family), TASKS[family], **sections), data


def digest_of(folder: Path) -> str:
    """One SHA-256 of the arm and its curves."""
    digest = hashlib.sha256()
    for path in sorted(path for part in ("arm", "curves") for path in (folder / part).rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def whole(tiny_encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Whole]:
    """The uninterrupted run of a family and an objective, made when it is first asked for."""
    made: dict[tuple[str, str], Whole] = {}
    bases = tmp_path_factory.mktemp("bases")

    def find(family: str, objective: str) -> Whole:
        if (family, objective) not in made:
            place = tmp_path_factory.mktemp(f"{family}-{objective}")
            made[family, objective] = run_whole(place, settings(bases, family, objective, Path(tiny_encoder.id)))
        return made[family, objective]

    return find


def run_whole(place: Path, given: Given) -> Whole:
    """Train, and copy the checkpoints at each save, as a killed process would leave them."""
    keep, states = Checkpoints.keep, []

    def keeping(self: Checkpoints, best: int | None) -> None:
        keep(self, best)
        if given[0].arms["tuned"].objective not in PREFERENCES or self.folder.name == "preference":
            states.append(place / f"states/{len(states)}")
            shutil.copytree(place / "checkpoints", states[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "keep", keeping)
        patch.setattr("steady.finetune.preference.trainers.SAVES", STEPS)
        train_arm(place, *given, place / "checkpoints")
    assert len(states) == STEPS
    return Whole(given, digest_of(place), states)


def resume(run: Whole, state: Path, place: Path, damage: Callable[[Path], None] | None = None) -> str:
    """The digest of the run that goes on from a saved state."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(state, place / "checkpoints")
    if damage:
        damage(place / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steady.finetune.preference.trainers.SAVES", STEPS)
        train_arm(place, *run.given, place / "checkpoints")
    return digest_of(place)


def check_resumes(run: Whole, steps: Sequence[int], place: Path, log: pytest.LogCaptureFixture) -> int:
    """How many of the steps it goes on from to the same bytes."""
    same = 0
    for step in steps:
        log.clear()
        same += resume(run, run.states[step - 1], place) == run.digest
        assert f"Going on from step {step} " in log.text
    return same


def test_it_goes_on_from_some_steps_to_the_same_bytes(whole, tmp_path, caplog):
    assert check_resumes(whole("bert", "sft"), (8, 33), tmp_path, caplog) == 2


@pytest.mark.torture
@pytest.mark.parametrize(("family", "objective"), KINDS)
def test_it_goes_on_from_every_step_to_the_same_bytes(family, objective, whole, tmp_path, caplog, figure):
    same = check_resumes(whole(family, objective), range(1, STEPS + 1), tmp_path, caplog)
    figure(f"resumed to the same SHA-256, {FAMILIES[family]}, {objective}", f"{same}/{STEPS}")
    assert same == STEPS


@contextmanager
def not_restored(part: str, family: str) -> Iterator[None]:
    """The code without the line that restores a part of a checkpoint."""
    run_epoch, load = Resumable._run_epoch, torch.load

    def from_the_first_batch(self: Any, **kwargs: Any) -> None:
        run_epoch(self, **kwargs | {"steps_trained_in_current_epoch": 0})

    def without_seed(*args: Any, **kwargs: Any) -> Any:
        found = load(*args, **kwargs)
        if isinstance(found, dict) and "epoch_generator" in found:
            found["epoch_generator"] = torch.get_rng_state()
        return found

    with pytest.MonkeyPatch.context() as patch:
        match part, family:
            case "random state", _:
                patch.setattr(Trainer, "_load_rng_state", lambda *_: None)
            case "optimizer", _:
                patch.setattr(Trainer, "_load_optimizer_and_scheduler", lambda *_: None)
            case "batch position", _:
                patch.setattr(Resumable, "_run_epoch", from_the_first_batch)
            case "epoch seed", "bert":  # a generator; the order of the others follows from the number of the epoch
                patch.setattr(torch, "load", without_seed)
            case "epoch seed", _:
                patch.setattr(EpochWordings, "on_epoch_begin", lambda *_, **__: None)
        yield


MUTANTS = ("random state", "optimizer", "batch position", "epoch seed")
TRIED = 8  # resumes of a mutant


def caught(run: Whole, part: str, family: str, steps: Sequence[int], place: Path) -> int:
    """How many resumes end with other bytes where a part is not restored."""
    with not_restored(part, family):
        return sum(resume(run, run.states[step - 1], place) != run.digest for step in steps)


@pytest.mark.parametrize("part", MUTANTS)
def test_what_is_not_restored_is_seen(part, whole, tmp_path):
    assert caught(whole("bert", "sft"), part, "bert", (8,), tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("part", MUTANTS)
def test_what_is_not_restored_is_seen_in_every_family(part, family, whole, tmp_path, figure):
    steps = random.Random(part).sample(range(1, STEPS), TRIED)
    found = caught(whole(family, "sft"), part, family, steps, tmp_path)
    figure(f"{part} not restored, {FAMILIES[family]}", f"seen in {found} of {TRIED} resumes")
    assert found


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda data: None,
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
}


def damages(state: Path) -> list[tuple[str, str]]:
    """Every file of the last checkpoint, damaged in every way; the manifest too."""
    return [(path.name, how) for path in sorted(last_checkpoint(state).iterdir()) for how in DAMAGES]


def last_checkpoint(root: Path) -> Path:
    """The checkpoint that a resume would use, if it were whole."""
    return max(root.glob("*/checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))


def apply(root: Path, name: str, how: str) -> None:
    path = last_checkpoint(root) / name
    if (data := DAMAGES[how](path.read_bytes())) is None:
        path.unlink()
    else:
        path.write_bytes(data)


def silent(run: Whole, tried: Sequence[tuple[str, str]], place: Path, log: pytest.LogCaptureFixture) -> list[str]:
    """The damages that were not named, or after which the run ended with other bytes."""
    faults, state = [], run.states[30]
    for name, how in tried:
        log.clear()
        found = resume(run, state, place, lambda root, name=name, how=how: apply(root, name, how))  # type: ignore[misc]
        # a digest in the manifest that was changed is one file's that does not agree with the manifest
        shown = "manifest" if name == MANIFEST else re.escape(name)
        named = re.search(f"{last_checkpoint(state).name}: .*{shown}", log.text)
        if not named or found != run.digest:
            faults.append(f"{name} {how}")
    return faults


def test_a_damaged_checkpoint_is_named_and_the_run_ends_with_the_same_bytes(whole, tmp_path, caplog):
    run = whole("bert", "sft")
    assert silent(run, [("optimizer.pt", "flipped"), (MANIFEST, "cut")], tmp_path, caplog) == []


@pytest.mark.torture
def test_no_damage_of_a_checkpoint_is_silent(whole, tmp_path, caplog, figure):
    run = whole("llama", "sft")
    tried = damages(run.states[30])
    faults = silent(run, tried, tmp_path, caplog)
    figure("damaged checkpoints", f"{len(tried)} tried, {len(faults)} silent; a traceback would have ended this test")
    assert len(tried) >= 30 and faults == []


CHANGES: list[dict[str, dict[str, Any]]] = [
    {"train": {"learning_rate": 2e-3}},
    {"train": {"weight_decay": 0.2}},
    {"train": {"max_grad_norm": 0.5}},
    {"train": {"warmup_steps": 3}},
    {"train": {"lr_scheduler_type": "constant"}},
    {"train": {"base_dropout": 0.2}},
    {"train": {"gradient_accumulation_steps": 1}},
    {"train": {"max_steps": 39}},
    {"lora": {"r": 3}},
    {"lora": {"lora_alpha": 7}},
    {"lora": {"lora_dropout": 0.1}},
    {"format": {"max_length": 95}},
]


class Begun(BaseException):
    """The first batch is asked for."""


def begins_at(run: Whole, change: dict[str, dict[str, Any]], place: Path) -> int | None:
    """The step at which a run of another setting begins beside the checkpoints of this one."""
    seen = []
    ((section, keys),) = change.items()
    params = run.given[0]
    other = params.model_copy(update={section: getattr(params, section).model_copy(update=keys)})

    def first(self: Any, *_: Any, **__: Any) -> None:
        seen.append(self.state.global_step)
        raise Begun

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Begun):
        patch.setattr(Trainer, "training_step", first)
        resume(replace(run, given=(other, run.given[1])), run.states[20], place)
    return seen[0]


def test_a_run_of_another_setting_begins_at_the_first_step(whole, tmp_path):
    run = whole("bert", "sft")
    assert begins_at(run, CHANGES[0], tmp_path) == 0
    same = {"train": {"learning_rate": 1e-3}}
    assert begins_at(run, same, tmp_path) == 21, "and one of the same goes on"


@pytest.mark.torture
def test_every_change_of_one_key_begins_at_the_first_step(whole, tmp_path, figure):
    found = [begins_at(whole("llama", "sft"), change, tmp_path) for change in CHANGES]
    figure("changes of one key that begin at step 0", f"{found.count(0)}/{len(CHANGES)}")
    assert found == [0] * 12
