"""Checks of a bank of wordings: enough of them, of different kinds, and held-out ones that share no phrase with trained ones."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from checks import text
from checks.findings import Finding
from steady.prompts.bank import read_bank

LEAST_WORDINGS = 32
LEAST_KINDS = 8
RUN = 4  # content words
_FUNCTION_WORDS = """
a about above after all an and any are as at be been below but by can could did do does for from had has have he her here
him his how i if in into is it its just me more most my no nor not of off on one only or other our out own please shall she
should so some such than that the their them then there these they this those to too under up us very was we were what when
where which who whom why will with would you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
_SLOT = re.compile(r"\{\w+\}")


def content_words(template: str) -> list[str]:
    """The lower-cased words of a template without slots and function words, in order."""
    return [word for word in text.words(_SLOT.sub(" ", template)) if word not in FUNCTION_WORDS]


def content_runs(template: str) -> set[tuple[str, ...]]:
    """Every run of four consecutive content words of a template."""
    found = content_words(template)
    return {tuple(found[start : start + RUN]) for start in range(len(found) - RUN + 1)}


def check_bank(path: Path, labels: Sequence[str]) -> Iterator[Finding]:
    """All findings of one bank that the program can read."""
    source, bank = str(path), read_bank(path, labels)
    templates = list(bank.templates.values())
    if list(bank.labels) != list(labels):
        yield Finding(source, 0, "labels", f"{list(bank.labels)}, expected {list(labels)}")
    if len(templates) < LEAST_WORDINGS:
        yield Finding(source, 0, "count", f"{len(templates)} wordings, expected at least {LEAST_WORDINGS}")
    kinds = {template.kind for template in templates}
    if len(kinds) < LEAST_KINDS:
        yield Finding(source, 0, "kinds", f"{len(kinds)} kinds of wordings, expected at least {LEAST_KINDS}")
    trained = [(template.id, content_runs(template.template)) for template in templates if template.trained]
    held_out = [(template.id, content_runs(template.template)) for template in templates if not template.trained]
    if not held_out:
        yield Finding(source, 0, "split", "no held-out wordings")
    for name, mine in held_out:
        for other, theirs in trained:
            for run in sorted(mine & theirs):
                yield Finding(source, 0, "overlap", f"held-out {name} shares `{' '.join(run)}` with trained {other}")
