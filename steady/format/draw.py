"""Which prompts are scored: for early stopping, for the record, and for sensitivity."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from steady.prompts.bank import Bank
from steady.prompts.levels import CANONICAL_WORDING, OF_THE_EXAMPLE
from steady.prompts.params import FormatParams, SensitivityDraw
from steady.prompts.render import applies, render
from steady.prompts.schedule import take_turns, trained_families
from steady.records import Example, Level, Prompt, Wording, content_id


def prompt_of(example: Example, wording: Wording, bank: Bank | None) -> Prompt:
    """The record of one prompt; its id depends on the example and the wording alone."""
    return Prompt(
        id=content_id("prompt", example.id, wording.id),
        group_id=example.group_id,
        example_id=example.id,
        wording=wording.id,
        prompt=render(example, wording, bank),
        completion=example.output,
        references=example.references,
        labels=example.labels,
        split=example.split or "test",
    )


def evaluation_prompts(examples: Sequence[Example], bank: Bank | None) -> Iterator[Prompt]:
    """Every example under the canonical wording."""
    return (prompt_of(example, CANONICAL_WORDING, bank) for example in examples)


def validation_prompts(
    examples: Sequence[Example], wordings: Sequence[Wording], bank: Bank | None, params: FormatParams
) -> Iterator[Prompt]:
    """Every example under the canonical wording and under `params.validation_wordings` trained ones, families taking turns."""
    families = trained_families(wordings)
    by_id = {wording.id: wording for family in families.values() for wording in family}
    for example in examples:
        yield prompt_of(example, CANONICAL_WORDING, bank)
        usable = [[wording.id for wording in family if applies(example, wording, bank)] for family in families.values()]
        # Seeded by the example, so that other rows do not change its prompts.
        turns = take_turns([ids for ids in usable if ids], random.Random(f"{params.seed}:validation:{example.id}"))
        chosen = [name for name, _ in zip(turns, range(params.validation_wordings), strict=False)]
        # Where there are fewer wordings than are wanted, they come round again.
        yield from (prompt_of(example, by_id[name], bank) for name in dict.fromkeys(chosen))


def sensitivity_prompts(
    examples: Sequence[Example], wordings: Sequence[Wording], bank: Bank | None, draw: SensitivityDraw
) -> Iterator[Prompt]:
    """The groups, each under the canonical wording and under its share of the `wordings` that apply to it, in their order.

    A group is represented by its first example: the others of a group that the data bring are among its paraphrases.
    """
    for number, example in enumerate(examples):
        worded = [wording for wording in wordings if applies(example, wording, bank)]
        if draw.wordings_per_group is not None:
            worded = wordings_of_group(worded, draw.wordings_per_group, number)
        yield from (prompt_of(example, wording, bank) for wording in [CANONICAL_WORDING, *worded])


def wordings_of_group(wordings: Sequence[Wording], count: int, group: int) -> list[Wording]:
    """`count` wordings of each family for group number `group` (from 0), in equal parts from the family's levels.

    The groups take turns: of a level with n wordings a group has the next k of them in a circle, so that over n groups each
    wording is used k times (a cyclic incomplete block design).
    """
    cells: dict[str, dict[Level, list[Wording]]] = {}
    for wording in wordings:
        cells.setdefault(wording.family, {}).setdefault(wording.level, []).append(wording)
    chosen: set[str] = set()
    for levels in cells.values():
        for pool, share in zip(levels.values(), shares(count, [len(pool) for pool in levels.values()]), strict=True):
            chosen.update(pool[(group * share + place) % len(pool)].id for place in range(share))
    return [wording for wording in wordings if wording.id in chosen]


def draw_groups(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """The first example of each of `count` groups drawn at random; a larger draw contains the smaller one."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.group_id, example)
    # By a hash of each group: more rows add groups and change no choice between the others.
    return sorted(first.values(), key=lambda example: content_id(f"{seed}:group", example.group_id))[:count]


def seen_wordings(wordings: Sequence[Wording], draw: SensitivityDraw) -> list[Wording]:
    """L0, for groups of the train split: trained wordings of each family. A family never trained on has none."""
    families = trained_families(wordings)
    return [
        wording
        for family in draw.families
        for wording in balanced_choice(families.get(family, []), draw.wordings_per_family, f"{draw.seed}:seen:{family}")
    ]


def unseen_wordings(wordings: Sequence[Wording], draw: SensitivityDraw) -> list[Wording]:
    """L1 and L2, for groups of the test split: held-out wordings of each family, in equal parts from its levels (`shares`).

    Paraphrases that the examples bring themselves count as held out there, as no training saw those of a test group.
    """
    chosen: list[Wording] = []
    for family in draw.families:
        levels = held_out_levels(wordings, family)
        parts = shares(draw.wordings_per_family, [len(pool) for pool in levels.values()])
        for (level, pool), share in zip(levels.items(), parts, strict=True):
            chosen += balanced_choice(pool, share, f"{draw.seed}:unseen:{family}:{level}")
    return chosen


def held_out_levels(wordings: Sequence[Wording], family: str) -> dict[Level, list[Wording]]:
    """The wordings of a family that no training saw, by level, L2 first."""
    pool = [
        wording
        for wording in wordings
        if wording.family == family and (not wording.trained or wording.operator == OF_THE_EXAMPLE)
    ]
    # L2 first: where the number is odd, the harder level gets one more.
    levels: tuple[Level, ...] = ("L2", "L1")
    found = {level: [wording for wording in pool if wording.level == level] for level in levels}
    return {level: members for level, members in found.items() if members}


def shares(total: int, sizes: Sequence[int]) -> list[int]:
    """`total` in equal parts from pools of these sizes; what a small pool cannot give, the others do, the first ones first."""
    parts = [0] * len(sizes)
    while sum(parts) < min(total, sum(sizes)):
        open_pools = [index for index, size in enumerate(sizes) if parts[index] < size]
        parts[min(open_pools, key=lambda index: parts[index])] += 1
    return parts


def balanced_choice(wordings: Sequence[Wording], count: int, seed: str) -> list[Wording]:
    """`count` wordings that spread evenly over operators and strengths; a larger choice begins with the smaller one."""
    left = random.Random(seed).sample(wordings, len(wordings))
    operators: Counter[str] = Counter()
    strengths: Counter[int] = Counter()
    chosen: list[Wording] = []
    while left and len(chosen) < count:
        # Strengths first: they say how far a prompt is changed.
        best = min(left, key=lambda wording: (strengths[wording.strength], operators[wording.operator]))
        left.remove(best)
        chosen.append(best)
        operators[best.operator] += 1
        strengths[best.strength] += 1
    return chosen
