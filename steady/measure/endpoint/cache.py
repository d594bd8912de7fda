"""The replies of a server on disk: a JSON Lines file that only grows, so that nothing that was answered is sent again."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from steady.measure.endpoint.protocol import Reply


class _Line(msgspec.Struct, frozen=True):
    key: str
    reply: Reply


_decoder = msgspec.json.Decoder(_Line)


class Cache(AbstractContextManager["Cache"]):
    """Replies by the digest of their request. Memory holds places in the file alone, whatever the replies weigh."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        """Open or create the file; a line that a kill has cut short is left out and `say` is called with its place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._places: dict[str, tuple[int, int]] = {}  # where a line begins, and its bytes
        # unbuffered: a reply is in the file, which outlives the process, before the next one is waited for
        self._handle = path.open("a+b", buffering=0)
        place, ended = 0, True
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    self._places[_decoder.decode(line).key] = place, len(line)
                except msgspec.DecodeError:
                    say(f"{path}:{number}: damaged; the request is sent again")
                place, ended = place + len(line), line.endswith(b"\n")
        if not ended:
            self._handle.write(b"\n")

    def __contains__(self, key: str) -> bool:
        """Whether the request was answered."""
        return key in self._places

    def __len__(self) -> int:
        """How many requests were answered."""
        return len(self._places)

    def __getitem__(self, key: str) -> Reply:
        """The reply to a request; KeyError where there is none."""
        place, size = self._places[key]
        return _decoder.decode(os.pread(self._handle.fileno(), size, place)).reply

    def add(self, key: str, reply: Reply) -> None:
        """Append a reply."""
        line = msgspec.json.encode(_Line(key, reply)) + b"\n"
        self._handle.write(line)
        # the handle appends, so it stands behind the new line
        self._places[key] = self._handle.tell() - len(line), len(line)

    def __exit__(self, *_: object) -> None:
        self._handle.close()
