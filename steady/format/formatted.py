"""Everything the format stage makes of the prepared splits, and the checks before it makes anything."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from steady.errors import SteadyError
from steady.format.draw import (
    draw_groups,
    evaluation_prompts,
    held_out_levels,
    seen_wordings,
    sensitivity_prompts,
    unseen_wordings,
    validation_prompts,
)
from steady.format.lengths import Encode, frame_lengths, look_alikes
from steady.prompts.bank import Bank, task_bank
from steady.prompts.families.paraphrase import PROMPTS, with_paraphrases
from steady.prompts.levels import CANONICAL_WORDING, available_wordings
from steady.prompts.params import FormatStage
from steady.prompts.phrasebook import phrasebook, write_phrasebook
from steady.prompts.schedule import canonical_schedule, trained_families, variant_schedule
from steady.records import CANONICAL, Example, Prompt, ScheduleRow, Split, Wording, read_records, write_records

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
# Examples on which the tokens of two wordings are compared.
PROBES = 4
LEAST_ROOM = 8
"""Tokens of a prompt that are the text's own, whatever the wording."""
Splits = Mapping[Split, list[Example]]


@dataclass(frozen=True)
class Formatted:
    """The wordings of a task and the prompts made with them.

    `wordings` are those that the model's tokenizer can tell apart; `alike` maps each other one to its double.
    """

    params: FormatStage
    splits: Splits
    bank: Bank | None
    wordings: list[Wording]
    alike: dict[str, str]

    @cached_property
    def seen(self) -> list[Wording]:
        """The trained wordings of the sensitivity prompts of the train split (L0)."""
        return seen_wordings(self.wordings, self.params.sensitivity)

    @cached_property
    def unseen(self) -> list[Wording]:
        """The held-out wordings of the sensitivity prompts of unseen groups (L1 and L2)."""
        return unseen_wordings(self.wordings, self.params.sensitivity)

    def schedule(self) -> Iterator[ScheduleRow]:
        """The schedule of the variants."""
        return variant_schedule(self.splits["train"], self.wordings, self.bank, self.params.format)

    def validation(self) -> Iterator[Prompt]:
        """The prompts of early stopping."""
        return validation_prompts(self.splits["validation"], self.wordings, self.bank, self.params.format)

    def evaluation(self) -> Iterator[Prompt]:
        """The canonical prompts of the validation and the test split."""
        return evaluation_prompts([*self.splits["validation"], *self.splits["test"]], self.bank)

    def sensitivity(self) -> Iterator[Prompt]:
        """The reworded groups: of the train split, then of `sensitivity.split`."""
        draw = self.params.sensitivity
        # Without groups of the train split there is no L0, which is allowed.
        train = draw_groups(self.splits["train"], draw.train_groups, draw.seed)
        unseen = draw_groups(self.splits[draw.split], draw.test_groups, draw.seed)
        yield from sensitivity_prompts(train, self.seen, self.bank, draw)
        yield from sensitivity_prompts(unseen, self.unseen, self.bank, draw)


def read_splits(folder: Path) -> dict[Split, list[Example]]:
    """The prepared splits, each example with the paraphrases that the data have for it."""
    return {split: with_paraphrases(read_records(folder / f"{split}.jsonl", Example)) for split in SPLITS}


def make_formatted(params: FormatStage, splits: Splits, encode: Encode) -> Formatted:
    """Choose the wordings and check that they are enough.

    Raises:
        SteadyError: the bank or the splits cannot give what the parameters ask for; every fault is listed.
    """
    path, labels = params.format.wordings, params.data.labels
    if labels is None and path is not None:
        labels = found_labels(splits)
    bank = task_bank(path, labels, multi_label=params.data.multi_label)
    # Paraphrases that examples bring are numbered; an example with fewer leaves the higher numbers out.
    most = max((len(row.meta.get(PROMPTS, ())) for rows in splits.values() for row in rows), default=0)
    everything = available_wordings(bank, params.format, most)
    faults = [*_bank_faults(params, bank, labels or ()), *_split_faults(splits)]
    # Two wordings that read the same to the model would count as agreement, or be trained on and held out at once.
    alike: dict[str, str] = {}
    # A faulty bank or an empty split cannot be rendered.
    if not faults:
        probes = sorted(splits["train"], key=lambda example: example.id)[:PROBES]
        alike = look_alikes(everything, probes, bank, encode)
        faults += _room_faults(everything, bank, params, encode)
    wordings = [wording for wording in everything if wording.id not in alike]
    result = Formatted(params=params, splits=splits, bank=bank, wordings=wordings, alike=alike)
    faults += [*_wording_faults(result), *_group_faults(params, splits)]
    if faults:
        raise SteadyError("\n".join(faults))
    return result


def write_formatted(out: Path, result: Formatted) -> dict[str, int]:
    """Write the files between stages below `out`; the number of rows of each."""
    rows, bank, train = result.wordings, result.bank, result.splits["train"]
    # Held-out wordings are not in the phrasebook, so that a change of one reruns no training.
    trained = [wording for wording in rows if wording.trained]
    write_phrasebook(out / "schedule" / "canonical.phrasebook.json", phrasebook([CANONICAL_WORDING], bank))
    write_phrasebook(out / "schedule" / "variants.phrasebook.json", phrasebook(trained, bank))
    return {
        "wordings": write_records(out / "wordings.jsonl", rows),
        "schedule/canonical": write_records(out / "schedule" / "canonical.jsonl", canonical_schedule(train, bank)),
        "schedule/variants": write_records(out / "schedule" / "variants.jsonl", result.schedule()),
        "validation": write_records(out / "validation.jsonl", result.validation()),
        "evaluation": write_records(out / "evaluation.jsonl", result.evaluation()),
        "sensitivity": write_records(out / "sensitivity.jsonl", result.sensitivity()),
    }


