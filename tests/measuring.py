"""What the tests of `steady measure` share: rows, and the command as a user calls it."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from steady.commands import measure

ROWS = [
    {"group_id": f"sum{n}", "prompt": text.format(n), "output": str(n + 1)}
    for n in range(6)
    for text in ("{} + 1 =", "What is {} plus one?", "Add one to {}:", "{} plus one is")
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments: object, code: int = 0) -> Any:
    result = CliRunner().invoke(measure.main, [str(item) for item in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
