"""Answers of a model while it trains: to fixed prompts every so many steps, and to validation prompts, which are scored."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import asdict
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from steady.inference.language import decode, encode, language_model
from steady.inference.likelihood import greedy_responses, make_scorer
from steady.metrics.run import Preview
from steady.metrics.text import exact_match, read_label
from steady.records import Prompt, write_bytes

FILE = "previews.jsonl"
BATCH_TOKENS = 8192
DEFAULT_PROMPTS = 4


@dataclass(frozen=True)
class Answering:
    """Greedy answers of a model in training; it is left in the mode it was in."""

    model: Any
    tokenizer: Any
    chat_template: bool
    max_length: int
    max_new_tokens: int

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """The texts, without special tokens, in the order of the prompts."""
        # Generating sets the model to evaluation, without dropout; training has to go on as it was.
        was_training = self.model.training
        language = language_model(self.model, self.tokenizer, self.chat_template, self.max_length)
        scorer = make_scorer(language, self.max_new_tokens, BATCH_TOKENS)
        responses = greedy_responses(scorer, encode(language, prompts))
        self.model.train(was_training)
        return [decode(language, one.tokens).strip() for one in responses]


def generated_accuracy(
    answering: Answering, validation: Sequence[Prompt], labels: Sequence[str], rows: int, seed: int
) -> Callable[[], float] | None:
    """A function that answers a fixed draw of validation prompts and returns the share of right answers; None for no rows.
    It is right when it says the label and nothing else, or, without labels, when it is a reference but for case and white space.
    """
    if not rows or not validation:
        return None
    # The draw is fixed, so that the share can be compared from evaluation to evaluation and from arm to arm.
    places = sorted(random.Random(f"{seed}:generate").sample(range(len(validation)), min(rows, len(validation))))
    drawn = [validation[place] for place in places]

    def accuracy() -> float:
        right = 0
        for text, prompt in zip(answering([prompt.prompt for prompt in drawn]), drawn, strict=True):
            if labels:
                right += read_label(text, labels) == prompt.completion
            else:
                right += exact_match(text, prompt.references or [prompt.completion])
        return right / len(drawn)

    return accuracy


class Previews(TrainerCallback):
    """Answers to fixed prompts before the first step, every `steps` optimizer steps, and of the model as it is kept at the end.
    They are written into `folder` as they come, and kept with every checkpoint.
    """

    def __init__(self, answering: Answering, prompts: Sequence[str], steps: int, folder: Path) -> None:
        self.answering = answering
        self.prompts = prompts
        self.steps = steps
        self.folder = folder
        self.rows: list[Preview] = []

    def take(self, step: int) -> None:
        """Answer all prompts; a step that was taken before is taken anew."""
        texts = self.answering(self.prompts)
        rows = [Preview(step, prompt, text) for prompt, text in zip(self.prompts, texts, strict=True)]
        self.rows = [row for row in self.rows if row.step != step] + rows
        self.write(self.folder)

    def write(self, folder: Path) -> None:
        """Write `previews.jsonl`: step, prompt, text."""
        # `json` and not msgspec: a model may write half of a surrogate pair.
        text = "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in self.rows)
        write_bytes(folder / FILE, text.encode("utf-8", "surrogatepass"))

    def read(self, folder: Path) -> None:
        """Go on from those written into a checkpoint."""
        path = folder / FILE
        if path.is_file():
            lines = path.read_bytes().decode("utf-8", "surrogatepass").split("\n")
            self.rows = [Preview(**json.loads(line)) for line in lines if line]

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Before anything is learned."""
        if state.global_step == 0:
            self.take(0)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Every so many steps."""
        if state.global_step % self.steps == 0:
            self.take(state.global_step)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The best weights are back in the model by now."""
        self.take(state.global_step)
