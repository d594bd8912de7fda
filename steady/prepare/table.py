"""All drafts: their text on disk, and a few numbers of each in memory (under 70 bytes a draft)."""

import os
from array import array
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from steady.prepare.duplicates import normal_form, text_hash
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Draft
from steady.prepare.splits import SPLITS

NONE = 0
# No label holds the record separator, so a stratum that begins with it is a source.
_UNLABELLED = "\x1e"
_WRITE_BLOCK = 1 << 20


class Table:
    """Drafts in the order of `add`; a context manager, whose file is deleted at its end.

    Columns, one number a draft: `content` hashes what is written, `prompt` and `answer` their normal forms, `group` the given
    group (0: none); `stratum` indexes `strata` (the labels, or the source where there are none), `language` indexes `languages`,
    `source` the sources; `split` is the place of a given split in `SPLITS` plus 1 (0: none); lengths are in characters.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("w+b", buffering=_WRITE_BLOCK)
        self._end = self._written = 0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Draft).decode
        self.offset, self.content, self.prompt, self.answer, self.group = (array("Q") for _ in range(5))
        self.stratum, self.prompt_length, self.output_length = (array("I") for _ in range(3))
        self.source, self.language, self.split = array("H"), array("H"), array("B")
        self.strata: dict[str, int] = {}
        self.languages: dict[str | None, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._file.close()  # which writes what is left, and fails on a full disk
        finally:
            self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self.offset)

    def add(self, draft: Draft, place: int, source: SourceParams) -> None:
        """Append a draft of `source`, the one at `place`."""
        packed = self._encode(draft)
        self._file.write(packed)
        # Before the draft is counted in, so that it is where the draft begins.
        self.offset.append(self._end)
        self._end += len(packed)
        prompt, target = prompt_text(draft), target_text(draft)
        self.content.append(text_hash(f"{prompt}\x1f{target}"))
        self.prompt.append(text_hash(normal_form(prompt)))
        self.answer.append(text_hash(normal_form(target)))
        self.group.append(NONE if draft.group is None else text_hash(f"{name_space(source)}\x1f{draft.group}"))
        stratum = "\x1f".join(sorted(draft.labels)) if draft.classified else f"{_UNLABELLED}{source.path}"
        self.stratum.append(self.strata.setdefault(stratum, len(self.strata)))
        self.language.append(self.languages.setdefault(draft.language, len(self.languages)))
        self.source.append(place)
        self.split.append(0 if draft.split is None else SPLITS.index(draft.split) + 1)
        self.prompt_length.append(len(prompt))
        self.output_length.append(len(draft.output))

    def draft(self, row: int) -> Draft:
        """Read one draft back."""
        start = self.offset[row]
        end = self.offset[row + 1] if row + 1 < len(self.offset) else self._end
        # What is still in the buffer cannot be read back.
        if self._written < end:
            self._file.flush()
            self._written = self._end
        # `pread` leaves the place alone at which the next draft is written.
        return self._decode(os.pread(self._file.fileno(), end - start, start))

    def column(self, name: str) -> NDArray[Any]:
        """A view of a column; drafts can no longer be added while one is held."""
        values: array[int] = getattr(self, name)
        return np.frombuffer(values, dtype=np.dtype(values.typecode)) if values else np.empty(0, dtype=values.typecode)

    def labels(self, stratum: int) -> list[str] | None:
        """The labels of a stratum; None where it is a source, whose rows have no labels to have."""
        name = list(self.strata)[stratum]
        return None if name.startswith(_UNLABELLED) else [label for label in name.split("\x1f") if label]


def name_space(source: SourceParams) -> str:
    """What the groups of a source are told apart by: given splits of one data set share their groups."""
    return source.name or ("" if source.split else source.path)


def prompt_text(draft: Draft) -> str:
    """What is asked: the instruction and the input, or all turns but the last."""
    if draft.messages is not None:
        return "\n".join(message.content for message in draft.messages[:-1])
    return "\n".join(filter(None, (draft.instruction, draft.input)))


def target_text(draft: Draft) -> str:
    """What is wanted: the output, and in a preference pair also what is not."""
    return draft.output if draft.rejected is None else f"{draft.output}\x1f{draft.rejected}"
