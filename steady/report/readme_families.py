"""The README's tables over seeds by family of rewording, and what they say in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from steady.metrics.arm_sensitivity import HIGHER, MEASURES

Metrics = Mapping[str, Any]
MOVED = ("mean_accuracy", "agreement", "posix")
TEXTS = {"rouge_l": "ROUGE-L", "chrf": "chrF", "reference_perplexity": "perplexity of the reference", "words": "words"}
COLUMNS = {
    "mean_accuracy": "accuracy",
    "worst_wording_accuracy": "worst wording",
    "spread": "spread",
    "agreement": "agreement",
    "posix": "POSIX",
    "posix_scaled": "POSIX, scaled",
}


def family_rows(found: Metrics, estimated: Callable[[Metrics], str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table by level, family and arm.

    Args:
        found: `metrics/seeds*.json`.
        estimated: renders an entry with its interval.
    """
    rows = [
        [level, family, arm, *(estimated(measures[name]) for name in COLUMNS)]
        for level, family, cell in _cells(found)
        for arm, measures in cell["arms"].items()
    ]
    return ["level", "family", "arm", *COLUMNS.values()], rows


def _cells(found: Metrics) -> Iterator[tuple[str, str, Metrics]]:
    for level, families in found["families"].items():
        for family, cell in families.items():
            yield level, family, cell


def in_words(found: Metrics) -> str:
    """Where each step made a family better or worse: those whose interval leaves zero out, on unseen groups (L1, L2)."""
    steps = found["steps"]
    return "\n".join(f"* {name.replace('_to_', ' → ')}: {_moved(found, name)}" for name in steps)


def _moved(found: Metrics, step: str) -> str:
    cells = 0
    better: list[tuple[str, str]] = []
    worse: list[tuple[str, str]] = []
    for level, family, cell in _cells(found):
        if level == "L0" or family == "all":
            continue
        cells += 1
        for measure in MOVED:
            low, high = cell["steps"][step][measure]["interval"]
            if low is None or high is None or low <= 0 <= high:
                continue
            (better if (low > 0) == (MEASURES[measure] == HIGHER) else worse).append((measure, f"{family} ({level})"))
    return f"better in {_listed(better)}; worse in {_listed(worse)}, of {cells} families on unseen groups."


def _listed(places: Sequence[tuple[str, str]]) -> str:
    told = []
    for measure in MOVED:
        found = [place for name, place in places if name == measure]
        if found:
            told.append(f"{COLUMNS[measure]}: {', '.join(found)}")
    return " · ".join(told) or "nothing that the intervals would bear out"


def text_rows(found: Metrics, estimated: Callable[[Metrics], str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of open answers: what every arm wrote to the test prompts, against the references."""
    rows = [[arm, *(estimated(measures[name]) for name in TEXTS)] for arm, measures in found["generated"].items()]
    return ["", *TEXTS.values()], rows


def tokens_told(found: Metrics) -> str:
    """What each trained arm was shown, means over seeds."""
    told = []
    for arm, records in found["training"].items():
        tokens = [record["tokens"] for record in records if record["tokens"]]
        if tokens:
            told.append(f"{arm} {sum(tokens) / len(tokens):,.0f}")
    return f" Tokens shown in training: {', '.join(told)}." if told else ""
