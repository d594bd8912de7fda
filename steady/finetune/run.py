"""One training: an arm with its settings and its data, and where its curves and checkpoints go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.finetune.checkpoints.checkpoints import Checkpoints
from steady.finetune.params import Arm, FinetuneParams
from steady.labels import LabelTask
from steady.prompts.schedule import TrainingPrompts
from steady.records import CANONICAL, Prompt

Record = dict[str, Any]  # JSON values: what `steady.json` records of a training


@dataclass(frozen=True)
class TrainingData:
    """What an arm learns from; `validation` chooses the epoch, or the strength of a probe; `own_prompts` are only previewed."""

    prompts: TrainingPrompts
    validation: Sequence[Prompt]
    labels: tuple[str, ...]
    multi_label: bool = False
    own_prompts: Sequence[Prompt] = ()

    @property
    def task(self) -> LabelTask:
        """What an answer is."""
        return LabelTask(self.labels, self.multi_label)


@dataclass(frozen=True)
class TrainingRun:
    """The training of the arm `name`; DVCLive curves and previews go to the folder `curves`.
    `checkpoints`: where to save and to resume from; None: a run that is stopped begins anew.
    """

    name: str
    params: FinetuneParams
    data: TrainingData
    curves: Path
    checkpoints: Checkpoints | None = None

    @property
    def arm(self) -> Arm:
        """The method, wordings and objective of the arm."""
        return self.params.arms[self.name]

    @property
    def validation(self) -> list[Prompt]:
        """The validation prompts that may choose the epoch of the arm."""
        # Other wordings would tell an arm of the canonical wording which epoch is steady, which is what the arms are compared in.
        every = self.arm.wordings == "variants"
        return [prompt for prompt in self.data.validation if every or prompt.wording == CANONICAL]


def label_list(declared: Sequence[str] | None, prompts: TrainingPrompts, task: str = "SEQ_CLS") -> tuple[str, ...]:
    """The labels of the task: `data.labels`, or else those of the bank that the prompts are worded with. Without a bank they are those
    of the training examples for a classifier's head, and none for a model that generates, whose answers are then free.
    """
    if declared:
        return tuple(declared)
    if prompts.book.bank is not None:
        return prompts.book.bank.labels
    return tuple(sorted({example.output for example in prompts.examples})) if task == "SEQ_CLS" else ()
