"""Answer prompts with a model that generates: free text, the log-probabilities of given answers, and rows of the matrices.

The work is cut into bundles of prompts of like length, each scored by itself, so that a run that was stopped goes on from the
bundles that are done and ends with the same bytes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.inference.language import Tokens, decode, encode, encode_answer
from steady.inference.likelihood import score_prompts
from steady.inference.scorer import Scorer
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction
from steady.scoring.groups import PromptGroup, bundles
from steady.scoring.resume import Partial

Given = Mapping[str, Sequence[str]]
"""Prompt id -> answers whose log-probability is asked for."""


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the model said to one prompt; log-probabilities are in nats, summed over tokens, end token included.

    `tokens` is the greedy response and `logprob` its log-probability; `given` and `given_tokens` belong to the answers that
    were asked for, `row` to the responses of the prompts of its group, in their order (empty where no matrix is made), and
    `scaled_row` the same at the scorer's one temperature (empty where it has none).
    """

    prompt_id: str
    tokens: list[int]
    logprob: float
    given: list[float]
    given_tokens: list[int]
    row: list[float]
    scaled_row: list[float] = []


@dataclass(frozen=True)
class Asked:
    """Prompts with one intent, in tokens, and the tokens of the answers given with each of them."""

    group: PromptGroup
    prompts: list[Tokens]
    given: list[list[Tokens]]

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with the longest of its answers beyond the first token."""
        return max(
            len(prompt) + max((len(answer) for answer in answers), default=0)
            for prompt, answers in zip(self.prompts, self.given, strict=True)
        )


def answer_groups(
    scorer: Scorer, groups: Sequence[PromptGroup], given: Given, paired: bool, partial: Partial, progress: bool = False
) -> list[list[Said]]:
    """What the model says to the prompts of each group, in order.

    Args:
        given: answers to score, by prompt id; a prompt without any may be left out.
        paired: score every response of a group under every prompt of it.
        partial: keeps bundles that are done.

    Raises:
        SteadyError: a prompt and its response do not fit the model, or a log-probability is not finite.
    """
    from tqdm import tqdm

    asked = [_asked(scorer, group, given) for group in groups]
    check_fit(scorer, asked)
    sizes = [(len(one.prompts), one.longest) for one in asked]
    order = sorted(range(len(asked)), key=lambda place: (sizes[place][1], place))
    found: dict[int, list[Said]] = {}
    plan = bundles(sizes, scorer.kept_positions, scorer.max_new_tokens, order)
    for number, places in enumerate(tqdm(plan, desc="scoring", unit="bundle", disable=not progress)):
        chosen = [asked[place] for place in places]
        flat = partial.kept(number, Said, [name for one in chosen for name in one.group.prompt_ids])
        if flat is None:
            flat = [said for rows in answer_bundle(scorer, chosen, paired) for said in rows]
            partial.keep(number, flat)
        stops = np.cumsum([0, *(len(one.prompts) for one in chosen)])
        found |= {place: flat[start:stop] for place, start, stop in zip(places, stops[:-1], stops[1:], strict=True)}
    return [found[place] for place in range(len(asked))]


def _asked(scorer: Scorer, group: PromptGroup, given: Given) -> Asked:
    answers = [
        [encode_answer(scorer.language, prompt, answer) for answer in given.get(name, ())]
        for name, prompt in zip(group.prompt_ids, group.prompts, strict=True)
    ]
    return Asked(group, encode(scorer.language, group.prompts), answers)


def check_fit(scorer: Scorer, asked: Sequence[Asked]) -> None:
    """Refuse prompts that have no token, or that leave no room for the response.

    Raises:
        SteadyError: there is such a prompt; the message names a group.
    """
    context = scorer.language.context
    room = 0 if scorer.language.encodes else scorer.max_new_tokens
    for one in asked:
        if not all(one.prompts):
            raise SteadyError(f"group {one.group.id}: a prompt of which the tokenizer makes no token.")
        longest = max(map(len, one.prompts)) if scorer.language.encodes else one.longest
        if context and max(longest, max(map(len, one.prompts)) + room) > context:
            raise SteadyError(
                f"group {one.group.id}: a prompt of {max(map(len, one.prompts))} tokens is too long for the model's {context} "
                f"positions with {room} for the answer. Lower `format.max_length` or `evaluate.max_new_tokens`."
            )


def answer_bundle(scorer: Scorer, asked: Sequence[Asked], paired: bool) -> list[list[Said]]:
    """Score some groups together: one prefill for each different prompt."""
    wanted: dict[Tokens, frozenset[Tokens]] = {}
    given: dict[Tokens, frozenset[Tokens]] = {}
    for one in asked:
        for prompt, answers in zip(one.prompts, one.given, strict=True):
            wanted[prompt] = wanted.get(prompt, frozenset()) | frozenset(one.prompts if paired else ())
            given[prompt] = given.get(prompt, frozenset()) | frozenset(answers)
    responses, scores, scaled = score_prompts(scorer, wanted, given)
    said = [
        [
            Said(
                prompt_id=name,
                tokens=list(responses[prompt].tokens),
                logprob=scores.get((prompt, responses[prompt].tokens), responses[prompt].logprob),
                given=[scores[prompt, answer] for answer in answers],
                given_tokens=[len(answer) for answer in answers],
                row=[scores[prompt, responses[other].tokens] for other in one.prompts] if paired else [],
                scaled_row=[scaled[prompt, responses[other].tokens][0] for other in one.prompts]
                if paired and scaled
                else [],
            )
            for name, prompt, answers in zip(one.group.prompt_ids, one.prompts, one.given, strict=True)
        ]
        for one in asked
    ]
    _check_finite([item for rows in said for item in rows])
    return said


def _check_finite(said: Sequence[Said]) -> None:
    for item in said:
        if not all(map(math.isfinite, [item.logprob, *item.given, *item.row, *item.scaled_row])):
            raise SteadyError(
                f"prompt {item.prompt_id}: a log-probability is not finite: the weights are broken, or `model.dtype` is too "
                "coarse. Train the arm again, or set `model.dtype: float32`."
            )


def response_text(scorer: Scorer, said: Said) -> str:
    """The response without special tokens and surrounding white space."""
    return decode(scorer.language, tuple(said.tokens)).strip()


def scored_group(group: PromptGroup, said: Sequence[Said], predictions: Sequence[Prediction]) -> ScoredGroup:
    """The matrix of a group whose responses were scored under all its prompts."""
    lengths = np.asarray([len(item.tokens) for item in said], dtype=np.float64)
    matrix, scaled = (np.asarray(rows) for rows in ([item.row for item in said], [item.scaled_row for item in said]))
    return ScoredGroup(group.id, matrix, lengths, tuple(predictions), scaled=scaled if scaled.size else None)
