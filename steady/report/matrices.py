"""Matrices of log-probabilities as tables: a row for each prompt with its answer, a column for each different answer.

Equal answers share a column, for M[i][j] depends on the answer alone; what POSIX compares is how far a column moves.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steady.metrics.matrices import ScoredGroup, sensitivity
from steady.records import Prediction
from steady.report.markup import Markup, cut, joined, scrolling, tag, text

Floats = NDArray[np.float64]
MOST_ANSWERS = 12
UPRIGHT_HEADS = 5
LONGEST_ANSWER, LONGEST_HEAD = 90, 14
FAINTEST = -6.0  # nats per token: a probability of a quarter of a percent
SHADES = 9
EXPLAINED = (
    "A cell is the log-probability of the answer of its column under the prompt of its row, in nats per token: 0 is certain, "
    "−0.7 a half, −4.6 one in a hundred. The answer that the prompt got is framed. The more a column changes from row to row, "
    "the more the wording matters; ψ is the mean of those changes (POSIX of the group)."
)


class Folded(NamedTuple):
    """A matrix with a column for each different answer, the commonest first.

    `values` is `(N, K)`, log P(answer | prompt) per token in nats, NaN where it was not scored; `own` is each prompt's column,
    None beyond the K most frequent ones; `others` counts those answers.
    """

    answers: list[str]
    own: list[int | None]
    values: Floats
    others: int


class Row(NamedTuple):
    """A prompt of a group as it is shown: what heads its row, and its text."""

    head: Markup
    prompt: Markup


def psi(group: ScoredGroup) -> float | None:
    """POSIX of a group, in nats per response token; None where it could not be scored."""
    return None if group.fault else sensitivity(group).psi


def folded(group: ScoredGroup, most: int = MOST_ANSWERS) -> Folded:
    """The matrix of a group by different answers, at most `most` of them."""
    responses = group.responses
    votes = Counter(responses)
    columns_of = {answer: place for place, (answer, _) in enumerate(votes.most_common(most))}
    # an empty response has length 0: its cells are not finite, and are drawn as a dash
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = group.matrix / group.lengths
    # of a sampled matrix not every copy of an answer was scored under every prompt
    columns = []
    for answer in columns_of:
        copies = scores[:, [other == answer for other in responses]]
        columns.append(copies[np.arange(len(copies)), np.isfinite(copies).argmax(axis=1)])
    answers = [response_line(group.predictions[responses.index(answer)]) for answer in columns_of]
    own = [columns_of.get(answer) for answer in responses]
    return Folded(answers, own, np.stack(columns, axis=1), len(votes) - len(columns_of))


def response_line(prediction: Prediction) -> str:
    """A response in one line: the label of a classifier, or the text that was generated."""
    # a classifier has no tokens; what a model wrote is shown as it is, not as the label read from it
    answer = prediction.parsed if prediction.parsed and not prediction.token_ids else prediction.text
    return cut(" ".join(answer.split()) or "(empty)", LONGEST_ANSWER)


def matrix_table(caption: str, rows: Sequence[Row], arms: Sequence[tuple[str, ScoredGroup]]) -> Markup:
    """One table for a group: for each arm the answers and the matrix, and the prompts, whose rows are in its order, beside them.

    Cells of arm k have the class `a<k>`, so that a page can show one arm.
    """
    parts = [folded(group) for _, group in arms]
    named = list(enumerate(zip(arms, parts, strict=True)))
    tops, heads, body = [], [], []
    for k, ((name, group), part) in named:
        found = psi(group)
        value = f"ψ {found:.2f}" if found is not None else f"not scored: {group.fault}"
        more = f"; {part.others} more answers" if part.others else ""
        tops.append(_head(f"{name}: {value}{more}", colspan=len(part.answers) + 1, class_=f"a{k} arm"))
        answers = (_head(cut(answer, LONGEST_HEAD), title=answer, class_=f"a{k}") for answer in part.answers)
        heads += [_head("answer", class_=f"a{k} said"), *answers]
    for place, row in enumerate(rows):
        cells = [cell for k, ((_, group), part) in named for cell in _cells(k, part, group.predictions[place], place)]
        head = tag("th", row.head, scope="row", role="rowheader")
        prompt = tag("td", tag("pre", row.prompt), role="cell", class_="prompt")
        body.append(tag("tr", head, *cells, prompt, role="row"))
    names = [
        tag("tr", tag("td", "", role="cell"), *tops, tag("td", "", role="cell", class_="prompt"), role="row"),
        tag("tr", _head("wording"), *heads, _head("prompt", class_="prompt"), role="row"),
    ]
    groups = [tag("thead", *names, role="rowgroup"), tag("tbody", joined(body), role="rowgroup")]
    many = " many" if any(len(part.answers) > UPRIGHT_HEADS for part in parts) else ""
    return scrolling(caption, tag("table", tag("caption", caption), *groups, class_=f"heat{many}", role="table"))


def _head(words: object, **attributes: object) -> Markup:
    return tag("th", words, scope="col", role="columnheader", **attributes)


def _cells(place: int, part: Folded, prediction: Prediction, row: int) -> list[Markup]:
    mark = {True: " ✓", False: " ✗", None: ""}[prediction.correct]
    cells = [tag("td", response_line(prediction) + mark, role="cell", class_=f"a{place} said")]
    for k, value in enumerate(part.values[row]):
        # what the arm answered under this very prompt is framed
        frame = " own" if part.own[row] == k else ""
        # written out, for there are tens of thousands on a page
        cells.append(Markup(f'<td role="cell" class="a{place} h{shade(value)}{frame}">{text(nats(value))}</td>'))
    return cells


def shade(value: float) -> int:
    """0 for a log-probability of `FAINTEST` and less, `SHADES` for certainty."""
    # linear in nats, as what POSIX compares is
    return round(SHADES * max(0.0, 1 - value / FAINTEST)) if np.isfinite(value) else 0


def nats(value: float) -> str:
    """A log-probability for a narrow cell; a dash where it was not scored."""
    if not np.isfinite(value):
        return "–"
    # neither `-0.00` nor a digit that says nothing
    if abs(value) < 0.005:
        return "0"
    digits = 2 if value > -1 else 1 if value > -10 else 0
    return f"{value:.{digits}f}".replace("-", "−")
