"""The reward of a short answer that still says what was to be said; pure functions over text."""

import re
import unicodedata
from collections.abc import Sequence

FUNCTIONS = (
    "a an the and or but if so as at by for from in into of off on onto out over than that this these those to up with "
    "is are was were be been being am do does did has have had will would can could should may might must "
    "i you he she it we they me him her us them my your his its our their who which what there here then not no "
    "s t d ll re ve m"
)
FUNCTION_WORDS = frozenset(FUNCTIONS.split())
WORD = re.compile(r"\w+")


def word_count(text: str) -> int:
    """The number of words: runs of characters that are not white space."""
    return len(text.split())


def content_words(text: str) -> frozenset[str]:
    """The distinct words of a text in lower case (NFKC, letters and digits) but for function words; all, where that leaves none."""
    found = frozenset(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    return found - FUNCTION_WORDS or found


def kept(answer: str, references: Sequence[str]) -> float:
    """How much of the right answer an answer keeps, 0 to 1: the share of a reference's content words that occur in it.

    With several references it is the best share. A reference without any word counts as kept where the answer is the same.
    """
    return max((_recall(answer, reference) for reference in references), default=0.0)


def _recall(answer: str, reference: str) -> float:
    wanted = content_words(reference)
    if not wanted:
        return float(answer.strip() == reference.strip())
    said = frozenset(WORD.findall(unicodedata.normalize("NFKC", answer).casefold()))
    return len(wanted & said) / len(wanted)


def length_factor(words: int, limit: int) -> float:
    """1 up to the limit, from there in a straight line down to 0 at twice the limit."""
    return min(1.0, max(0.0, 2.0 - words / limit))


def concise_reward(answer: str, references: Sequence[str], limit: int) -> float:
    """`kept` × `length_factor`, 0 to 1: 1 is the whole content of a reference in at most `limit` words.

    A product, so that neither an empty answer nor a long one is worth anything; and a slope past the limit, so that of two
    answers that are both too long the shorter one is better.
    """
    return kept(answer, references) * length_factor(word_count(answer), limit)


def best_and_worst(answers: Sequence[str], rewards: Sequence[float]) -> tuple[str, str] | None:
    """The answers with the highest and the lowest reward (the first of equals); None where all are worth the same."""
    best, worst = (rewards.index(pick(rewards)) for pick in (max, min))
    return None if rewards[best] == rewards[worst] else (answers[best], answers[worst])
