"""`{"question": …, "answer": …}`: a label task where `data.labels` lists the answers, free text where it does not."""

from collections.abc import Iterator

from steady.sources.rows import Draft, Row, checked_label

SAMPLE = {"question": "Which planet is the largest?", "answer": "Jupiter"}


def drafts(row: Row, labels: tuple[str, ...] | None) -> Iterator[Draft]:
    """One draft whose input is the question."""
    question = row.text("question")
    answer = checked_label(row, row.text("answer"), labels)
    yield Draft(input=question, output=answer, references=[answer], labels=[answer] if labels else [])
