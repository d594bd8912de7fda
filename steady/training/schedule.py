"""Rows of training prompts, rendered when they are asked for, under the wording that the schedule gives their epoch."""

from collections.abc import Callable, Sequence
from typing import Any

from steady.errors import SteadyError
from steady.records import Example, ScheduleRow

Render = Callable[[Example, str], str]


class ScheduledPrompts:
    """A map-style dataset `(input_ids, attention_mask, labels)`; `epoch` (from 0) selects each row's wording.

    Args:
        examples: the train split; `schedule` names each of them once.
        render: text of an example under a wording id (`steady.prompts.render`).
        tokenizer: called with `truncation=True, max_length=max_length`; nothing is cached, so no key can go stale.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        schedule: Sequence[ScheduleRow],
        render: Render,
        tokenizer: Any,
        labels: tuple[str, ...],
        max_length: int,
    ) -> None:
        by_id = {example.id: example for example in examples}
        missing = [row.example_id for row in schedule if row.example_id not in by_id]
        if missing or not schedule:
            raise SteadyError(
                f"The schedule names {len(missing)} examples that are not in the train split. Run `dvc repro format`."
            )
        self.rows = [(by_id[row.example_id], row.wordings) for row in schedule]
        self.render = render
        self.tokenizer = tokenizer
        self.classes = {label: index for index, label in enumerate(labels)}
        self.max_length = max_length
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def text(self, index: int, epoch: int) -> str:
        """The prompt that row `index` shows in `epoch`."""
        example, wordings = self.rows[index]
        return self.render(example, wordings[epoch % len(wordings)])

    def __getitem__(self, index: int) -> dict[str, Any]:
        encoded = self.tokenizer(self.text(index, self.epoch), truncation=True, max_length=self.max_length)
        return {**encoded, "labels": self.classes[self.rows[index][0].output]}
