"""A model that runs on this machine as a subject: what it costs, how its work is cut, its responses and matrices."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from steady.errors import SteadyError
from steady.inference.budget import CALIBRATION_PROMPTS, Budget, budget_lines, minutes, plan_budget
from steady.inference.named import LabelScorer, Named, OpenModel, open_model
from steady.measure.prompt_files import AskedPrompt, PromptFile, fitting
from steady.measure.subject import Facts, Say, Subject
from steady.metrics.matrices import ScoredGroup
from steady.models.chat import takes_system
from steady.models.params import is_hub_id
from steady.records import Asked, Rejected
from steady.scoring.groups import PromptGroup, bundles
from steady.scoring.resume import fingerprint

if TYPE_CHECKING:
    from steady.inference.language import LanguageModel


@dataclass(frozen=True)
class Limits:
    """What bounds the scoring of a model on this machine.

    `max_new_tokens` bounds a response; `batch_tokens` the cached positions held at once; `max_pairs` the pairs of prompts
    scored in each group, drawn by `seed`.
    """

    max_new_tokens: int = 30
    batch_tokens: int = 16384
    max_pairs: int | None = None
    seed: int = 0


# Prompts that a note names
NAMED = 5


class _Scoring(NamedTuple):
    """How groups are scored: the function, the memory it takes in words, the positions of a bundle, and how bundles are cut."""

    score: Callable[[Sequence[PromptGroup]], list[ScoredGroup]]
    memory: str
    positions: int
    cut: Callable[[list[list[int]], Sequence[PromptGroup]], list[list[int]]]
    notes: tuple[str, ...] = ()


class LocalModel(Subject):
    """A loaded model with the limits it is scored under; it gives one prompt the same answer always."""

    def __init__(self, name: str, facts: Facts, opened: OpenModel, limits: Limits) -> None:
        """Take a loaded model; `facts` are those beside the limits and what the loaded model says of itself."""
        self.name, self._opened, self._limits = name, opened, limits
        self._lengths: dict[str, int] = {}
        self._hidden: list[str] = []
        self._budget: Budget | None = None
        self._folded = False
        self.facts = {**facts, "dtype": opened.dtype, "batch_tokens": limits.batch_tokens}
        if opened.language is None:
            assert opened.labels is not None
            self._scoring = _classifying(opened.labels, limits)
            self.facts["labels"] = list(opened.labels.labels)
        else:
            self._scoring = _generating(opened.language, limits, self._work)
            self.facts |= {
                "max_new_tokens": limits.max_new_tokens,
                "max_pairs": limits.max_pairs,
                "seed": limits.seed if limits.max_pairs else None,
                "chat_template": opened.template or "off",
                "thinking": opened.language.thinking,
                "stop": list(opened.language.stop),
            }

    def fitting(self, file: PromptFile) -> tuple[list[PromptGroup], list[Rejected]]:
        """The groups whose prompts leave room for a response; SteadyError for a conversation where the model reads only texts."""
        language = self._opened.language
        talk = next((prompt for prompt in file.prompts if prompt.messages), None)
        if talk and not (language and language.chat_template):
            raise SteadyError(
                f"{file.place(talk.id)}: `messages` need a model with a chat template, and {self.name} is asked without one. "
                "Give `prompt`, or choose an instruction-tuned model."
            )
        for prompt in file.prompts:
            try:
                self._lengths[prompt.id] = self._opened.count([prompt.asked])[0]
            except SteadyError as error:  # a template may refuse the roles of a conversation
                raise SteadyError(f"{file.place(prompt.id)}: {error}") from error
        self._hidden = _hidden(file, self._opened)
        # a template without a place for a system message has it before the user's first words
        system = [turn for prompt in file.prompts for turn in prompt.messages if turn.role == "system"]
        self._folded = bool(language and (language.system or system) and not takes_system(language.tokenizer))
        # an encoder's positions are for the prompt alone
        room = self._limits.max_new_tokens if language and not language.encodes else 0
        return fitting(file, self._lengths, self._opened.context, room)

    def budget(self, groups: Sequence[PromptGroup], say: Say, alone: bool) -> None:
        """Say the tokens that go through the model and the memory; `alone`: time a sample too, for nothing else is scored."""
        unique = [[self._lengths[item] for item in _different(group)] for group in groups]
        # a classifier takes one pass and writes nothing
        steps = self._limits.max_new_tokens if self._opened.language else 1
        budget = plan_budget(unique, steps, self._limits.max_pairs)
        self._budget = budget._replace(prompts=sum(len(group.prompts) for group in groups))
        for line in [*self._scoring.notes, *budget_lines(self._budget, steps, self._scoring.memory)]:
            say(line)
        if alone:
            # neither the shortest nor the longest: files are often sorted
            middle = groups[len(groups) // 2]
            ids, prompts = middle.prompt_ids[:CALIBRATION_PROMPTS], middle.prompts[:CALIBRATION_PROMPTS]
            sample = [PromptGroup(middle.id, ids, prompts)]
            self._scoring.score(sample)  # the first passes of a process are slower
            self.score(sample, say)

    def bundles(self, groups: Sequence[PromptGroup], order: Sequence[int] | None) -> list[list[int]]:
        """Groups of like length within the budget of positions, cut so that a killed run loses little."""
        # of like length, since what is shorter is padded
        sizes = [(len(group.prompts), max(self._lengths[item] for item in group.prompt_ids)) for group in groups]
        plan = bundles(sizes, self._scoring.positions, self._limits.max_new_tokens, order)
        return self._scoring.cut(plan, groups)

    def score(self, groups: Sequence[PromptGroup], say: Say) -> list[ScoredGroup]:
        """Score groups; the first time, say by what it took how long the whole run will take."""
        started = time.perf_counter()
        done = self._scoring.score(groups)
        if self._budget is not None:
            passes = sum(self._passes(group, scored) for group, scored in zip(groups, done, strict=True))
            low, high = minutes(self._budget, passes, time.perf_counter() - started)
            say(
                f"expected: {low:.1f} minutes if the responses of a group are equal, {high:.1f} if all differ and reach the limit"
            )
            self._budget = None  # said once: later bundles would give other estimates
        return done

    def notes(self) -> list[str]:
        """What was not followed of the model's own settings, and what its template does to prompts."""
        folded = ["the chat template takes no system message: it stands before the user's first words"] * self._folded
        return [*self._opened.notes, *self._scoring.notes, *folded, *self._hidden]

    def _work(self, groups: Sequence[PromptGroup]) -> list[int]:
        """Tokens of each group: a response for each prompt, and all responses of a group under each of its prompts."""
        sizes = [(len(group.prompts), sum(self._lengths[name] for name in group.prompt_ids)) for group in groups]
        return [tokens + (count + count * count) * self._limits.max_new_tokens for count, tokens in sizes]

    def _passes(self, group: PromptGroup, scored: ScoredGroup) -> int:
        """Token passes that a group took, as `plan_budget` counts them."""
        tokens = sum(self._lengths[name] for name in _different(group))
        if self._opened.language is None:
            return tokens
        # equal prompts are decoded once, and equal responses scored once
        decoded = dict(zip(group.prompts, scored.lengths, strict=True))
        responses = dict(zip(scored.responses, scored.lengths, strict=True))
        steps = [sum(lengths.values()) - len(lengths) for lengths in (decoded, responses)]
        share = float(np.mean(~np.isnan(scored.matrix)))  # of the matrix that was scored
        return tokens + int(steps[0] + len(decoded) * steps[1] * share)


