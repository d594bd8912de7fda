"""The arms as they answer: loaded once, each refused where its training prompts are not the prompts of today."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from steady.errors import SteadyError
from steady.finetune.params import Arm
from steady.metrics.results import CLASSIFIES
from steady.models.arm import PHRASEBOOK, read_manifest
from steady.models.load import load_tokenizer
from steady.models.params import ModelParams
from steady.parameters import PartOfSection, Runtime, StageParams
from steady.prompts.bank import Bank, task_bank
from steady.prompts.params import LabelNames
from steady.prompts.phrasebook import Phrasebook, fingerprint, phrasebook, read_phrasebook
from steady.records import Prediction, Prompt
from steady.scoring.answers import OpenArm, Scoring, answer, open_arm


class BankFile(PartOfSection):
    """What answering reads of section `format`."""

    wordings: Path | None


class AnswerLength(PartOfSection):
    """What answering reads of section `evaluate`."""

    max_new_tokens: int = Field(ge=1, default=64)


class AskParams(StageParams):
    """The view of `params.yaml` of whoever asks the arms."""

    model: ModelParams
    data: LabelNames
    format: BankFile
    arms: dict[str, Arm]
    evaluate: AnswerLength = AnswerLength()
    runtime: Runtime


@dataclass(frozen=True)
class RecordedArm:
    """An arm's folder, and the wordings it was trained on."""

    folder: Path
    book: Phrasebook


class Length(NamedTuple):
    """Tokens of a prompt, and how many of them an arm reads."""

    prompt: int
    read: int


Lengths = Callable[[Sequence[str]], list[Length]]
# of a bank, beside its templates: each of them is part of some prompt
FIELDS = ("task", "labels", "canonical", "instruction", "input_name", "answer_name", "several", "composition")
CLASSIFIED_AT_ONCE = 64  # prompts
GENERATED_AT_ONCE = 16  # prompts of the longest length whose keys and values are held


@dataclass(frozen=True)
class ReadyArm:
    """An arm that answers prompts of at most `max_length` tokens; `labels` are empty where its answers are open."""

    name: str
    labels: tuple[str, ...]
    max_length: int
    predict: Callable[[Sequence[str]], list[Prediction]]
    lengths: Lengths
    multi_label: bool = False


def current_bank(params: AskParams, arm: Path) -> Bank | None:
    """The bank of wordings as it is in the repository today; errors as `read_bank` has them.

    Where `data.labels` is null the labels are those that the arm in the folder `arm` was trained on.
    """
    labels = params.data.labels
    if labels is None and params.format.wordings is not None:
        labels = tuple(read_manifest(arm).labels)
    return task_bank(params.format.wordings, labels, multi_label=params.data.multi_label)


def read_arm(folder: Path, bank: Bank | None) -> RecordedArm:
    """Read the manifest and the phrasebook of an arm, whose name is that of its folder.

    SteadyError where it is missing, its phrasebook is not the one it was trained with, or `bank` would word its training prompts
    otherwise; the message names the templates that changed.
    """
    name, manifest = folder.name, read_manifest(folder)
    # its probabilities are fitted on all prompts of a run
    if manifest.adjusted:
        raise SteadyError(
            f"{folder}: arm {name!r} answers from many prompts together (arms.{name}.scoring: calibrated or averaged_wordings), so "
            "it cannot be asked one at a time. Ask the others with --arm NAME."
        )
    book = read_phrasebook(folder / PHRASEBOOK)
    # rendered by the code of today, so a change of the code is noticed as well as one of the file
    if fingerprint(book) != manifest.prompts_sha256:
        raise SteadyError(
            f"{folder / PHRASEBOOK}: the prompts it gives are not those that arm {name!r} was trained on (fingerprint "
            f"{fingerprint(book)[:12]}, recorded {manifest.prompts_sha256[:12] or 'none'}): the file or the code that "
            "renders prompts has changed. Run `dvc checkout` to get the file back, or `dvc repro` to train again."
        )
    today = phrasebook(list(book.wordings.values()), bank)
    if fingerprint(today) != manifest.prompts_sha256:
        raise SteadyError(
            f"{folder}: arm {name!r} was trained on other prompts than the bank of wordings has today: "
            f"{_what_changed(book.bank, today.bank)}. Put the wordings back, or run `dvc repro` to train again."
        )
    return RecordedArm(folder, book)


def _what_changed(trained: Bank | None, today: Bank | None) -> str:
    if trained is None or today is None:
        return "one of them has no bank"
    old, new = trained.templates, today.templates
    changed = [f"template {name!r}" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    changed += [f"`{key}`" for key in FIELDS if getattr(trained, key) != getattr(today, key)]
    return f"{', '.join(changed)} changed"


def load_arms(recorded: Sequence[RecordedArm], params: AskParams) -> list[ReadyArm]:
    """Load the weights; SteadyError where an arm is damaged, was made from another base, or two arms have other labels."""
    ready = [_load_arm(arm, params) for arm in recorded]
    for other in ready:
        if other.labels != ready[0].labels:
            raise SteadyError(
                f"arm {other.name!r} has the labels {', '.join(other.labels)}, {ready[0].name!r} has "
                f"{', '.join(ready[0].labels)}: they answer different questions. Run `dvc repro`."
            )
    return ready


def _load_arm(arm: RecordedArm, params: AskParams) -> ReadyArm:
    """An arm that answers by the very function that the stages call, so that a served answer is the offline one."""
    at_once = CLASSIFIED_AT_ONCE if params.model.task == CLASSIFIES else GENERATED_AT_ONCE
    # a bar for each request would fill the terminal
    quiet = params.runtime.model_copy(update={"progress": False})
    opened = open_arm(arm.folder, Scoring(params.model, at_once, params.evaluate.max_new_tokens, quiet))
    task, limit = opened.manifest.label_task, opened.manifest.max_length

    def predict(prompts: Sequence[str]) -> list[Prediction]:
        return answer(opened, as_records(prompts)).predictions

    return ReadyArm(arm.folder.name, task.labels, limit, predict, _lengths(opened), task.multi_label)


def _lengths(arm: OpenArm) -> Lengths:
    """What measures prompts for an arm."""

    def length(ids: Sequence[int], limit: int | None) -> Length:
        return Length(len(ids), len(ids) if limit is None else min(len(ids), limit))

    # With a tokenizer of its own: the one that scores is in use on another thread, and may be set to cut meanwhile.
    if arm.scorer is None:
        tokenizer = load_tokenizer(arm.settings.model)
        return lambda prompts: [length(ids, arm.manifest.max_length) for ids in tokenizer(list(prompts))["input_ids"]]
    from steady.inference.language import whole_prompt

    loaded = arm.scorer.language
    language = replace(loaded, tokenizer=copy.deepcopy(loaded.tokenizer))
    return lambda prompts: [length(whole_prompt(language, prompt), language.max_length) for prompt in prompts]


def as_records(prompts: Sequence[str]) -> list[Prompt]:
    """Prompts that belong to no data set; their ids are their places."""
    return [
        Prompt(id=str(place), group_id="", example_id="", wording="", prompt=prompt, completion="")
        for place, prompt in enumerate(prompts)
    ]
