"""What an epoch shows, and which rows share a batch: the samplers of `arms`.

Every sampler shows as many rows an epoch, in as many steps, and draws from the same schedule, so that arms differ in how their
batches are put together and in nothing else.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from steady.errors import SteadyError
from steady.finetune.params import Arm, TrainParams
from steady.prompts.canonical import item_text
from steady.prompts.render import applies
from steady.prompts.schedule import TrainingPrompts, take_turns, trained_families
from steady.records import CANONICAL

MEGABATCH = 50


Shown = tuple[int, str]
"""An example, by its place among the training examples, and its wording."""


@dataclass(frozen=True)
class Sampling:
    """Which sampler, over how many rows a batch and a step (`step_rows`, with accumulated batches)."""

    sampler: str = "shuffled"
    wordings: int = 1
    batch_rows: int = 1
    step_rows: int = 1
    seed: int = 0

    def over(self, prompts: TrainingPrompts, places: Sequence[int]) -> "Sampler":
        """The sampler of the examples at `places`."""
        kinds: dict[str, type[Sampler]] = {"shuffled": Shuffled, "by_wording": ByWording, "grouped": Grouped}
        return kinds[self.sampler](prompts, tuple(places), self)


def sampling_of(arm: Arm, train: TrainParams, seed: int) -> Sampling:
    """How an arm is sampled."""
    rows = train.per_device_train_batch_size
    return Sampling(arm.sampler, wordings_together(arm), rows, rows * train.gradient_accumulation_steps, seed)


def wordings_together(arm: Arm) -> int:
    """How many wordings of an item a batch has."""
    return arm.group_size if arm.sampler == "grouped" else 1


@dataclass(frozen=True)
class Sampler(ABC):
    """The rows of each epoch (from 0), of the examples at `places`, and their order in batches; both follow from the epoch."""

    prompts: TrainingPrompts
    places: tuple[int, ...]
    sampling: Sampling

    def __len__(self) -> int:
        return len(self.places)

    @abstractmethod
    def shown(self, epoch: int) -> list[Shown]:
        """The rows of an epoch."""

    @abstractmethod
    def order(self, epoch: int, lengths: Sequence[int]) -> list[int]:
        """Every row (or packed item) of the epoch once, by its place, given its length in tokens."""


@dataclass(frozen=True)
class Shuffled(Sampler):
    """Each example once, under the wording that its schedule has for the epoch, among rows of like length."""

    def shown(self, epoch: int) -> list[Shown]:
        """The rows, in the order of the examples."""
        wordings = self.prompts.wordings
        return [(place, wordings[place][epoch % len(wordings[place])]) for place in self.places]

    def order(self, epoch: int, lengths: Sequence[int]) -> list[int]:
        """Batches of like length in random order."""
        rng = random.Random(f"{self.sampling.seed}:order:{epoch}")
        return grouped_by_length(lengths, self.sampling.batch_rows, rng)


@dataclass(frozen=True)
class ByWording(Sampler):
    """Each example once, all rows of a step under one wording; from step to step wordings take turns as in the schedule.
    Only wordings that every example has take part.
    """

    def shown(self, epoch: int) -> list[Shown]:
        """The rows in the order of the steps."""
        rng = random.Random(f"{self.sampling.seed}:items:{epoch}")
        rows = self.sampling.step_rows
        texts = [self.prompts.examples[place] for place in self.places]
        # By the length of the item: within a step the rest of the prompt is the same.
        lengths = [len(item_text(example.instruction, example.input)) for example in texts]
        order = grouped_by_length(lengths, rows, rng)
        steps = [order[start : start + rows] for start in range(0, len(order), rows)]
        first = epoch * len(steps)
        worded = zip(steps, islice(self._wordings(), first, first + len(steps)), strict=True)
        return [(self.places[item], wording) for step, wording in worded for item in step]

    def order(self, epoch: int, lengths: Sequence[int]) -> list[int]:
        """As they come."""
        return list(range(len(lengths)))

    def _wordings(self) -> Iterator[str]:
        turns = take_turns(self._families, random.Random(f"{self.sampling.seed}:wordings"))
        scheduled = [name for place in self.places for name in self.prompts.wordings[place]]
        canonical = scheduled.count(CANONICAL)
        every = round(len(scheduled) / canonical) if canonical else 0
        step = 0
        while True:
            yield CANONICAL if every and step % every == 0 else next(turns, CANONICAL)
            step += 1

    @cached_property
    def _families(self) -> list[list[str]]:
        book, examples = self.prompts.book, [self.prompts.examples[place] for place in self.places]
        families = trained_families(list(book.wordings.values()))
        usable = [
            [wording.id for wording in family if all(applies(example, wording, book.bank) for example in examples)]
            for family in families.values()
        ]
        found = [family for family in usable if family]
        if not found:
            raise SteadyError(
                "sampler by_wording: no wording but the canonical one is one that every training example has. Use sampler "
                "shuffled or grouped, or an arm with `wordings: variants` and a bank of wordings."
            )
        return found


@dataclass(frozen=True)
class Grouped(Sampler):
    """`wordings` wordings of each item beside each other in a batch.

    An item takes the next ones of its schedule each time its turn comes, which is every `wordings` epochs: after so many epochs
    the rows are those of `Shuffled`. Where the examples are no multiple, the last items of an epoch are the first of the next
    round.
    """

    @property
    def items(self) -> int:
        """Items of an epoch."""
        return -(-len(self.places) // self.sampling.wordings)

    def __len__(self) -> int:
        return self.items * self.sampling.wordings

    def shown(self, epoch: int) -> list[Shown]:
        """The rows, those of an item one after the other."""
        total, count = len(self.places), self.sampling.wordings
        turns = range(epoch * self.items, (epoch + 1) * self.items)
        # All items come in the order of a round before the next round begins; an epoch may lie in two of them.
        rounds = {
            number: random.Random(f"{self.sampling.seed}:round:{number}").sample(self.places, total)
            for number in {turn // total for turn in turns}
        }
        rows = []
        for turn in turns:
            place = rounds[turn // total][turn % total]
            schedule = self.prompts.wordings[place]
            first = turn // total * count
            rows += [(place, schedule[number % len(schedule)]) for number in range(first, first + count)]
        return rows

    def order(self, epoch: int, lengths: Sequence[int]) -> list[int]:
        """Batches of whole items of like length, in random order."""
        count = self.sampling.wordings
        longest = [max(lengths[start : start + count]) for start in range(0, len(lengths), count)]
        rng = random.Random(f"{self.sampling.seed}:order:{epoch}")
        items = grouped_by_length(longest, self.sampling.batch_rows // count, rng)
        return [item * count + number for item in items for number in range(count)]


class EpochOrder:
    """A sampler of torch with the order of the epoch that a dataset is in (`epoch`, `sampler`, `lengths()`), whatever else happens."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows.sampler.order(self.rows.epoch, self.rows.lengths()))


def grouped_by_length(lengths: Sequence[int], batch_size: int, rng: random.Random) -> list[int]:
    """Every index once; slices of `batch_size` have like lengths, and come in random order, a last short one last."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    size = batch_size * max(1, min(len(order) // (batch_size * 2), MEGABATCH))
    batches = []
    for start in range(0, len(order), size):
        chunk = sorted(order[start : start + size], key=lambda index: lengths[index])
        batches += [chunk[place : place + batch_size] for place in range(0, len(chunk), batch_size)]
    # A short batch in the middle would shift the rows of all later ones, for the Trainer cuts batches by counting.
    short = [batch for batch in batches if len(batch) < batch_size]
    whole = [batch for batch in batches if len(batch) == batch_size]
    rng.shuffle(whole)
    return [index for batch in [*whole, *short] for index in batch]
