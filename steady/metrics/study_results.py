"""What `metrics/study-NAME.json` holds: methods on every base over several training seeds, and the primary tests."""

import msgspec

from steady.metrics.seed_results import SeedEstimate, SeedsResults


class PrimaryResult(msgspec.Struct):
    """A claim on a base; the differences of the groups are means over seeds, and Holm's correction is over all bases."""

    base: str
    id: str
    statement: str
    endpoint: str
    arm: str
    against: str
    difference: SeedEstimate
    groups: int
    smallest_detectable: float | None
    p: float
    p_holm: float = 1.0
    verdict: str = ""


class StudyResults(msgspec.Struct):
    """A study.

    Attributes:
        bases: the methods of each base over the seeds; the steps are those from the first method to each other one.
        degenerate: base -> method -> in how many seeds it gave one answer to nearly everything.
        primary: every claim on every base.
    """

    name: str
    seeds: list[int]
    bases: dict[str, SeedsResults]
    degenerate: dict[str, dict[str, int]]
    primary: list[PrimaryResult]
