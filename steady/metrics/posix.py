"""POSIX, the prompt sensitivity index, on the matrices of log-probabilities that define it.

`M[i][j]` is log P(y_j | x_i), natural log: row = prompt, column = response; `lengths[j]` counts the tokens of y_j. For a
classifier the response is the predicted label, of length 1, so M follows from the label log-probabilities.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from steady.labels import Floats

ONE_PROMPT, EMPTY_RESPONSE, NOT_FINITE = "one_prompt", "empty_response", "not_finite"
FAULTS = (ONE_PROMPT, EMPTY_RESPONSE, NOT_FINITE)
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0


class Group(NamedTuple):
    """One group: `matrix` `(N, N)` in nats, `lengths` `(N,)` in tokens, and N responses of which equal ones are equal."""

    matrix: Floats
    lengths: Floats
    responses: Sequence[Any]


class Sensitivity(NamedTuple):
    """psi of one group, in nats per response token, and its parts from equal and from different responses."""

    psi: float
    same: float
    different: float


def group_fault(matrix: ArrayLike, lengths: ArrayLike) -> str | None:
    """Why a group cannot be scored: one of `FAULTS`, or None; ValueError where the shapes are not `(N, N)` and `(N,)`."""
    scores, tokens = np.asarray(matrix, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    if scores.shape != (len(tokens), len(tokens)) or tokens.ndim != 1:
        raise ValueError(f"expected a matrix (N, N) and N lengths, got {scores.shape} and {tokens.shape}")
    if len(tokens) < 2:
        return ONE_PROMPT
    if (tokens <= 0).any():
        return EMPTY_RESPONSE
    return None if np.isfinite(scores).all() else NOT_FINITE


def log_ratios(matrix: ArrayLike, lengths: ArrayLike) -> Floats:
    """abs(M[i][j] - M[j][j]) / L_j for every pair, `(N, N)`; the diagonal is 0."""
    scores, tokens = np.asarray(matrix, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    ratios: Floats = np.abs(scores - np.diagonal(scores)) / tokens
    return ratios


def prompt_sensitivity(matrix: ArrayLike, lengths: ArrayLike, responses: Sequence[Any]) -> Sensitivity:
    """Psi of one group: the sum of `log_ratios` over i, j divided by N (N - 1), split by whether y_i equals y_j.

    Source: Chatterjee et al. 2024, arXiv 2410.02185, Definitions 3.1 to 3.3; the split is ours: pairs with equal
    responses differ in confidence alone. ValueError where the group has a `group_fault`, or there are not N responses.
    """
    fault = group_fault(matrix, lengths)
    ratios = log_ratios(matrix, lengths)
    if fault or len(responses) != len(ratios):
        raise ValueError(f"cannot score this group of {len(ratios)} prompts: {fault or 'as many responses are needed'}")
    # pairs with equal responses differ in confidence alone
    seen: dict[Any, int] = {}
    # token ids may come as lists
    keys = [tuple(item) if isinstance(item, list) else item for item in responses]
    codes = np.asarray([seen.setdefault(key, len(seen)) for key in keys])
    pairs = len(ratios) * (len(ratios) - 1)
    same = float(ratios[codes[:, None] == codes].sum()) / pairs
    different = float(ratios[codes[:, None] != codes].sum()) / pairs
    return Sensitivity(float(ratios.sum()) / pairs, same, different)


def classifier_group(logprobs: ArrayLike) -> Group:
    """The group of a classifier, from log-probabilities `(N, labels)` in nats: a response is the most probable label, of length 1."""
    rows = np.asarray(logprobs, dtype=np.float64)
    # The columns of the labels that were answered: the response to prompt j is a label, and column j its probability.
    answers = rows.argmax(axis=1)
    return Group(rows[:, answers], np.ones(len(rows)), answers.tolist())


def scaled_logprobs(logprobs: ArrayLike, temperature: float) -> Floats:
    """Log-softmax of log-probabilities `(…, labels)` divided by a temperature; 1 changes nothing."""
    rows = np.asarray(logprobs, dtype=np.float64) / temperature
    # at a low temperature `exp` of the plain quotients would underflow for every label
    rows = rows - rows.max(axis=-1, keepdims=True)
    result: Floats = rows - np.log(np.exp(rows).sum(axis=-1, keepdims=True))
    return result


def fit_temperature(logprobs: ArrayLike, gold: ArrayLike) -> float:
    """The temperature that minimises the log loss of `(rows, labels)` log-probabilities on validation rows.

    Source: Guo et al. 2017, arXiv 1706.04599. It is looked for between 0.05 and 20: a model that makes no mistake on
    validation would otherwise be scaled without limit. `gold` is the column of the true label of each row. ValueError where there
    are no rows, or a log-probability is not finite.
    """
    rows, columns = finite_rows(logprobs), np.asarray(gold, dtype=np.intp)
    places = np.arange(len(rows))
    return best_temperature(lambda temperature: -float(scaled_logprobs(rows, temperature)[places, columns].mean()))


def finite_rows(logprobs: ArrayLike) -> Floats:
    """Log-probabilities `(rows, labels)` to fit a temperature to; ValueError where there are no rows, or one is not finite."""
    rows = np.asarray(logprobs, dtype=np.float64)
    if rows.ndim != 2 or len(rows) == 0 or not np.isfinite(rows).all():
        raise ValueError(f"a temperature is fitted to finite log-probabilities (rows, labels), got shape {rows.shape}")
    return rows


def best_temperature(loss: Callable[[float], float]) -> float:
    """The temperature between 0.05 and 20 with the lowest loss."""
    from scipy.optimize import minimize_scalar

    # searched on a logarithmic scale: 0.5 and 2 are equally far from 1
    bounds = (np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE))
    found = minimize_scalar(
        lambda logarithm: loss(np.exp(logarithm)), bounds=bounds, method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(found.x))
