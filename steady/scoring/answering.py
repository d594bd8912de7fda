"""Score groups of prompts with a model that generates: its responses, the log-probabilities of given answers, the matrices.

The work is cut into bundles of prompts of like length, each scored by itself, so that a run that was stopped goes on from the
bundles that are done and, on the same kind of processor, ends with the same bytes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.inference.language import LanguageModel, Tokens, decode, encode, encode_answer
from steady.inference.likelihood import score_prompts
from steady.inference.scorer import Scorer
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction
from steady.scoring.groups import Mask, PromptGroup, bundles, sample_pairs
from steady.scoring.parts import in_parts
from steady.scoring.resume import Partial

Given = Mapping[str, Sequence[str]]
"""Prompt id -> answers whose log-probability is wanted."""

CPU_WORK = 1e12
"""Tokens times parameters of one bundle on a CPU: 135 M parameters read 550 tokens/s on two threads, so about 15 s.

What a killed run loses is one bundle. A GPU scores what its memory holds in less time than that.
"""


class Scored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The response to one prompt; log-probabilities are in nats, summed over tokens, end token included.

    `tokens` is the greedy response and `logprob` its log-probability; `given` and `given_tokens` belong to the given answers,
    `row` to the responses of the prompts of its group, in their order (empty where no matrix is made, NaN for pairs that were
    not sampled), and `scaled_row` the same at the scorer's one temperature (empty where it has none).
    """

    prompt_id: str
    tokens: list[int]
    logprob: float
    given: list[float]
    given_tokens: list[int]
    row: list[float]
    scaled_row: list[float] = []


