"""A scripted model and an encoder that counts words: no weights, no waiting."""

from typing import Any

import numpy as np

from steady.paraphrase.judging import Draw

WORDS = ("capital", "peru", "name", "what", "is", "the", "of", "cheese", "ticket", "label", "{input}", "{labels}")


def counted_words(texts: Any) -> Any:
    """How often each of `WORDS` occurs, L2-normalised; a text with none of them stands alone."""
    rows = np.asarray([[text.lower().count(word) for word in WORDS] + [1e-3] for text in texts], dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Script:
    """Gives the draws written for a request, and remembers what it was asked."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    def __call__(self, text: str, seed: int) -> list[Draw]:
        self.asked.append((text, seed))
        return [Draw(answer, True) for key, answers in self.answers.items() if key in text for answer in answers]
