"""Everything that the page shows, read from what the stages wrote."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from steady.errors import SteadyError
from steady.metrics.files import read_metrics
from steady.metrics.results import Comparison
from steady.metrics.run import ArmResults, read_run
from steady.records import Prompt, Rejected, Wording, read_records


class SplitSummary(msgspec.Struct):
    """Rows of a split, by label where there are labels."""

    rows: int
    groups: int
    labels: dict[str, int] | None = None


class DataSummary(msgspec.Struct):
    """What the page shows of `metrics/data.json`."""

    rows: dict[str, int]
    labels: list[str] | None
    splits: dict[str, SplitSummary]


class FormatSummary(msgspec.Struct):
    """What the page shows of `metrics/format.json`: wordings by family, and tokens by split and family."""

    max_length: int
    wordings: dict[str, dict[str, int]]
    tokens: dict[str, dict[str, dict[str, int | float]]]


class Provenance(msgspec.Struct):
    """Seconds by stage and versions of packages; `facts` is whatever else was recorded."""

    seconds: dict[str, float]
    packages: dict[str, str | None]
    facts: dict[str, object]


@dataclass(frozen=True)
class Findings:
    """The whole run; `provenance` says on what, from which commit and how long, as far as it was recorded."""

    comparison: Comparison
    arms: list[ArmResults]
    evaluation: list[Prompt]
    sensitivity: list[Prompt]
    wordings: dict[str, Wording]
    data: DataSummary
    format: FormatSummary
    rejected: list[Rejected]
    preview: str
    params: str
    versions: list[str]
    provenance: Provenance


@dataclass(frozen=True)
class Places:
    """The files and folders that the page is made from; `metrics` and `reports` hold a folder for each arm."""

    params: Path
    metrics: Path
    reports: Path
    comparison: Path
    data: Path
    format: Path
    formatted: Path
    rejected: Path
    versions: Path
    provenance: tuple[Path, ...] = ()


def read_findings(places: Places) -> Findings:
    """Read it all; SteadyError where a file is missing or damaged, or an arm's predictions are not those of the prompts."""
    comparison = read_metrics(places.comparison, Comparison)
    run = read_run(list(comparison.arms), places.metrics, places.reports, places.formatted)
    # a fact that two files have is that of the later one
    files = [read_metrics(path, dict[str, object]) for path in places.provenance]
    recorded = {name: value for file in files for name, value in file.items()}
    return Findings(
        comparison=comparison,
        arms=run.arms,  # those of the comparison: a folder left behind by an arm that is gone is not shown
        evaluation=run.formatted.evaluation,
        sensitivity=run.formatted.sensitivity,
        wordings={wording.id: wording for wording in run.formatted.wordings},
        data=read_metrics(places.data, DataSummary),
        format=read_metrics(places.format, FormatSummary),
        rejected=read_records(places.rejected, Rejected),
        preview=_text(places.formatted / "preview.md"),
        params=_text(places.params),
        versions=[line for line in _text(places.versions).splitlines() if "==" in line],
        provenance=msgspec.convert(
            {"seconds": recorded.pop("seconds", {}), "packages": recorded.pop("packages", {}), "facts": recorded},
            Provenance,
        ),
    )


def _text(path: Path) -> str:
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Run `dvc repro` (or `dvc pull`) to make it.")
    return path.read_text(encoding="utf-8")
