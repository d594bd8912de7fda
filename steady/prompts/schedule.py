"""Who is shown which wording in training: a schedule of wording ids, rendered only when a row is needed."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from steady.errors import SteadyError
from steady.prompts.bank import Bank
from steady.prompts.canonical import has_templates
from steady.prompts.families.paraphrase import with_paraphrases
from steady.prompts.params import FormatParams
from steady.prompts.phrasebook import Phrasebook, read_phrasebook
from steady.prompts.render import applies
from steady.records import CANONICAL, Example, ScheduleRow, Wording, read_records


def canonical_schedule(examples: Sequence[Example], bank: Bank | None) -> list[ScheduleRow]:
    """The canonical wording alone, in as many rows as there are examples.

    Without templates, examples of a group that ask for the same output are paraphrases of each other: the first of them takes the
    places of all, so that one wording of each intent is shown, and as often as `variant_schedule` shows several.
    """
    first: dict[tuple[str, str], str] = {}
    rows = []
    for example in examples:
        shown = example.id
        if not has_templates(bank) and not example.messages:
            shown = first.setdefault((example.group_id, example.output), example.id)
        rows.append(ScheduleRow(example_id=shown, wordings=[CANONICAL]))
    return rows


def variant_schedule(
    examples: Sequence[Example], wordings: Sequence[Wording], bank: Bank | None, params: FormatParams
) -> Iterator[ScheduleRow]:
    """A list of `params.wordings_per_example` trained wordings for every example.

    One in `params.canonical_every` is canonical, at a place that differs from example to example; the others take turns by
    family, and within a family no wording comes again before all have come. What an example gets depends on its id, the
    wordings and the seed alone, not on the other examples or their order.
    """
    families = trained_families(wordings)
    for example in examples:
        # Seeded by the example, so that a row more or less does not change the schedule of the others.
        rng = random.Random(f"{params.seed}:schedule:{example.id}")
        usable = [[wording.id for wording in family if applies(example, wording, bank)] for family in families.values()]
        turns = take_turns([family for family in usable if family], rng)
        # Were the offset the same for all, some epochs would show the canonical wording alone.
        offset = rng.randrange(params.canonical_every)
        places = range(offset, offset + params.wordings_per_example)
        chosen = [CANONICAL if place % params.canonical_every == 0 else next(turns, CANONICAL) for place in places]
        yield ScheduleRow(example_id=example.id, wordings=chosen)


def trained_families(wordings: Sequence[Wording]) -> dict[str, list[Wording]]:
    """The trained wordings by family, the canonical one left out."""
    families: dict[str, list[Wording]] = {}
    for wording in wordings:
        if wording.trained and wording.id != CANONICAL:
            families.setdefault(wording.family, []).append(wording)
    return families


def take_turns(families: Sequence[Sequence[str]], rng: random.Random) -> Iterator[str]:
    """Endless ids: each round visits every family once in a random order, each family goes through its ids in random rounds."""
    rounds = [_rounds(ids, rng) for ids in families]
    while rounds:
        # a family is visited once a round however many wordings it has: a large one would crowd out the others
        for ids in rng.sample(rounds, len(rounds)):
            yield next(ids)


def _rounds(ids: Sequence[str], rng: random.Random) -> Iterator[str]:
    while True:
        yield from rng.sample(ids, len(ids))


class TrainingPrompts:
    """The prompts that one arm is trained on; rendering happens here, when a row is asked for.

    `wordings` are the ids of the wordings of each example, in the order of the epochs.

    Args:
        examples: the train split.
        rows: its schedule; only the examples it names are shown, in its order.
        book: the phrasebook written with the schedule.

    Raises:
        SteadyError: the schedule names an example or a wording that is not there.
    """

    def __init__(self, examples: Sequence[Example], rows: Sequence[ScheduleRow], book: Phrasebook) -> None:
        known = {example.id: example for example in with_paraphrases(examples)}
        strangers = [row.example_id for row in rows if row.example_id not in known]
        missing = sorted({name for row in rows for name in row.wordings if name not in book.wordings})
        if strangers or missing:
            raise SteadyError(
                f"The schedule names {len(strangers)} examples {strangers[:3]} that are not in the train split and "
                f"{len(missing)} wordings {missing[:3]} that are not in the phrasebook. Run `dvc repro format`."
            )
        # In the order of the schedule.
        self.examples = [known[row.example_id] for row in rows]
        self.wordings = [row.wordings for row in rows]
        self.book = book

    @classmethod
    def read(cls, examples: Path, schedule: Path, phrasebook: Path) -> "TrainingPrompts":
        """Read the three files; see the class and `read_records` for the errors."""
        return cls(read_records(examples, Example), read_records(schedule, ScheduleRow), read_phrasebook(phrasebook))

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.examples)

    def worded(self, index: int, wording: str) -> str:
        """The prompt of example `index` under a wording of the phrasebook."""
        return self.book.prompt(self.examples[index], wording)

    def prompt(self, index: int, epoch: int) -> str:
        """The prompt of example `index` in an epoch, which counts from 0."""
        wordings = self.wordings[index]
        return self.worded(index, wordings[epoch % len(wordings)])
