"""A phrasebook: the wordings that someone may use, and the bank they need, in one file.

Training reads the phrasebook of its schedule and never the bank, so that a change of a held-out wording reruns no training.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from steady.errors import SteadyError
from steady.prompts.bank import Bank, with_templates
from steady.prompts.families.paraphrase import templates_of
from steady.prompts.render import applies, render
from steady.records import Example, Wording, read_document, write_document

# Any example will do, as long as it never changes.
PROBE = Example(id="probe", group_id="probe", instruction="Sort this message.", input="Where is order 4711, please?")


class Phrasebook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Wordings by id, and the bank that has their templates (none where examples bring their own instructions)."""

    bank: Bank | None
    wordings: dict[str, Wording]

    def prompt(self, example: Example, wording_id: str) -> str:
        """The prompt of an example; SteadyError where the book has no such wording, or it does not apply to the example."""
        if wording_id not in self.wordings:
            raise SteadyError(
                f"wording {wording_id!r} is not in this phrasebook, which has {len(self.wordings)} wordings. "
                "Were its schedule and it written by the same run of the format stage?"
            )
        return render(example, self.wordings[wording_id], self.bank)


def phrasebook(wordings: Sequence[Wording], bank: Bank | None) -> Phrasebook:
    """The phrasebook of some wordings: of the bank's templates it keeps the canonical one and those that the wordings name."""
    if bank is not None:
        # Templates that are not needed would make training stale when they change.
        composed = {wording.id for wording in wordings if wording.family == "composed"}
        bank = with_templates(bank, {bank.canonical, *templates_of(wordings)}, composed)
    return Phrasebook(bank=bank, wordings={wording.id: wording for wording in wordings})


def fingerprint(book: Phrasebook) -> str:
    """SHA-256 of the wordings, the templates and what the code makes of them on one fixed example: a change of any is noticed."""
    # msgspec writes the fields in the order of the class, so equal books have equal bytes
    digest = hashlib.sha256(msgspec.json.encode(book))
    for wording in book.wordings.values():
        # The text as well as the settings, so that a change of the code is noticed.
        if applies(PROBE, wording, book.bank):
            digest.update(b"\x00" + render(PROBE, wording, book.bank).encode())
    return digest.hexdigest()


def write_phrasebook(path: Path, book: Phrasebook) -> None:
    """Write one indented JSON document, atomically."""
    write_document(path, book)


def read_phrasebook(path: Path) -> Phrasebook:
    """Read a phrasebook; SteadyError where the file is missing or none."""
    missing = f"{path}: no such file. Run `dvc repro` (or `dvc pull`) to make it."
    return read_document(path, Phrasebook, "a phrasebook", missing)
