"""What a measurement found, in memory: the measures of one subject, or of several on the same prompts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from steady.compare.paired import Testing
from steady.errors import SteadyError
from steady.measure import runs
from steady.measure.comparing import PERMUTATIONS, Result, Results, compare_subjects
from steady.measure.group_measures import judge, measured
from steady.measure.matching import Matcher
from steady.measure.page import page
from steady.measure.texts import line, table, tables
from steady.metrics.files import plain, read_metrics, write_metrics
from steady.metrics.resampling import Bootstrap
from steady.records import write_bytes, write_records

MEASURES, PAGE = "measures.json", "index.html"


class Report(Result):
    """What was found of one subject."""

    def to_frame(self) -> Any:
        """A `pandas.DataFrame` with a row for each prompt: its texts, the answer, what it was read as, whether it is right."""
        try:
            import pandas
        except ImportError as error:  # nothing else of a measurement needs it
            raise SteadyError("Report.to_frame needs pandas: `pip install pandas`.") from error
        columns = ["group", "wording", "prompt", "output", "answer", "read", "correct", "logprob"]
        rows = []
        for group in self.judged.groups:
            for item in group.predictions:
                prompt = self.judged.prompts[item.prompt_id]
                asked = [group.id, prompt.wording, prompt.prompt, prompt.completion or None]
                rows.append([*asked, item.text, item.parsed, item.correct, item.logprob])
        return pandas.DataFrame(rows, columns=columns)

    def page(self, path: str | Path) -> Path:
        """Write the page of this subject; it needs no other file and no network."""
        return Compared((self,)).page(path)

    def to_dict(self) -> dict[str, Any]:
        """The content of `measures.json`."""
        about = {"subject": self.name, "summary": line(self), "facts": self.facts, "notes": list(self.notes)}
        return {**about, "skipped_prompts": self.skipped, **plain(self.measured)}

    def __repr__(self) -> str:
        """The table that the command prints."""
        return table(self)


@dataclass(frozen=True)
class Compared(Results):
    """What was found of subjects on the same prompts."""

    reports: tuple[Report, ...]

    def __repr__(self) -> str:
        """The tables that the command prints."""
        return tables(self)

    def page(self, path: str | Path) -> Path:
        """Write the page of all subjects; it needs no other file and no network."""
        write_bytes(Path(path), page(self).encode())
        return Path(path)

    def to_dict(self) -> dict[str, Any]:
        """The content of `measures.json`: that of the only subject, or of all with their differences."""
        if self.comparison is None:
            return self.reports[0].to_dict()
        # groups are in the files of the subjects' own folders
        subjects = [{key: value for key, value in one.to_dict().items() if key != "by_group"} for one in self.reports]
        groups, differences, _ = self.comparison
        return {"groups": groups, "differences": plain(differences), "subjects": subjects}


def distinct(reports: Sequence[Report], folders: Sequence[Path]) -> list[Report]:
    """Reports with different names: where two subjects are called the same, the folder of each says which it is."""
    names, places = [report.name for report in reports], [folder.name for folder in folders]
    if len(set(places)) < len(places):
        places = [str(folder) for folder in folders]
    return [
        replace(report, name=f"{report.name} ({place})") if names.count(report.name) > 1 else report
        for report, place in zip(reports, places, strict=True)
    ]


def compared(reports: Sequence[Report], bootstrap: Bootstrap) -> Compared:
    """Compare reports on the same prompts; SteadyError where they have no group in common."""
    if len(reports) < 2:
        return Compared(tuple(reports))
    testing = Testing(bootstrap, PERMUTATIONS, 1 - bootstrap.confidence)
    return Compared(tuple(reports), compare_subjects([(one.name, one.judged) for one in reports], testing))


def report_of(run: runs.Run, matcher: Matcher, bootstrap: Bootstrap) -> Report:
    """Judge and measure a finished run."""
    labels = run.settings.facts.get("labels")
    judged = judge(run.groups, run.prompts, matcher, labels if isinstance(labels, list) else [], run.repeats)
    return Report(
        name=run.settings.subject,
        facts=run.settings.facts,
        notes=tuple(run.notes),
        skipped=dict(Counter(item.code for item in run.skipped)),
        judged=judged,
        measured=measured(judged, bootstrap),
    )


def summarise(folder: Path, matcher: Matcher, bootstrap: Bootstrap) -> Report:
    """Every measure of a finished run, from its files alone; writes `measures.json`, the page and the judged predictions."""
    report = report_of(runs.read_run(folder), matcher, bootstrap)
    # judged now: who opens the file sees what each answer was read as
    write_records(folder / runs.PREDICTIONS, [item for group in report.judged.groups for item in group.predictions])
    write_metrics(folder / MEASURES, report.to_dict())
    report.page(folder / PAGE)
    return report


def last_match(folder: Path) -> str | None:
    """The `--match` by which the answers of a folder were read before; None where they never were."""
    place = folder / MEASURES
    return read_metrics(place, _Read).match if place.is_file() else None


class _Read(msgspec.Struct):
    match: str
