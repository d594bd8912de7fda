"""The training prompts as a map-style dataset of torch, tokenised when a row is read."""

from typing import Any

from steady.labels import LabelTask
from steady.prompts.schedule import TrainingPrompts

ModelInput = dict[str, Any]  # `input_ids`, `attention_mask`: lists of a row's tokens; `labels`: its target


class ScheduledRows:
    """A map-style dataset of `{input_ids, attention_mask, labels}`; `epoch` (from 0) selects each row's wording, and `labels` is
    what the loss wants of the right answer (`LabelTask.target`).

    Nothing is cached, so the wording of another epoch cannot be returned.
    """

    def __init__(self, prompts: TrainingPrompts, tokenizer: Any, task: LabelTask, max_length: int) -> None:
        self.prompts = prompts
        self.tokenizer = tokenizer
        self.task = task
        self.max_length = max_length
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, index: int) -> ModelInput:
        encoded = self.tokenizer(self.prompts.prompt(index, self.epoch), truncation=True, max_length=self.max_length)
        return {**encoded, "labels": self.task.target(self.prompts.examples[index].output)}