def _hidden(file: PromptFile, opened: OpenModel) -> list[str]:
    """Notes on what the tokenizer hides: prompts that it cannot tell from another of their group, and unknown tokens.

    They are scored all the same, and a reader has to know: equal tokens agree without a test.
    """
    if opened.encode is None:
        return []
    first: dict[tuple[str, tuple[int, ...]], AskedPrompt] = {}
    same, unknown = [], []
    for prompt, ids in zip(file.prompts, opened.encode([prompt.asked for prompt in file.prompts]), strict=True):
        other = first.setdefault((prompt.group_id, tuple(ids)), prompt)
        if other.asked != prompt.asked:
            same.append(f"{file.place(prompt.id)} (as {file.place(other.id)})")
        if opened.unknown is not None and opened.unknown in ids:
            unknown.append(file.place(prompt.id))
    twice = "have the same tokens as another of their group, so that they agree without a test"
    odd = "hold characters that are unknown to the tokenizer"
    return [
        f"{len(places)} prompts {what}: {', '.join(places[:NAMED])}" + (", …" if len(places) > NAMED else "")
        for what, places in ((twice, same), (odd, unknown))
        if places
    ]


def local_model(named: Named, limits: Limits) -> LocalModel:
    """Load a model by name; errors as `open_model` has them."""
    if named.revision and not is_hub_id(named.id):
        raise SteadyError(f"--revision {named.revision}: {named.id} is no model of the Hub and has none. Leave it out.")
    opened = open_model(named)
    base = opened.base
    assert base is not None
    folders = [path for path in (Path(named.id), named.adapter) if path is not None and path.is_dir()]
    adapter = None if named.adapter is None else str(named.adapter)
    facts: Facts = {
        "model": named.id,
        "revision": opened.revision,
        "adapter": adapter,
        "weights": " ".join([*(fingerprint(path) for path in folders), *filter(None, [base.gguf_sha256])]),
        "system": named.system,
        "gguf_file": named.gguf_file,
        "base": base.public_id if base.quantised else "",
        "quantised": base.quantised,
    }
    return LocalModel(named.id if adapter is None else f"{named.id} + {adapter}", facts, opened, limits)


def _classifying(labels: LabelScorer, limits: Limits) -> _Scoring:
    from steady.scoring.classifying import score_label_groups

    memory = f"a batch of {labels.batch_size} prompts"
    return _Scoring(
        lambda groups: score_label_groups(labels, groups), memory, limits.batch_tokens, lambda plan, groups: plan
    )


def _generating(
    language: "LanguageModel", limits: Limits, work: Callable[[Sequence[PromptGroup]], list[int]]
) -> _Scoring:
    from steady.inference.likelihood import make_scorer
    from steady.scoring.answering import score_groups, small_bundles

    scorer = make_scorer(language, limits.max_new_tokens, limits.batch_tokens)
    notes = []
    if not language.end_ids:
        notes.append("the tokenizer has no end token: every response runs to the limit")
    if scorer.memory is None:
        notes.append("this model's cache cannot be branched: one whole sequence at a time, which is many times slower")
    # what the cached keys and values of a full batch take
    held = 0 if scorer.memory is None else scorer.memory.position * limits.batch_tokens
    return _Scoring(
        lambda groups: score_groups(scorer, groups, limits.max_pairs, limits.seed),
        f"{held / 2**20:,.0f} MB for {limits.batch_tokens} cached positions",
        scorer.kept_positions,
        lambda plan, groups: small_bundles(scorer.language, plan, work(groups)),
        tuple(notes),
    )


def _different(group: PromptGroup) -> list[str]:
    """The ids of the different prompts of a group."""
    ids: dict[Asked, str] = dict(zip(reversed(group.prompts), reversed(group.prompt_ids), strict=True))
    return list(ids.values())
