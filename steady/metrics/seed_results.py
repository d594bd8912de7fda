"""What `metrics/seeds.json` holds: results over several training seeds."""

import msgspec

from steady.metrics.results import Estimates


class SeedEstimate(msgspec.Struct):
    """The mean over seeds with its interval, the standard deviation over seeds (n - 1), and the values of the seeds."""

    value: float | None
    interval: list[float | None] | None
    std: float | None
    values: list[float | None]

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The interval; None where it is undefined."""
        low, high = self.interval or (None, None)
        return None if low is None or high is None else (low, high)


SeedEstimates = dict[str, SeedEstimate]


class FamilyOverSeeds(msgspec.Struct):
    """One level and family: the measures of each arm, and of the differences of each step (`A_to_B`)."""

    arms: dict[str, SeedEstimates]
    steps: dict[str, SeedEstimates]


class Training(msgspec.Struct):
    """Optimizer steps of an arm, and tokens of prompts and answers that it was shown; null for arms that count none."""

    steps: int | None
    tokens: int | None


class ClaimOverSeeds(msgspec.Struct):
    """What became of a claim, in the order of the seeds."""

    id: str
    statement: str
    endpoint: str
    arm: str
    against: str
    verdicts: list[str]
    p_holm: list[float | None]


class SeedSettings(msgspec.Struct):
    """How the intervals are made."""

    draws: int
    confidence: float
    seed: int
    resampled: str = "seeds and groups"


class SeedsResults(msgspec.Struct, kw_only=True):
    """`metrics/seeds.json`.

    `rows` are those of the test split, `trainable_percent` that of the last arm, `references` those of the first seed;
    `generated` is empty where an arm writes nothing; `families` is level -> family, of what has groups.
    """

    seeds: list[int]
    settings: SeedSettings
    rows: int
    trainable_percent: float | None
    references: dict[str, Estimates]
    arms: dict[str, SeedEstimates]
    steps: dict[str, SeedEstimates]
    families: dict[str, dict[str, FamilyOverSeeds]]
    generated: dict[str, SeedEstimates] = {}
    training: dict[str, list[Training]] = {}
    claims: list[ClaimOverSeeds] = []