@dataclass(frozen=True)
class EncodedGroup:
    """Prompts with one intent, in tokens, and the tokens of the answers given with each of them.
    `pairs` `(prompts, prompts)` marks the responses (columns) that are scored under each prompt (rows); None for no matrix.
    """

    group: PromptGroup
    prompts: list[Tokens]
    given: list[list[Tokens]]
    pairs: Mask | None

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with the longest of its answers beyond the first token."""
        return max(
            len(prompt) + max((len(answer) for answer in answers), default=0)
            for prompt, answers in zip(self.prompts, self.given, strict=True)
        )

    def work(self, max_new_tokens: int) -> int:
        """Tokens that go through the model at most: prompts, responses, given answers, and the responses of the matrix."""
        cells = 0 if self.pairs is None else int(self.pairs.sum())
        given = sum(len(answer) for answers in self.given for answer in answers)
        return sum(map(len, self.prompts)) + given + (len(self.prompts) + cells) * max_new_tokens


def encode_group(language: LanguageModel, group: PromptGroup, given: Given, pairs: Mask | None) -> EncodedGroup:
    """A group in tokens; the diagonal of `pairs` is always scored, for it is the log-probability of the response."""
    answers = [
        [encode_answer(language, prompt, answer) for answer in given.get(name, ())]
        for name, prompt in zip(group.prompt_ids, group.prompts, strict=True)
    ]
    # POSIX compares each cell with the diagonal of its column
    wanted = None if pairs is None else pairs | np.eye(len(group.prompts), dtype=bool)
    return EncodedGroup(group, encode(language, group.prompts), answers, wanted)


def answer_groups(
    scorer: Scorer, groups: Sequence[PromptGroup], given: Given, paired: bool, partial: Partial, progress: bool = False
) -> list[list[Scored]]:
    """The responses to the prompts of each group, in order.

    `given` are answers to score, by prompt id; `paired`: score every response of a group under every prompt of it; `partial` keeps
    bundles that are done. SteadyError where a prompt and its response do not fit the model, or a log-probability is not finite.
    """
    encoded = [encode_group(scorer.language, group, given, _all_pairs(group) if paired else None) for group in groups]
    _check_fit(scorer, encoded)
    sizes = [(len(one.prompts), one.longest) for one in encoded]
    # like lengths together: what is padded is computed for nothing
    order = sorted(range(len(encoded)), key=lambda place: (sizes[place][1], place))
    plan = bundles(sizes, scorer.kept_positions, scorer.max_new_tokens, order)
    plan = small_bundles(scorer.language, plan, [one.work(scorer.max_new_tokens) for one in encoded])
    found: dict[int, list[Scored]] = {}
    asked = [[name for place in places for name in encoded[place].group.prompt_ids] for places in plan]

    def score(number: int) -> list[Scored]:
        flat = [item for rows in score_bundle(scorer, [encoded[place] for place in plan[number]]) for item in rows]
        for item in flat:
            if not all(map(math.isfinite, [item.logprob, *item.given, *item.row, *item.scaled_row])):
                raise SteadyError(
                    f"prompt {item.prompt_id}: a log-probability is not finite: the weights are broken, or `model.dtype` is too "
                    "coarse. Train the arm again, or set `model.dtype: float32`."
                )
        return flat

    for number, flat in enumerate(in_parts(score, asked, Scored, partial, progress)):
        stops = np.cumsum([0, *(len(encoded[place].prompts) for place in plan[number])])
        borders = zip(plan[number], pairwise(stops), strict=True)
        found |= {place: flat[start:stop] for place, (start, stop) in borders}
    return [found[place] for place in range(len(encoded))]


def score_groups(
    scorer: Scorer, groups: Sequence[PromptGroup], max_pairs: int | None = None, seed: int = 0
) -> list[ScoredGroup]:
    """Responses and matrices of groups that are scored together; values that are not finite stay, as faults of their group.
    `max_pairs`: score a sample, by `seed`, of so many ordered pairs of prompts of each group; None is all.
    """
    samples = [sample_pairs(len(group.prompts), max_pairs, seed, group.id) for group in groups]
    encoded = [
        encode_group(scorer.language, group, {}, _all_pairs(group) if sample is None else sample)
        for group, sample in zip(groups, samples, strict=True)
    ]
    made = []
    for group, rows, sample in zip(groups, score_bundle(scorer, encoded), samples, strict=True):
        # records that nothing is read from yet; a log-probability that is not finite is null
        predictions = [
            Prediction(
                prompt_id=item.prompt_id,
                text=response_text(scorer, item),
                token_ids=item.tokens,
                logprob=item.logprob if math.isfinite(item.logprob) else None,
            )
            for item in rows
        ]
        made.append(scored_group(group, rows, predictions, sample))
    return made


def small_bundles(language: LanguageModel, plan: Sequence[Sequence[int]], work: Sequence[int]) -> list[list[int]]:
    """Bundles cut on a CPU where they take more than `CPU_WORK`, at the least one group each; `work` are the tokens of each group.
    The limit depends on the model and the prompts alone, never on a timing: another cut would round otherwise.
    """
    # a GPU is done with a whole bundle in less than that time
    if language.device.type != "cpu":
        return [list(places) for places in plan]
    limit = CPU_WORK / sum(parameter.numel() for parameter in language.model.parameters())
    made: list[list[int]] = []
    for places in plan:
        # a bundle of the plan stays one: the first of its groups begins a new bundle
        total = math.inf
        for place in places:
            total += work[place]
            if total > limit:
                made.append([])
                total = work[place]
            made[-1].append(place)
    return made


def _all_pairs(group: PromptGroup) -> Mask:
    return np.ones((len(group.prompts), len(group.prompts)), dtype=bool)


def _check_fit(scorer: Scorer, encoded: Sequence[EncodedGroup]) -> None:
    """Refuse prompts that have no token, or that leave no room for the response, before anything is scored."""
    context = scorer.language.context
    room = 0 if scorer.language.encodes else scorer.max_new_tokens
    for one in encoded:
        if not all(one.prompts):
            raise SteadyError(f"group {one.group.id}: a prompt of which the tokenizer makes no token.")
        tokens = max(map(len, one.prompts))
        # an encoder reads the prompt alone; the answer is the decoder's
        longest = tokens if scorer.language.encodes else one.longest
        if context and max(longest, tokens + room) > context:
            raise SteadyError(
                f"group {one.group.id}: a prompt of {tokens} tokens is too long for the model's {context} "
                f"positions with {room} for the answer. Lower `format.max_length` or `evaluate.max_new_tokens`."
            )


def score_bundle(scorer: Scorer, encoded: Sequence[EncodedGroup]) -> list[list[Scored]]:
    """Score some groups together: one prefill for each different prompt."""
    wanted: dict[Tokens, frozenset[Tokens]] = {}
    given: dict[Tokens, frozenset[Tokens]] = {}
    for one in encoded:
        for row, (prompt, answers) in enumerate(zip(one.prompts, one.given, strict=True)):
            chosen = np.zeros(len(one.prompts), dtype=bool) if one.pairs is None else one.pairs[row]
            others = [other for other, taken in zip(one.prompts, chosen, strict=True) if taken]
            wanted[prompt] = wanted.get(prompt, frozenset()) | frozenset(others)
            given[prompt] = given.get(prompt, frozenset()) | frozenset(answers)
    responses, scores, scaled = score_prompts(scorer, wanted, given)

    def scored(one: EncodedGroup, row: int) -> Scored:
        prompt, answers = one.prompts[row], one.given[row]
        # a pair that was not sampled may be known all the same, from another group: it is not shown, for draws are uniform
        keys = [
            (prompt, responses[other].tokens) if one.pairs is not None and one.pairs[row, column] else None
            for column, other in enumerate(one.prompts)
        ]
        matrix = one.pairs is not None
        return Scored(
            prompt_id=one.group.prompt_ids[row],
            tokens=list(responses[prompt].tokens),
            # of both the one that the matrix has, so that the diagonal is equal to it in every digit
            logprob=scores.get((prompt, responses[prompt].tokens), responses[prompt].logprob),
            given=[scores[prompt, answer] for answer in answers],
            given_tokens=[len(answer) for answer in answers],
            row=[math.nan if key is None else scores[key] for key in keys] if matrix else [],
            scaled_row=[math.nan if key is None else scaled[key][0] for key in keys] if matrix and scaled else [],
        )

    return [[scored(one, row) for row in range(len(one.prompts))] for one in encoded]


def response_text(scorer: Scorer, scored: Scored) -> str:
    """The response without special tokens and surrounding white space."""
    return decode(scorer.language, tuple(scored.tokens)).strip()


def scored_group(
    group: PromptGroup, scored: Sequence[Scored], predictions: Sequence[Prediction], sample: Mask | None = None
) -> ScoredGroup:
    """The matrix of a group from its rows; `sample`: the pairs of it that were scored, None for all."""
    lengths = np.asarray([len(item.tokens) for item in scored], dtype=np.float64)
    matrix, scaled = (np.asarray(rows) for rows in ([one.row for one in scored], [one.scaled_row for one in scored]))
    return ScoredGroup(group.id, matrix, lengths, tuple(predictions), sample, scaled if scaled.size else None)
