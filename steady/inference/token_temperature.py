"""The temperature of a model that generates, fitted on the tokens of the right answers to validation prompts."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steady.inference.language import Tokens, encode, encode_answer
from steady.inference.likelihood import chunks_of, score_prompts
from steady.inference.scorer import Scorer
from steady.metrics.posix import best_temperature
from steady.records import Prompt

GRID = tuple(float(value) for value in np.geomspace(0.05, 20, 25))
"""Where the loss is computed; a cubic spline over log temperature goes through these points."""


def fit_token_temperature(scorer: Scorer, prompts: Sequence[Prompt]) -> float | None:
    """The temperature under which the completions of prompts have the lowest loss a token; None without prompts.
    It divides the logits over the whole vocabulary. Source: Guo et al. 2017, arXiv 1706.04599, with tokens for classes.
    """
    if not prompts:
        return None
    from scipy.interpolate import CubicSpline

    language = scorer.language
    given: dict[Tokens, frozenset[Tokens]] = {}
    for prompt, tokens in zip(prompts, encode(language, [one.prompt for one in prompts]), strict=True):
        given[tokens] = given.get(tokens, frozenset()) | {encode_answer(language, prompt.prompt, prompt.completion)}
    # one new token, since no response is wanted here, only the given answers
    asking = replace(scorer, max_new_tokens=1, temperatures=GRID)
    losses, count = np.zeros(len(GRID)), 0
    # chunk by chunk, so that the log-probabilities of one chunk alone are held
    for chunk in chunks_of(asking, set(given)):
        found = score_prompts(asking, dict.fromkeys(chunk, frozenset()), {prompt: given[prompt] for prompt in chunk})
        losses -= np.sum(list(found.scaled.values()), axis=0)
        count += sum(len(answer) for _, answer in found.scaled)
    spline = CubicSpline(np.log(GRID), losses / count)
    return best_temperature(lambda temperature: float(spline(np.log(temperature))))
