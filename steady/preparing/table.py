"""All drafts: their text on disk, and a few numbers of each in memory (under 60 bytes a draft)."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from steady.duplicates import normal_form, text_hash
from steady.sources.rows import Draft

NONE = 0


class Table:
    """Drafts in the order of `add`; a context manager, whose file is deleted at its end.

    Columns, one number a draft: `content` hashes what is written, `prompt` and `answer` their normal forms, `group` the given
    group (0: none); `stratum` is a class (an index into `strata`), `source` an index into the sources; lengths in characters.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("w+b")
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Draft).decode
        self.offset, self.content, self.prompt, self.answer, self.group = (array("Q") for _ in range(5))
        self.line, self.source, self.stratum, self.prompt_length, self.output_length = (array("I") for _ in range(5))
        self.strata: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self.offset)

    def add(self, draft: Draft, source: int, name: str) -> None:
        """Append a draft; `source` and `name` are those of its source."""
        self.offset.append(self._file.tell())
        self._file.write(self._encode(draft))
        prompt, target = prompt_text(draft), target_text(draft)
        self.content.append(text_hash(f"{prompt}\x1f{target}"))
        self.prompt.append(text_hash(normal_form(prompt)))
        self.answer.append(text_hash(normal_form(target)))
        self.group.append(NONE if draft.group is None else text_hash(f"{source}\x1f{draft.group}"))
        self.line.append(draft.line)
        self.source.append(source)
        stratum = "\x1f".join(sorted(draft.labels)) or f"\x1e{name}"
        self.stratum.append(self.strata.setdefault(stratum, len(self.strata)))
        self.prompt_length.append(len(prompt))
        self.output_length.append(len(draft.output))

    def draft(self, row: int) -> Draft:
        """Read one draft back."""
        end = self.offset[row + 1] if row + 1 < len(self.offset) else -1
        self._file.seek(self.offset[row])
        return self._decode(self._file.read(end - self.offset[row] if end >= 0 else -1))

    def drafts(self) -> Iterator[Draft]:
        """Read all drafts back, in order."""
        return (self.draft(row) for row in range(len(self)))

    def column(self, name: str) -> NDArray[np.uint64]:
        """A column as an array of 64-bit integers."""
        return np.array(getattr(self, name), dtype=np.uint64)


def prompt_text(draft: Draft) -> str:
    """What is asked: the instruction and the input, or all turns but the last."""
    if draft.messages is not None:
        return "\n".join(message.content for message in draft.messages[:-1])
    return (
        f"{draft.instruction}\n{draft.input}" if draft.instruction and draft.input else draft.instruction or draft.input
    )


def target_text(draft: Draft) -> str:
    """What is wanted: the output, and in a preference pair also what is not."""
    return draft.output if draft.rejected is None else f"{draft.output}\x1f{draft.rejected}"
