"""Training rows of models that generate: prompts and answers as token ids, encoded when their epoch comes.

The answer is never cut. A prompt that leaves it no room is cut (`steady.models.tokenizer.cut_prompt`), and a row whose answer alone
passes the limit is left out; both are counted.
"""

import heapq
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.finetune.sampling import Sampling
from steady.models.tokenizer import Task, answer_ids, cut_prompt, prompt_ids
from steady.prompts.schedule import TrainingPrompts

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Row:
    """A prompt and its answer, the end token included; `cut` is how many tokens the prompt lost."""

    prompt: Ids
    answer: Ids
    cut: int

    @property
    def length(self) -> int:
        """Tokens of both."""
        return len(self.prompt) + len(self.answer)


class RowEncoder:
    """Encodes rows for one tokenizer, task and limit; see `steady.models.tokenizer`."""

    def __init__(self, tokenizer: Any, task: Task, max_length: int, chat_template: bool) -> None:
        self.tokenizer = tokenizer
        self.task = task
        self.max_length = max_length
        self.chat_template = chat_template
        self._answer = lru_cache(maxsize=20_000)(self._encode_answer)

    def _encode_answer(self, answer: str, ends_in_space: bool) -> Ids:
        # The last character of the prompt decides whether the first token of the answer begins with a space.
        before = " " if ends_in_space else ""
        return np.array(answer_ids(self.tokenizer, self.task, answer, before, self.chat_template), dtype=np.int32)

    def answer(self, answer: str, prompt: str = "") -> Ids:
        """The ids of an answer to a prompt."""
        return self._answer(answer, prompt[-1:].isspace())

    def fits(self, answer: str) -> bool:
        """Whether there is an answer, and room for it and for a prompt of at least one token."""
        # The first token of a causal model has nothing before it that could predict it.
        room = self.max_length - (1 if self.task == "CAUSAL_LM" else 0)
        return bool(answer.strip()) and max(len(self.answer(answer)), len(self.answer(answer, " "))) <= room

    def row(self, prompt: str, answer: str) -> Row:
        """Encode a row whose answer fits."""
        target = self.answer(answer, prompt)
        limit = self.max_length - len(target) if self.task == "CAUSAL_LM" else self.max_length
        ids = prompt_ids(self.tokenizer, self.task, prompt, self.chat_template)
        kept = cut_prompt(ids, self.task, limit)
        return Row(np.array(kept, dtype=np.int32), target, len(ids) - len(kept))


class GenerativeRows:
    """A map-style dataset of `Row`s, or with `bins` of lists of them; `epoch` (from 0) selects each row's wording.

    Args:
        prompts: the training prompts; those whose answer does not fit are left out.
        bins: pack the rows of an epoch into so many items of about the same length; None: an item is one row.
        sampling: which rows an epoch has; its seed deals them to the bins.
    """

    def __init__(self, prompts: TrainingPrompts, encoder: RowEncoder, sampling: Sampling) -> None:
        self.prompts = prompts
        self.encoder = encoder
        self.seed = sampling.seed
        self.kept = [place for place, example in enumerate(prompts.examples) if encoder.fits(example.output)]
        self.sampler = sampling.over(prompts, self.kept)
        self.bins: int | None = None
        self._cuts: dict[int, list[int]] = {}
        self._tokens: dict[int, int] = {}
        self._epoch = -1
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose wordings are shown."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            # Rows are encoded for one epoch at a time: with many wordings, all epochs would be many times the data.
            self._epoch = epoch
            self.rows = self.encoded(epoch)
            self._dealt = self._deal()

    def pack(self) -> None:
        """Pack from now on, into as few bins of the longest length allowed as hold the rows of the first epoch."""
        tokens = sum(row.length for row in self.encoded(0))
        self.bins = max(1, -(-tokens // self.encoder.max_length))
        self._dealt = self._deal()

    def encoded(self, epoch: int) -> list[Row]:
        """The rows of an epoch."""
        worded, examples, shown = self.prompts.worded, self.prompts.examples, self.sampler.shown(epoch)
        rows = [self.encoder.row(worded(place, wording), examples[place].output) for place, wording in shown]
        self._cuts[epoch] = [row.cut for row in rows]
        self._tokens[epoch] = sum(row.length for row in rows)
        return rows

    def cuts(self, epoch: int) -> list[int]:
        """Tokens that each prompt of an epoch lost."""
        if epoch not in self._cuts:
            self.encoded(epoch)
        return self._cuts[epoch]

    def tokens(self, epoch: int) -> int:
        """Tokens of the prompts and answers of an epoch, as they are shown."""
        self.cuts(epoch)
        return self._tokens[epoch]

    def _deal(self) -> list[list[int]]:
        """Rows in random order, each into the bin that holds least: bins of like length, all of them at every epoch."""
        if self.bins is None:
            return []
        # A heap of the fullness of the bins gives the emptiest one in logarithmic time.
        order = list(range(len(self.rows)))
        random.Random(f"{self.seed}:pack:{self._epoch}").shuffle(order)
        filled: list[tuple[int, int]] = [(0, place) for place in range(self.bins)]
        dealt: list[list[int]] = [[] for _ in range(self.bins)]
        for index in order:
            tokens, place = heapq.heappop(filled)
            dealt[place].append(index)
            heapq.heappush(filled, (tokens + self.rows[index].length, place))
        return [group for group in dealt if group]

    def __len__(self) -> int:
        return len(self.sampler) if self.bins is None else min(self.bins, len(self.kept))

    def __getitem__(self, index: int) -> list[Row]:
        return [self.rows[index]] if self.bins is None else [self.rows[row] for row in self._dealt[index]]

    def lengths(self) -> list[int]:
        """Tokens of every item of the epoch."""
        return [sum(row.length for row in self[index]) for index in range(len(self))]


def count_cuts(rows: GenerativeRows, epochs: int) -> dict[str, int]:
    """What was shown in so many epochs, and what did not fit: rows without an answer of a length allowed, prompts, tokens."""
    cut = [tokens for epoch in range(epochs) for tokens in rows.cuts(epoch)]
    return {
        "rows_left_out": len(rows.prompts) - len(rows.kept),
        "prompts_shown": len(cut),
        "tokens_shown": sum(map(rows.tokens, range(epochs))),
        "prompts_cut": sum(tokens > 0 for tokens in cut),
        "tokens_cut": sum(cut),
    }
