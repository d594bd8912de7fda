"""The wordings that a text of today can be put in: those that some arm was trained on, and those kept for testing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steady.errors import SteadyError
from steady.prompts.bank import Bank
from steady.prompts.render import applies, render
from steady.records import CANONICAL, Example, Wording, content_id, read_records

if TYPE_CHECKING:
    from steady.serve.arms import RecordedArm

ALL = "all"


@dataclass(frozen=True)
class Phrasing:
    """Wordings by id, the canonical one first, and the bank that has their templates."""

    wordings: Mapping[str, Wording]
    bank: Bank | None

    def prompt(self, text: str, wording: str) -> str:
        """The prompt of a text: what training, scoring and the stages render, because it is the same function."""
        return render(example_of(text), self.wordings[wording], self.bank)


def chosen_wordings(wordings: Mapping[str, Wording], asked: Sequence[str]) -> list[Wording]:
    """The wordings asked for by ids, families, or `all`, each once; the canonical one where none is; SteadyError names a stranger."""
    found: dict[str, Wording] = {}
    for name in asked or (CANONICAL,):
        named = {name: wordings[name]} if name in wordings else {}
        family = {key: one for key, one in wordings.items() if name in (ALL, one.family)}
        if not named and not family:
            families = dict.fromkeys(one.family for one in wordings.values())
            raise SteadyError(
                f"no wording {name!r}. Give `all`, a family ({', '.join(families)}) or an id, such as "
                f"{', '.join(list(wordings)[:4])}; data/formatted/wordings.jsonl lists them."
            )
        found |= named or family
    return list(found.values())


def example_of(text: str) -> Example:
    """An example with nothing but the text; rewordings that draw at random draw the same for the same text."""
    name = content_id("asked", "", text)
    return Example(id=name, group_id=name, instruction="", input=text)


def make_phrasing(arms: "Iterable[RecordedArm]", bank: Bank | None, listed: Path) -> Phrasing:
    """The wordings of the arms' phrasebooks, and those of `listed` (`data/formatted/wordings.jsonl`) where it is there.

    A wording of `listed` that is not in an arm's book was never trained on, so no check of the training prompts covers it.
    """
    probe = example_of("a text")
    found = {name: wording for arm in arms for name, wording in arm.book.wordings.items()}
    if listed.is_file():
        found |= {wording.id: wording for wording in read_records(listed, Wording)}
    usable = {name: wording for name, wording in found.items() if applies(probe, wording, bank)}
    return Phrasing({CANONICAL: usable.pop(CANONICAL), **usable}, bank)
