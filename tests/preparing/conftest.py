"""Fixtures: run prepare in a folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from steady.preparing.prepare import Outputs, prepare
from steady.preparing.settings import DataParams
from steady.records import Example, read_records


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
