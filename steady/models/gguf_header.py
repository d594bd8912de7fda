"""Read the header of a GGUF file without any model library, and check that the file is as long as its header says.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import math
import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.errors import SteadyError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
UNQUANTISED = {"F32", "F16", "BF16"}
BLOCK = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True)
class Tensor:
    """A tensor as the header describes it: `numbers` elements in `size` bytes, `offset` bytes into the data."""

    name: str
    kind: str
    numbers: int
    size: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself; `metadata` holds single values, and the number of elements in place of an array."""

    metadata: dict[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        """The architecture in the words of llama.cpp, such as `llama` or `qwen2moe`."""
        return str(self.metadata["general.architecture"])

    @property
    def quantised(self) -> str | None:
        """How the weights are quantised, such as `Q4_1`; None for plain floating-point numbers."""
        import gguf

        try:
            name = gguf.LlamaFileType(self.metadata["general.file_type"]).name.split("_", 1)[1]
        except (KeyError, ValueError):
            # files of old tools name no type; that of the largest tensor is what a file is called after
            name = max(self.tensors, key=lambda tensor: tensor.numbers).kind
        return None if name in UNQUANTISED else name

    @property
    def licence(self) -> str | None:
        """The licence, where the file names one."""
        return self.metadata.get("general.license")

    @property
    def numbers(self) -> int:
        """The number of weights."""
        return sum(tensor.numbers for tensor in self.tensors)


def read_header(path: Path) -> Header:
    """Read the header and check it against the size of the file.
    SteadyError where it is no GGUF file, shorter than its header says, or its header contradicts itself.
    """
    with path.open("rb") as handle:
        if handle.read(len(MAGIC)) != MAGIC:
            raise SteadyError(f"{path}: not a GGUF file: it does not begin with {MAGIC.decode()!r}.")
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(path, _Cursor(data, len(MAGIC)))


class _Cursor:
    """A place in the file; a read past the end raises struct.error."""

    def __init__(self, data: mmap.mmap, place: int) -> None:
        self.data, self.place = data, place

    def number(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self.data, self.place)
        self.place += struct.calcsize(f"<{kind}")
        return value

    def skip(self, size: int) -> bytes:
        if self.place + size > len(self.data):
            raise struct.error
        self.place += size
        # an array of a large vocabulary is passed over, not copied
        return self.data[self.place - size : self.place] if size < 1 << 20 else b""

    def string(self) -> str:
        return self.skip(self.number("Q")).decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind != ARRAY:
            raise ValueError(f"a value of the unknown type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner in NUMBERS:
            self.skip(count * struct.calcsize(f"<{NUMBERS[inner]}"))
        else:
            for _ in range(count):
                self.value(inner)
        return count


def _parse(path: Path, cursor: _Cursor) -> Header:
    try:
        version = cursor.number("I")
        if version not in VERSIONS:
            raise SteadyError(
                f"{path}: version {version} of GGUF; versions 2 and 3 can be read, with the least significant byte first."
            )
        tensors, values = cursor.number("Q"), cursor.number("Q")
        metadata = {}
        for _ in range(values):
            name = cursor.string()
            metadata[name] = cursor.value(cursor.number("I"))
        header = Header(metadata, tuple(_tensor(cursor) for _ in range(tensors)))
    except struct.error as error:
        raise SteadyError(f"{path}: truncated: it ends inside its header. Fetch the file again.") from error
    except (ValueError, KeyError, OverflowError, RecursionError) as error:
        raise SteadyError(f"{path}: damaged: its header cannot be read: {error}. Fetch the file again.") from error
    _check(path, header, cursor)
    return header


def _tensor(cursor: _Cursor) -> Tensor:
    import gguf

    name = cursor.string()
    numbers = math.prod([cursor.number("Q") for _ in range(cursor.number("I"))])
    kind = gguf.GGMLQuantizationType(cursor.number("I"))
    per_block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    # weights are quantised in blocks that share a scale
    return Tensor(name, kind.name, numbers, numbers // per_block * block_bytes, cursor.number("Q"))


def _check(path: Path, header: Header, cursor: _Cursor) -> None:
    if not isinstance(header.metadata.get("general.architecture"), str) or not header.tensors:
        raise SteadyError(f"{path}: its header names no architecture or no tensor: no language model.")
    # The data begin at the next multiple of the alignment behind the header.
    alignment = int(header.metadata.get("general.alignment", 32))
    start = -(-cursor.place // alignment) * alignment
    end = start + max(tensor.offset + tensor.size for tensor in header.tensors)
    if end > len(cursor.data):
        raise SteadyError(
            f"{path}: truncated: {len(cursor.data):,} bytes, and its header describes {end:,}. Fetch the file again."
        )
    stated = header.metadata.get(f"{header.architecture}.block_count")
    found = {int(match[1]) for tensor in header.tensors if (match := BLOCK.match(tensor.name))}
    # Layers are numbered from 0.
    if found and stated is not None and max(found) >= stated:
        raise SteadyError(
            f"{path}: damaged: its header says {stated} layers, and there are tensors of layer {max(found)}."
        )
