"""The metric files: the one place where their numbers are rounded and their layout is decided."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from steady.errors import SteadyError
from steady.records import write_bytes

DECIMALS = 6
WIDTH = 160
DEPTH = 3


def rounded(value: Any) -> Any:
    """A copy of nested metrics as plain JSON values: 6 decimals, null for what is not finite, no negative zero."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), DECIMALS) + 0.0 if math.isfinite(value) else None
    return value


def laid_out(value: Any, indent: int = 0) -> str:
    """JSON with a line for whatever fits in one (an estimate, a row of a matrix), indented otherwise."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or not value or _is_short(value, line, indent):
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        rows = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {laid_out(item, indent + 2)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(inner + laid_out(item, indent + 2) for item in value) + "\n" + " " * indent + "]"


def _is_short(value: Any, line: str, indent: int) -> bool:
    """A line holds one measure: its containers are at most three deep."""
    return len(line) + indent <= WIDTH and _depth(value) <= DEPTH


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def write_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Round, lay out and write one metric file, atomically."""
    write_bytes(path, (laid_out(rounded(metrics)) + "\n").encode())


def read_metrics(path: Path) -> dict[str, Any]:
    """Read one metric file.

    Raises:
        SteadyError: the file is missing or is no JSON object.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Run `dvc repro` to make it, or `dvc pull` to fetch it.")
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SteadyError(f"{path}: not JSON: {error}. Run `dvc repro` or `dvc checkout`.") from error
    if not isinstance(metrics, dict):
        raise SteadyError(f"{path}: expected an object of metrics, got {type(metrics).__name__}.")
    return metrics
