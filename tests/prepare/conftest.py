"""Fixtures: run prepare in a folder, read rows as a format, and find the real files."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from steady.prepare.converting import read_source
from steady.prepare.params import DataParams
from steady.prepare.prepare import Outputs, prepare
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Draft, Item, LeftOut, Unreadable
from steady.records import Example, Rejected, read_records


class Prepared(NamedTuple):
    """What prepare wrote."""

    splits: dict[str, list[Example]]
    metrics: dict[str, Any]
    folder: Path

    def all(self) -> list[Example]:
        return [example for examples in self.splits.values() for example in examples]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write rows as JSON Lines; returns the path."""

    def write_rows(name: str, rows: list[Any]) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return write_rows


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Prepared]:
    """Prepare sources; keys other than `sources` are those of the section `data`."""

    def run_prepare(sources: list[dict[str, Any]], seed: int = 0, folder: str = "out", **settings: Any) -> Prepared:
        sizes = {"train_rows": 0.5, "validation_rows": 0.1, "test_rows": 0.4}
        params = DataParams.model_validate(sizes | settings | {"sources": sources})
        out = tmp_path / folder
        paths = {name: out / f"{name}.jsonl" for name in ("train", "validation", "test")}
        prepare(params, seed, Outputs(paths, out / "rejected.jsonl", out / "data.json"))  # type: ignore[arg-type]
        splits = {name: read_records(path, Example) for name, path in paths.items()}
        return Prepared(splits, json.loads((out / "data.json").read_text()), out)

    return run_prepare


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
