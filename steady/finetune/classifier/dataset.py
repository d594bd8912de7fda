"""The training prompts as a map-style dataset of torch, tokenised when a row is read."""

from typing import Any

from steady.finetune.sampling import Sampling
from steady.labels import LabelTask
from steady.prompts.schedule import TrainingPrompts

ModelInput = dict[str, Any]  # `input_ids`, `attention_mask`: lists of a row's tokens; `labels`: its target


class ScheduledRows:
    """A map-style dataset of `{input_ids, attention_mask, labels}`; `epoch` (from 0) selects which examples are shown under which
    wording, and `labels` is what the loss wants of the right answer (`LabelTask.target`).

    No text is cached, so the wording of another epoch cannot be returned.
    """

    def __init__(
        self, prompts: TrainingPrompts, tokenizer: Any, task: LabelTask, max_length: int, sampling: Sampling
    ) -> None:
        self.prompts = prompts
        self.tokenizer = tokenizer
        self.task = task
        self.max_length = max_length
        self.sampler = sampling.over(prompts, range(len(prompts)))
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose rows are shown."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._shown = self.sampler.shown(epoch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __getitem__(self, index: int) -> ModelInput:
        place, wording = self._shown[index]
        return self.encoded(self.prompts.worded(place, wording), self.prompts.examples[place].output)

    def encoded(self, prompt: str, answer: str) -> ModelInput:
        """A prompt and the target of its right answer."""
        tokens = self.tokenizer(prompt, truncation=True, max_length=self.max_length)
        return {**tokens, "labels": self.task.target(answer)}

    def lengths(self) -> list[int]:
        """Tokens of every row of the epoch."""
        return [len(self[index]["input_ids"]) for index in range(len(self))]
