"""The figures of the format stage: how many wordings there are, and how long the prompts are for the model."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

import msgspec

from steady.format.formatted import SPLITS, Formatted
from steady.format.lengths import Encode, summary, token_counts
from steady.prompts.render import render
from steady.records import Prompt, Split

TRAIN_PROMPTS_COUNTED = 20_000


class FormatFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `metrics/format.json`: wordings per family, scheduled prompts per family, tokens per split and family.

    Of the schedule the tokens of at most `TRAIN_PROMPTS_COUNTED` prompts are counted, evenly spread.
    """

    model: str
    max_length: int
    wordings: dict[str, dict[str, int]]
    scheduled: dict[str, int]
    tokens: dict[str, dict[str, dict[str, float | int]]]


def format_figures(result: Formatted, encode: Encode) -> FormatFigures:
    """How many wordings there are, and how long the prompts are for the model."""
    # Per family: trained, held out by level, chosen for the sensitivity prompts, and alike to the model, so left out.
    families: dict[str, Counter[str]] = {}
    for wording in result.wordings:
        key = "trained" if wording.trained else f"held_out_{wording.level}"
        families.setdefault(wording.family, Counter())[key] += 1
    for key, chosen in (("drawn_L0", result.seen), ("drawn_L1_L2", result.unseen)):
        for wording in chosen:
            families[wording.family][key] += 1
    for name in result.alike:
        families.setdefault(name.split("/")[0], Counter())["alike"] += 1
    keys = ("trained", "held_out_L1", "held_out_L2", "drawn_L0", "drawn_L1_L2", "alike")
    # The family is the part of the id before the slash.
    scheduled = Counter(name.split("/")[0] for row in result.schedule() for name in row.wordings)
    return FormatFigures(
        model=result.params.model.id,
        max_length=result.params.format.max_length,
        wordings={family: {key: counts[key] for key in keys} for family, counts in families.items()},
        scheduled=dict(sorted(scheduled.items())),
        tokens={split: _token_figures(result, encode, split) for split in SPLITS},
    )


def _token_figures(result: Formatted, encode: Encode, split: Split) -> dict[str, dict[str, float | int]]:
    max_length = result.params.format.max_length
    by_family: dict[str, list[str]] = {}
    for family, text in _train(result) if split == "train" else _scored(result, split):
        by_family.setdefault(family, []).append(text)
    counts = {family: token_counts(texts, encode) for family, texts in sorted(by_family.items())}
    figures = {family: summary(numbers, max_length) for family, numbers in counts.items()}
    return figures | {"all": summary([number for numbers in counts.values() for number in numbers], max_length)}


def _train(result: Formatted) -> Iterator[tuple[str, str]]:
    """Family and prompt of the schedule's entries, evenly thinned where there are too many."""
    params, wordings = result.params.format, {wording.id: wording for wording in result.wordings}
    total = len(result.splits["train"]) * params.wordings_per_example
    # Rounded up, so that no more than the limit are counted.
    step = max(1, -(-total // TRAIN_PROMPTS_COUNTED))
    pairs = (
        (example, name)
        for example, row in zip(result.splits["train"], result.schedule(), strict=True)
        for name in row.wordings
    )
    for example, name in islice(pairs, 0, None, step):
        yield wordings[name].family, render(example, wordings[name], result.bank)


def _scored(result: Formatted, split: str) -> Iterator[tuple[str, str]]:
    """The different prompts of a split that some stage scores."""
    seen: dict[str, Prompt] = {}
    for prompt in chain(result.validation(), result.evaluation(), result.sensitivity()):
        if prompt.split == split:
            # A canonical prompt is among the prompts of several stages and counts once.
            seen.setdefault(prompt.id, prompt)
    return ((prompt.wording.split("/")[0], prompt.prompt) for prompt in seen.values())
