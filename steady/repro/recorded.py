"""What was recorded of the committed run, and whether a run here gave the same verdicts, and figures within their intervals.

The record is a file, so that a copy without Git (a ZIP of the repository) can be held against it too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from ruamel.yaml import YAML

from steady.errors import SteadyError
from steady.metrics.files import read_metrics
from steady.metrics.resampling import Estimate
from steady.metrics.results import Comparison
from steady.repro.lockfile import Entry, file_md5

RECORD = "metrics/recorded.json"
COMPARISON = "metrics/comparison.json"
# An interval of no width, as of an agreement of 1, would not let a single answer out of hundreds change
SLACK = 0.01


class Recorded(msgspec.Struct, frozen=True):
    """`metrics/recorded.json`.

    `inputs`: digests of the parameters (without `runtime`) and of the claims; `outputs`: the MD5 of every output;
    `verdicts`: of each claim; `figures`: arm -> measure -> value with interval.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    verdicts: dict[str, str]
    figures: dict[str, dict[str, Estimate]]


def make_record(root: Path, entries: Sequence[Entry]) -> Recorded:
    """What to commit beside the results that lie in `root`; `entries` are those of its `dvc.lock`."""
    found = read_metrics(root / COMPARISON, Comparison)
    verdicts = {claim.id: claim.verdict for claim in found.claims}
    return Recorded(input_digests(root), output_hashes(entries), verdicts, dict(found.arms))


def read_record(root: Path) -> Recorded | None:
    """The record, None where there is none; SteadyError where the file is not one."""
    path = root / RECORD
    return read_metrics(path, Recorded) if path.is_file() else None


def input_digests(root: Path) -> dict[str, str]:
    """What the results are of: other parameters or claims give results of one's own."""
    try:
        values = YAML(typ="safe", pure=True).load((root / "params.yaml").read_text(encoding="utf-8"))
        values.pop("runtime", None)  # cannot change a result
        params = hashlib.md5(json.dumps(values, sort_keys=True).encode()).hexdigest()
        return {"params.yaml": params, "claims.yaml": file_md5(root / "claims.yaml")}
    except (OSError, AttributeError) as error:
        raise SteadyError(
            f"{root}: params.yaml or claims.yaml cannot be read ({error}). Run from the repository."
        ) from error


def output_hashes(entries: Sequence[Entry]) -> dict[str, str]:
    """Path -> MD5 of the outputs."""
    return {entry.path: entry.md5 for entry in entries if entry.written}


def changed_outputs(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The outputs whose bytes differ, or which only one of two runs has."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def hold(recorded: Recorded, found: Comparison) -> tuple[list[str], float, str]:
    """Hold a run against the record: every verdict the same, every figure within the interval it was recorded with.

    Returns the faults, the largest difference of a figure, and which figure it is of.
    """
    verdicts = {claim.id: claim.verdict for claim in found.claims}
    faults = [
        f"verdict of {name}: recorded {before!r}, here {verdicts.get(name, 'not judged')!r}"
        for name, before in recorded.verdicts.items()
        if verdicts.get(name) != before
    ]
    largest, where = 0.0, ""
    for arm, measures in recorded.figures.items():
        for measure, before in measures.items():
            after = found.arms.get(arm, {}).get(measure)
            value = None if after is None else after.value
            if not _within(before, value):
                here = "none" if value is None else f"{value:.4g}"
                faults.append(f"{measure} of {arm}: recorded {_shown(before)}, here {here}")
            if value is not None and before.value is not None and abs(value - before.value) > largest:
                largest, where = abs(value - before.value), f"{measure} of {arm}"
    return faults, largest, where


def _within(before: Estimate, value: float | None) -> bool:
    # undefined is reproduced by undefined alone
    if before.value is None or value is None:
        return before.value is value
    low, high = before.interval or (before.value, before.value)
    return min(low, before.value - SLACK) <= value <= max(high, before.value + SLACK)


def _shown(estimate: Estimate) -> str:
    bounds = f" [{estimate.interval[0]:.4g}, {estimate.interval[1]:.4g}]" if estimate.interval else ""
    return "none" if estimate.value is None else f"{estimate.value:.4g}{bounds}"
