"""The reward of a short answer that still says what was to be said; pure functions over text."""

from collections.abc import Sequence

from steady.metrics.text import chrf, word_count


def length_factor(words: int, limit: int) -> float:
    """1 up to the limit, from there in a straight line down to 0 at twice the limit."""
    return min(1.0, max(0.0, 2.0 - words / limit))


def concise_reward(answer: str, references: Sequence[str], limit: int) -> float:
    """`chrf` × `length_factor`, 0 to 1: 1 is a reference itself, if it has at most `limit` words.

    A product, so that neither an empty answer nor a long one is worth anything; and a slope past the limit, so that of two
    answers that are both too long the shorter one is better.
    """
    return chrf(answer, references) * length_factor(word_count(answer), limit)


def best_and_worst(answers: Sequence[str], rewards: Sequence[float]) -> tuple[str, str] | None:
    """The answers with the highest and the lowest reward (the first of equals); None where all are worth the same."""
    best, worst = (rewards.index(pick(rewards)) for pick in (max, min))
    return None if rewards[best] == rewards[worst] else (answers[best], answers[worst])
