"""The training prompts as a torch-style dataset, tokenised when a row is asked for."""

from typing import Any

from steady.prompts.schedule import TrainingPrompts


class ScheduledRows:
    """A map-style dataset of `{input_ids, attention_mask, labels}`; `epoch` (from 0) selects each row's wording.

    Nothing is cached: neither the tokenizer, nor the template, nor the wording can go stale.
    """

    def __init__(self, prompts: TrainingPrompts, tokenizer: Any, labels: tuple[str, ...], max_length: int) -> None:
        self.prompts = prompts
        self.tokenizer = tokenizer
        self.classes = {label: index for index, label in enumerate(labels)}
        self.max_length = max_length
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        encoded = self.tokenizer(self.prompts.prompt(index, self.epoch), truncation=True, max_length=self.max_length)
        return {**encoded, "labels": self.classes[self.prompts.examples[index].output]}
