"""What a measurement found, as data; `steady.measure.report` writes and shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from steady.measure.comparing import Comparison
from steady.measure.group_measures import Judged, Measured
from steady.measure.subject import Facts
from steady.metrics.resampling import Estimate


@dataclass(frozen=True)
class Result:
    """One subject: what was asked of it (`facts`), what a reader must know (`notes`), its answers and its measures."""

    name: str
    facts: Facts
    notes: tuple[str, ...]
    skipped: dict[str, int]
    judged: Judged
    measured: Measured

    @property
    def measures(self) -> dict[str, Estimate]:
        """Every measure that has a value, by its name, each with its interval."""
        return self.measured.measures


@dataclass(frozen=True)
class Results:
    """Subjects on the same prompts; the first is what the others are compared with, and one alone is compared with none."""

    reports: Sequence[Result]
    comparison: Comparison | None = None
