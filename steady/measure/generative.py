"""Score groups of prompts with a model that generates; `classifying.py` does the same for a classifier."""

from collections.abc import Mapping, Sequence

import numpy as np

from steady.errors import SteadyError
from steady.inference.language import Tokens, decode, encode
from steady.inference.likelihood import greedy_responses, score_prompts
from steady.inference.scorer import Response, Scorer
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction, Prompt
from steady.scoring.groups import Floats, Mask, PromptGroup, bundles, prompt_groups, sample_pairs


def generate(scorer: Scorer, prompts: Sequence[str], prompt_ids: Sequence[str]) -> list[Prediction]:
    """Greedy responses as records, in the order of the prompts; `correct` is left to the caller."""
    responses = greedy_responses(scorer, encode(scorer.language, prompts))
    return [_prediction(scorer, prompt_id, item) for prompt_id, item in zip(prompt_ids, responses, strict=True)]


def score_groups(
    scorer: Scorer, groups: Sequence[PromptGroup], max_pairs: int | None = None, seed: int = 0
) -> list[ScoredGroup]:
    """Responses and matrices of groups, which share batches; see `steady.scoring.groups.bundles` for how many to pass.

    Args:
        max_pairs: score a sample of so many ordered pairs of prompts of each group; None is all.
        seed: of the sample.
    """
    encoded = [encode(scorer.language, group.prompts) for group in groups]
    samples = [sample_pairs(len(group.prompts), max_pairs, seed, group.id) for group in groups]
    wanted: dict[Tokens, frozenset[Tokens]] = {}
    for prompts, sampled in zip(encoded, samples, strict=True):
        for row, prompt in enumerate(prompts):
            others = frozenset(_others(prompts, row, sampled))
            wanted[prompt] = wanted.get(prompt, frozenset()) | others
    responses, scores, _ = score_prompts(scorer, wanted)
    return [
        _scored(scorer, group, prompts, sampled, responses, scores)
        for group, prompts, sampled in zip(groups, encoded, samples, strict=True)
    ]


def score_records(
    scorer: Scorer, prompts: Sequence[Prompt], progress: bool = False
) -> tuple[list[Prediction], list[ScoredGroup]]:
    """Score the sensitivity prompts of an arm: predictions in the order of `prompts`, and the matrix of every group.

    `correct` is left null: the caller knows how answers of its task are read. A group of one has a matrix of one entry, and
    `fault` one_prompt.

    Raises:
        SteadyError: a prompt and its response do not fit the model.
    """
    from tqdm import tqdm

    groups = prompt_groups(prompts)
    lengths = [max(len(tokens) for tokens in encode(scorer.language, group.prompts)) for group in groups]
    _check_fit(scorer, groups, lengths)
    sizes = [(len(group.prompts), length) for group, length in zip(groups, lengths, strict=True)]
    scored: dict[int, ScoredGroup] = {}
    plan = bundles(sizes, scorer.kept_positions, scorer.max_new_tokens)
    for places in tqdm(plan, desc="scoring", unit="bundle", disable=not progress):
        scored |= zip(places, score_groups(scorer, [groups[place] for place in places]), strict=True)
    found = {item.prompt_id: item for group in scored.values() for item in group.predictions}
    return [found[prompt.id] for prompt in prompts], [scored[place] for place in range(len(groups))]


def _check_fit(scorer: Scorer, groups: Sequence[PromptGroup], lengths: Sequence[int]) -> None:
    context = scorer.language.context
    room = 0 if scorer.language.encodes else scorer.max_new_tokens
    long = [group.id for group, length in zip(groups, lengths, strict=True) if context and length + room > context]
    if long:
        raise SteadyError(
            f"{len(long)} groups have a prompt that is too long for the model's {context} positions with {room} for the response, "
            f"such as {long[0]}. Shorten it, or lower `max_new_tokens`."
        )


def _others(prompts: Sequence[Tokens], row: int, sampled: Mask | None) -> list[Tokens]:
    """The prompts whose responses are scored under the prompt in `row`, itself included."""
    if sampled is None:
        return list(prompts)
    return [prompt for column, prompt in enumerate(prompts) if sampled[row, column] or column == row]


def _scored(
    scorer: Scorer,
    group: PromptGroup,
    prompts: Sequence[Tokens],
    sampled: Mask | None,
    responses: Mapping[Tokens, Response],
    scores: Mapping[tuple[Tokens, Tokens], float],
) -> ScoredGroup:
    known = (
        np.ones((len(prompts), len(prompts)), dtype=bool)
        if sampled is None
        else sampled | np.eye(len(prompts), dtype=bool)
    )
    matrix: Floats = np.full(known.shape, np.nan)
    for row, column in np.argwhere(known):
        matrix[row, column] = scores[prompts[row], responses[prompts[column]].tokens]
    predictions = tuple(
        _prediction(scorer, prompt_id, Response(responses[prompt].tokens, float(value)))
        for prompt_id, prompt, value in zip(group.prompt_ids, prompts, np.diagonal(matrix), strict=True)
    )
    lengths: Floats = np.asarray([len(item.token_ids) for item in predictions], dtype=np.float64)
    return ScoredGroup(group.id, matrix, lengths, predictions, sampled)


def _prediction(scorer: Scorer, prompt_id: str, response: Response) -> Prediction:
    text = decode(scorer.language, response.tokens).strip()
    finite = bool(np.isfinite(response.logprob))
    return Prediction(
        prompt_id=prompt_id,
        text=text,
        token_ids=list(response.tokens),
        logprob=response.logprob if finite else None,
    )
