"""The metric files: the one place where their numbers are rounded and their layout is decided."""

import json
import math
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.metrics.measures import QUALITY
from steady.metrics.results import EvaluateResults
from steady.records import write_bytes

DECIMALS = 6
P_VALUES = ("p", "p_holm")
SIGNIFICANT = 3
# Characters of a line: a measure with its interval and its test fits into one.
WIDTH = 240
DEPTH = 3
Results = TypeVar("Results")


def plain(metrics: object) -> Any:
    """Structs as the dictionaries of their file: the measures of a split stand beside its other keys."""
    values = msgspec.to_builtins(metrics, enc_hook=lambda value: value.tolist())  # NumPy's numbers and arrays
    if isinstance(metrics, EvaluateResults):
        for split in _splits(values):
            measures, rest = split.pop("measures"), dict(split)
            split.clear()  # so that the measures come first in the file
            split.update(measures | rest)
    return values


def _splits(values: Any) -> list[dict[str, Any]]:
    """The parts of `evaluate.json` that are a `SplitQuality`."""
    return [values["test"], values["validation"], *values["references"].values()]


def rounded(value: Any, is_p: bool = False) -> Any:
    """A copy of nested metrics as plain JSON values: 6 decimals, null for what is not finite, no negative zero.

    p-values (whatever is under a key `p` or `p_holm`) keep three significant digits instead, for none of them is 0.
    """
    if isinstance(value, dict):
        return {str(key): rounded(item, is_p or key in P_VALUES) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(item, is_p) for item in value]
    # before the integers, since a bool is an int
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        # -0.0 + 0.0 is 0.0
        short = float(f"{value:.{SIGNIFICANT}g}") if is_p else round(float(value), DECIMALS) + 0.0
        return short if math.isfinite(value) else None
    return value


def laid_out(value: Any, indent: int = 0) -> str:
    """JSON with a line for whatever fits in one (an estimate, a row of a matrix), indented otherwise."""
    # NaN is no JSON, though Python writes it
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A line holds one measure: its containers are at most three deep.
    short = len(line) + indent <= WIDTH and _depth(value) <= DEPTH
    if not isinstance(value, dict | list) or not value or short:
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        rows = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {laid_out(item, indent + 2)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(inner + laid_out(item, indent + 2) for item in value) + "\n" + " " * indent + "]"


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def write_metrics(path: Path, metrics: object) -> None:
    """Round, lay out and write one metric file, atomically; `metrics` is a struct or plain values."""
    write_bytes(path, (laid_out(rounded(plain(metrics))) + "\n").encode())


def read_metrics(path: Path, kind: type[Results]) -> Results:
    """Read one metric file as `kind`, a struct or a plain type.

    SteadyError where the file is missing, is no JSON, or lacks what the struct has; the message says which key.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Run `dvc repro` to make it, or `dvc pull` to fetch it.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SteadyError(f"{path}: not JSON: {error}. Run `dvc repro` or `dvc checkout`.") from error
    try:
        if kind is EvaluateResults:  # the one file whose measures stand among other keys
            names = [measure.name for measure in QUALITY]
            for split in _splits(values):
                split["measures"] = {name: split.pop(name) for name in names if name in split}
        return msgspec.convert(values, kind)
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        reason = f"no key {error}" if isinstance(error, KeyError) else str(error)
        raise SteadyError(
            f"{path}: not the metrics of this version: {reason}. Run `dvc repro` to make them."
        ) from error
