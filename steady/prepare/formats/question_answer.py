"""`{"question": …, "answer": …}`: a label task where `data.labels` lists the answers, free text where it does not."""

from collections.abc import Iterator

from steady.prepare.context import Context, classified, labels_of
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {"question": "Which planet is the largest?", "answer": "Jupiter"}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft whose input is the question."""
    question = row.text("question")
    if context.labels is not None:
        yield classified(question, labels_of(row, "answer", context))
    else:
        answer = row.text("answer")
        yield Draft(input=question, output=answer)
