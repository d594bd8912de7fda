"""Fixtures of the source tests: read rows as a format, and find the real files."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steady.records import Rejected
from steady.sources.reading import read_source
from steady.sources.rows import Draft, Item, LeftOut, Unreadable
from steady.sources.settings import SourceParams


class Read(list[Item]):
    """The items of a source, sorted into what they are."""

    @property
    def drafts(self) -> list[Draft]:
        return [item for item in self if isinstance(item, Draft)]

    @property
    def findings(self) -> list[tuple[int, str]]:
        """(line, code) of every finding, also of what makes a file unreadable."""
        return [(finding.line, finding.code) for finding in self.rejected]

    @property
    def rejected(self) -> list[Rejected]:
        nested = [
            item if isinstance(item, list) else [item.rejected]
            for item in self
            if not isinstance(item, Draft | LeftOut)
        ]
        return [finding for findings in nested for finding in findings]

    @property
    def left_out(self) -> dict[str, int]:
        return dict(Counter(item.code for item in self if isinstance(item, LeftOut)))

    @property
    def unreadable(self) -> list[Rejected]:
        return [item.rejected for item in self if isinstance(item, Unreadable)]


ReadFile = Callable[..., Read]


@pytest.fixture
def read_file() -> ReadFile:
    def read(
        path: Path | str, name: str, labels: tuple[str, ...] | None = None, multi_label: bool = False, **settings: Any
    ) -> Read:
        return Read(read_source(SourceParams(path=str(path), format=name, **settings), labels, multi_label))  # type: ignore[arg-type]

    return read


@pytest.fixture
def read(tmp_path: Path, read_file: ReadFile) -> Callable[..., Read]:
    """Write rows (objects, or the bytes of a whole file) and read them as a format."""

    def read_rows(
        name: str,
        rows: list[Any] | bytes,
        file: str = "rows.jsonl",
        labels: tuple[str, ...] | None = None,
        **settings: Any,
    ) -> Read:
        content = rows if isinstance(rows, bytes) else "".join(json.dumps(row) + "\n" for row in rows).encode()
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return read_file(path, name, labels, **settings)

    return read_rows


@pytest.fixture
def real() -> Callable[[str], Path]:
    """The path of a real file or folder; the test is skipped where the data are absent."""

    def find(name: str) -> Path:
        path = Path(os.environ.get("STEADY_REAL_DATA", "absent")) / name
        if not path.exists():
            pytest.skip(
                f"the real data are absent: set STEADY_REAL_DATA to the folder that holds {name.split('/', maxsplit=1)[0]}"
            )
        return path

    return find