def found_labels(splits: Splits) -> tuple[str, ...]:
    """The labels that occur, sorted: those of a task whose `data.labels` is null."""
    return tuple(sorted({label for rows in splits.values() for row in rows for label in row.labels}))


def _bank_faults(params: FormatStage, bank: Bank | None, labels: Sequence[str]) -> Iterator[str]:
    if bank is not None and params.format.wordings and sorted(bank.labels) != sorted(labels):
        yield (
            f"{params.format.wordings}: its labels {list(bank.labels)} are not those of `data.labels` {list(labels)}. "
            "Name the bank of this task in `format.wordings`, or make the two lists equal."
        )
    if (
        bank is not None
        and bank.several
        and bank.templates
        and "{labels}" not in bank.templates[bank.canonical].template
    ):
        yield (
            f"{params.format.wordings}: the canonical wording {bank.canonical!r} has no slot {{labels}}, which is where a prompt "
            "says that several labels may apply (`data.multi_label`). Add the slot."
        )


def _room_faults(wordings: Sequence[Wording], bank: Bank | None, params: FormatStage, encode: Encode) -> Iterator[str]:
    """Families in use whose label list leaves no room for the text in any of their wordings; the canonical wording is one of them."""
    if bank is None or not bank.templates:
        return
    most = params.format.max_length - LEAST_ROOM
    used = {CANONICAL, *params.format.trained_families, *params.sensitivity.families}
    frames = frame_lengths([wording for wording in wordings if wording.family in used], bank, encode)
    families = {wording.id: wording.family for wording in wordings}
    crowded = Counter(families[name] for name, tokens in frames.items() if tokens > most)
    # Some wordings of a family are longer than the others; what is cut of their prompts is counted and printed.
    if any(number == sum(families[name] == family for name in frames) for family, number in crowded.items()):
        counts = ", ".join(f"{family} {number}" for family, number in crowded.items())
        yield (
            f"format.max_length is {params.format.max_length} tokens. Without its text the canonical wording takes "
            f"{frames[CANONICAL]} of them, the longest one {max(frames.values())}, with a list of {len(bank.labels)} labels; "
            f"at least {LEAST_ROOM} are for the text. Wordings without that room: {counts}. Raise it to "
            f"{max(frames.values()) + LEAST_ROOM} or more, shorten the labels, leave the slot {{labels}} out of the templates, or "
            "leave these families out of `format.trained_families` and `sensitivity.families`."
        )


def _split_faults(splits: Splits) -> Iterator[str]:
    for split in SPLITS:
        rows = splits[split]
        if not rows:
            yield f"{split}.jsonl of the prepared data has no examples. Raise `data.{split}_rows`."
        # Formats of whole conversations fill neither field.
        blank = [row for row in rows if not row.instruction and not row.input]
        if blank:
            yield (
                f"{blank[0].source}:{blank[0].line}: neither instruction nor input, so there is nothing to word "
                f"({len(blank)} such examples in the {split} split)."
            )


def _wording_faults(result: Formatted) -> Iterator[str]:
    params, draw = result.params.format, result.params.sensitivity
    trained = trained_families(result.wordings)
    for family in params.trained_families:
        if family not in trained:
            yield f"format.trained_families: {family!r} has no trained wordings here{_because(result, family)}. Leave it out."
    have = sum(map(len, trained.values()))
    if params.validation_wordings > have:
        yield f"format.validation_wordings is {params.validation_wordings}, there are {have} trained wordings. Lower it."
    for family in draw.families:
        yield from _draw_faults(result, family, len(trained.get(family, [])))


def _draw_faults(result: Formatted, family: str, trained: int) -> Iterator[str]:
    asked, why = result.params.sensitivity.wordings_per_family, _because(result, family)
    held_out = sum(map(len, held_out_levels(result.wordings, family).values()))
    fix = f"{why}. Lower sensitivity.wordings_per_family, or add wordings."
    if not held_out:
        yield f"sensitivity.families: {family!r} has no held-out wordings here{why}. Leave it out."
    elif held_out < asked:
        yield f"sensitivity.wordings_per_family is {asked}; {held_out} {family} wordings are held out{fix}"
    if result.params.sensitivity.train_groups and 0 < trained < asked:
        yield f"sensitivity.wordings_per_family is {asked}; {trained} {family} wordings are trained on{fix}"


def _because(result: Formatted, family: str) -> str:
    alike = sum(name.startswith(f"{family}/") for name in result.alike)
    return f" ({alike} more read the same as others to the tokenizer of {result.params.model.id})" if alike else ""


def _group_faults(params: FormatStage, splits: Splits) -> Iterator[str]:
    draw = params.sensitivity
    asked: tuple[tuple[Split, str, int], ...] = (
        ("train", "train_groups", draw.train_groups),
        (draw.split, "test_groups", draw.test_groups),
    )
    for split, key, count in asked:
        have = len({row.group_id for row in splits[split]})
        if count > have:
            yield (
                f"sensitivity.{key} is {count}, the {split} split has {have} groups. Lower it, or raise data.{split}_rows."
            )
