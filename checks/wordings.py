"""Checks of a bank of wordings: enough of them, of different kinds, and held-out ones that share no phrase with trained ones."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from checks import text
from checks.findings import Finding

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
    """All findings of one bank."""
    source = str(path)
    bank = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    wordings = bank["wordings"]
    if bank["labels"] != list(labels):
        yield Finding(source, 0, "labels", f"{bank['labels']}, expected {list(labels)}")
    if len(wordings) < LEAST_WORDINGS:
        yield Finding(source, 0, "count", f"{len(wordings)} wordings, expected at least {LEAST_WORDINGS}")
    kinds = {wording["kind"] for wording in wordings}
    if len(kinds) < LEAST_KINDS:
        yield Finding(source, 0, "kinds", f"{len(kinds)} kinds of wordings, expected at least {LEAST_KINDS}")
    yield from _single(source, wordings, labels)
    yield from _overlaps(source, wordings)


def _single(source: str, wordings: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[Finding]:
    names = [wording["id"] for wording in wordings]
    for wording in wordings:
        if names.count(wording["id"]) > 1:
            yield Finding(source, 0, "duplicate", f"the id {wording['id']} is there more than once")
        if wording["split"] not in ("trained", "held_out"):
            yield Finding(source, 0, "split", f"{wording['id']}: {wording['split']!r} is neither trained nor held_out")
        if wording["template"].count("{input}") != 1:
            yield Finding(source, 0, "slot", f"{wording['id']}: {{input}} must be there exactly once")
        if sorted(wording.get("labels", labels)) != sorted(labels):
            yield Finding(source, 0, "labels", f"{wording['id']}: {wording['labels']} is no order of {list(labels)}")


def _overlaps(source: str, wordings: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    trained = [(item["id"], content_runs(item["template"])) for item in wordings if item["split"] == "trained"]
    held_out = [(item["id"], content_runs(item["template"])) for item in wordings if item["split"] == "held_out"]
    if not trained or not held_out:
        yield Finding(
            source, 0, "split", f"{len(trained)} trained and {len(held_out)} held-out wordings, both are needed"
        )
    for name, mine in held_out:
        for other, theirs in trained:
            for run in sorted(mine & theirs):
                yield Finding(source, 0, "overlap", f"held-out {name} shares `{' '.join(run)}` with trained {other}")
