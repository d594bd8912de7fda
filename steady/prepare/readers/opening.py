"""Open a file as a stream of UTF-8 bytes: compression by its name, other encodings turned into UTF-8."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from steady.prepare.readers.rows import Finding

COMPRESSED = (".gz", ".zst", ".zip")
BLOCK = 1 << 20


class UnreadableError(Exception):
    """A file that cannot be read at all; `finding` says why, `line` from where on."""

    def __init__(self, code: str, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.finding = Finding(code, reason)
        self.line = line


def data_suffix(path: Path) -> str:
    """The suffix that tells the kind of file, without that of the compression: `.jsonl` of `rows.jsonl.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def open_bytes(path: Path, encoding: str = "utf-8") -> Iterator[io.BufferedReader]:
    """The file's content as UTF-8; UnreadableError where it is UTF-16 and `encoding` says otherwise, or an archive is damaged."""
    with path.open("rb") as raw:
        try:
            stream = _decompressed(raw, path.suffix.lower())
            if encoding.lower().replace("_", "-") not in ("utf-8", "utf8", "utf-8-sig"):
                stream = cast(IO[bytes], _Recoded(stream, encoding))
            reader: io.BufferedReader = io.BufferedReader(cast(Any, stream), BLOCK)
            start = reader.peek(4)[:4]
            # Without a mark, ASCII letters in UTF-16 have a zero in every other byte.
            unmarked = len(start) == 4 and b"\0\0" in (start[::2], start[1::2])
            if unmarked or start[:2] in (b"\xff\xfe", b"\xfe\xff"):
                reason = f"the file begins with {start!r}: it is UTF-16. Set `encoding: utf-16`, or save it as UTF-8."
                raise UnreadableError("utf16", reason)
            yield reader
        except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, OSError) as error:
            raise UnreadableError(
                "damaged_archive",
                f"the compressed data cannot be read to the end: {error}. Fetch or compress the file again.",
            ) from error


def _decompressed(raw: IO[bytes], suffix: str) -> IO[bytes]:
    if suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if suffix == ".zst":
        import pyarrow

        return cast(IO[bytes], pyarrow.CompressedInputStream(raw, "zstd"))
    if suffix == ".zip":
        archive = zipfile.ZipFile(raw)
        # macOS adds a folder of its own to archives.
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
        if len(names) != 1:
            reason = f"the archive holds {len(names)} files; it must hold one. Unpack it."
            raise UnreadableError("several_files", reason)
        return archive.open(names[0])
    return raw


class _Recoded(io.RawIOBase):
    """A raw stream in UTF-8 of a stream in another encoding."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._text = io.TextIOWrapper(cast(IO[bytes], io.BufferedReader(cast(Any, stream))), encoding, newline="")
        self._rest = b""
        self._line = 1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            try:
                text = self._text.read(BLOCK)
            except UnicodeError as error:
                reason = f"not {self._text.encoding}: {error}. Correct `encoding`."
                raise UnreadableError("wrong_encoding", reason, self._line) from error
            self._line += text.count("\n")
            self._rest = text.encode("utf-8", "surrogatepass")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
