"""Score groups of prompts with a model that generates; `classifying.py` does the same for a classifier."""

from collections.abc import Mapping, Sequence

import numpy as np

from steady.records import Prediction
from steady.scoring.groups import Floats, Mask, PromptGroup, ScoredGroup, sample_pairs
from steady.scoring.language import Tokens, decode, encode
from steady.scoring.likelihood import Response, Scorer, greedy_responses, score_prompts


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
    responses, scores = score_prompts(scorer, wanted)
    return [
        _scored(scorer, group, prompts, sampled, responses, scores)
        for group, prompts, sampled in zip(groups, encoded, samples, strict=True)
    ]


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
