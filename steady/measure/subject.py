"""What `steady measure` measures: anything that answers prompts, and what else it may be able to say about them.

A new kind of subject derives from `Answering` and defines `name`, `facts` and `respond`; one that knows log-probabilities defines
`matrices` too. The model that runs on this machine (`steady.measure.local`) scores whole groups and needs `Subject` alone.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import Any, Protocol

import numpy as np

from steady.errors import SteadyError
from steady.labels import Floats
from steady.measure.prompt_files import PromptFile, comparable
from steady.metrics.matrices import ScoredGroup
from steady.records import Asked, Prediction, Rejected
from steady.scoring.groups import PromptGroup

# Where a subject says what a run will cost and how far it is: a line each
Say = Callable[[str], None]

Fact = str | int | float | bool | list[str] | None
# What the answers depend on beside the prompts, JSON values by name; equal facts and prompts mean the same run. No secrets
Facts = dict[str, Fact]

# Answers by group and prompt, in the order that they were asked in
Answers = list[list[str]]


@dataclass(frozen=True)
class Matrix:
    """Log-probabilities of one group of N prompts.

    `values` `(N, N)`: log P(answer of the column | prompt of the row) in nats; `lengths` `(N,)`: tokens of each answer, the end
    token included.
    """

    values: Floats
    lengths: Floats


class Subject(Protocol):
    """What a run needs of a subject; one that derives from it defines what it has otherwise."""

    name: str
    """What tables and pages call it, in a few words."""
    facts: Facts
    """What its answers depend on, recorded in `run.json` and shown on the page."""

    def fitting(self, file: PromptFile) -> tuple[list[PromptGroup], list[Rejected]]:
        """The groups that it can be asked, and every prompt that it cannot, with the reason."""

    def budget(self, groups: Sequence[PromptGroup], say: Say, alone: bool) -> None:
        """Say what asking these groups will cost, before anything is asked; `alone`: nothing is asked afterwards."""

    def bundles(self, groups: Sequence[PromptGroup], order: Sequence[int] | None) -> list[list[int]]:
        """Places of the groups that are scored together, in an `order` where it matters; a stopped run has lost no whole bundle."""

    def score(self, groups: Sequence[PromptGroup], say: Say) -> list[ScoredGroup]:
        """Answers and matrices of the groups of one bundle; predictions are not judged yet (`correct` is null)."""

    def notes(self) -> list[str]:
        """Sentences that a reader of the numbers must know, after everything was scored; none."""
        return []

    def unanswered(self) -> list[Rejected]:
        """The prompts that got no answer, which scored groups are without, and those left alone in their group; none."""
        return []

    def repeats(self) -> dict[str, list[str]]:
        """All answers, by prompt id, of prompts that were asked more than once; their agreement is the noise floor; none."""
        return {}


@dataclass(frozen=True)
class Answering(Subject):
    """A subject that gives texts; POSIX needs `matrices` too."""

    name: str
    facts: Facts

    @abstractmethod
    def respond(self, groups: Sequence[PromptGroup]) -> Answers:
        """Answers to all prompts of all groups; a prompt is a text or a conversation (`steady.records.Asked`)."""

    def matrices(self, groups: Sequence[PromptGroup], answers: Answers) -> list[Matrix] | None:
        """Log-probabilities of the answers under the prompts of their groups; None where the subject cannot give them."""
        return None

    def fitting(self, file: PromptFile) -> tuple[list[PromptGroup], list[Rejected]]:
        """All groups of two prompts and more."""
        return comparable(file, {})

    def budget(self, groups: Sequence[PromptGroup], say: Say, alone: bool) -> None:
        """Say how many prompts there are."""
        say(f"{len(groups)} groups, {sum(len(group.prompts) for group in groups)} prompts")

    def bundles(self, groups: Sequence[PromptGroup], order: Sequence[int] | None) -> list[list[int]]:
        """All groups at once: a subject with requests in flight together wants to know them all."""
        places = list(range(len(groups)) if order is None else order)
        return [places] if places else []

    def score(self, groups: Sequence[PromptGroup], say: Say) -> list[ScoredGroup]:
        """The answers of `respond` with the matrices, where there are some; SteadyError where not every prompt has one answer."""
        answers = self.respond(groups)
        # a function of the user's may return anything
        if len(answers) != len(groups):
            raise SteadyError(f"{self.name}: answers for {len(answers)} groups, and {len(groups)} were asked.")
        for group, given in zip(groups, answers, strict=True):
            if len(given) != len(group.prompts):
                raise SteadyError(
                    f"{self.name}: group {group.id} has {len(group.prompts)} prompts and got {len(given)} answers."
                )
            if strange := [answer for answer in given if not isinstance(answer, str)]:
                raise SteadyError(f"{self.name}: group {group.id}: an answer is {strange[0]!r:.60}; answers are texts.")
        matrices = self.matrices(groups, answers)
        if matrices is None:
            return [scored(group, given, UNKNOWN) for group, given in zip(groups, answers, strict=True)]
        for group, matrix in zip(groups, matrices, strict=True):
            count = len(group.prompts)
            if matrix.values.shape != (count, count) or matrix.lengths.shape != (count,):
                raise SteadyError(
                    f"{self.name}: group {group.id} has {count} prompts, a matrix {matrix.values.shape} and lengths "
                    f"{matrix.lengths.shape}; ({count}, {count}) and ({count},) are needed."
                )
        return [scored(*parts) for parts in zip(groups, answers, matrices, strict=True)]


# Stands for log-probabilities that nobody gave; the group has no POSIX
UNKNOWN = Matrix(np.empty((0, 0)), np.empty(0))


def scored(group: PromptGroup, answers: Sequence[str], matrix: Matrix) -> ScoredGroup:
    """Answers as a scored group."""
    logprobs = [float(value) if np.isfinite(value) else None for value in np.diagonal(matrix.values)]
    predictions = [
        Prediction(prompt_id=name, text=answer.strip(), logprob=logprob)
        for name, answer, logprob in zip_longest(group.prompt_ids, answers, logprobs)
    ]
    return ScoredGroup(group.id, matrix.values, matrix.lengths, tuple(predictions))


@dataclass(frozen=True)
class CallableSubject(Answering):
    """A function from prompts to answers: one call with all prompts, as texts or, for conversations, tuples of messages."""

    function: Callable[[list[Asked]], Sequence[str]]

    def respond(self, groups: Sequence[PromptGroup]) -> Answers:
        """The answers of one call, dealt out to the groups."""
        # one call, so that the function can work on all prompts together
        asked = [prompt for group in groups for prompt in group.prompts]
        found: Any = self.function(asked)
        # a text is a sequence of texts too, and None is what a function without `return` gives
        if isinstance(found, str) or not isinstance(found, Iterable):
            raise SteadyError(f"{self.name}: the function returned {found!r:.60}; it must return a list of texts.")
        given = list(found)
        if len(given) != len(asked):
            raise SteadyError(f"{self.name}: the function got {len(asked)} prompts and returned {len(given)} answers.")
        stops = np.cumsum([0, *(len(group.prompts) for group in groups)]).tolist()
        return [given[start:stop] for start, stop in pairwise(stops)]


@dataclass(frozen=True)
class GivenAnswers(Answering):
    """Answers that are there already, by prompt id, and matrices by group id where there are some: no model is needed.

    `several` has all answers, by prompt id, of prompts that were asked more than once.
    """

    answers: Mapping[str, str]
    given_matrices: Mapping[str, Matrix] | None = None
    several: Mapping[str, list[str]] = field(default_factory=dict)

    def repeats(self) -> dict[str, list[str]]:
        """The answers of prompts that were asked more than once."""
        return dict(self.several)

    def respond(self, groups: Sequence[PromptGroup]) -> Answers:
        """The answers, put in the order of the prompts."""
        return [[self.answers[name] for name in group.prompt_ids] for group in groups]

    def matrices(self, groups: Sequence[PromptGroup], answers: Answers) -> list[Matrix] | None:
        """The matrices, put in the order of the groups."""
        found = self.given_matrices
        return None if found is None else [found[group.id] for group in groups]
