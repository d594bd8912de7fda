"""What the metric files hold: `evaluate.json` and `sensitivity.json` of an arm, `comparison.json` of a run.

Numbers are NaN where they are undefined until they are written, and null once they are read again.
"""

import msgspec
from msgspec import UNSET, UnsetType

from steady.metrics.resampling import Estimate

CLASSIFIES = "SEQ_CLS"
Estimates = dict[str, Estimate]


class ClassQuality(msgspec.Struct, omit_defaults=True):
    """One label: precision, recall, F1, its rows and, where a row may have several labels, its two-by-two counts."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    true_positive: int | UnsetType = UNSET
    false_positive: int | UnsetType = UNSET
    false_negative: int | UnsetType = UNSET
    true_negative: int | UnsetType = UNSET


class Confusion(msgspec.Struct):
    """Counts, a row for each actual label and a column for each predicted one; the last column is no label."""

    actual: list[str]
    predicted: list[str]
    counts: list[list[int]]


class SplitQuality(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Task quality on one split; in the file the measures stand beside the other keys. `settings`: of a reference."""

    measures: Estimates
    rows: int
    groups: int
    not_finite: int
    per_class: dict[str, ClassQuality]
    confusion: Confusion | UnsetType = UNSET
    settings: dict[str, float] | UnsetType = UNSET


class GeneratedQuality(msgspec.Struct):
    """The measures of generated text by split; everything is null for a classifier."""

    max_new_tokens: int | None
    cut_prompts: int | None
    within_words_limit: int | None
    test: Estimates
    validation: Estimates


class EvaluateResults(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`metrics/arms/ARM/evaluate.json`; `references` are named as in `steady.metrics.references`, on the test split."""

    test: SplitQuality
    validation: SplitQuality
    references: dict[str, SplitQuality]
    labels: list[str]
    temperature: float | None
    trainable_percent: float | None
    multi_label: bool = False
    task: str = ""
    generated: GeneratedQuality | UnsetType = UNSET

    @property
    def generates(self) -> bool:
        """Whether the model writes, and its matrices are saved; a classifier's follow from its label probabilities."""
        return self.task not in ("", CLASSIFIES)

    @property
    def within_words(self) -> int | None:
        """The words of a short answer; None for a classifier."""
        return self.generated.within_words_limit if isinstance(self.generated, GeneratedQuality) else None


class Degeneracy(msgspec.Struct):
    """Answers over groups of different intent: how many there are, the share of the commonest, and whether it is too large."""

    distinct_answers: int
    top_answer_share: float | None
    distinct_targets: int
    top_target_share: float | None
    degenerate: bool


class CellResults(msgspec.Struct):
    """One level and family; `skipped` counts the groups without POSIX by reason."""

    n_groups: int
    n_wordings: int
    n_prompts: int
    skipped: dict[str, int]
    degenerate: bool
    measures: Estimates


class WordingAccuracy(msgspec.Struct):
    """Accuracy of one wording on the test groups."""

    family: str
    level: str
    trained: bool
    prompts: int
    accuracy: Estimate


class SensitivityResults(msgspec.Struct):
    """`metrics/arms/ARM/sensitivity.json`: `levels` is level -> family -> cell, `wordings` is by id."""

    headline: Estimates
    temperature: float | None
    degeneracy: Degeneracy
    prompts: int
    held_out: CellResults
    levels: dict[str, dict[str, CellResults]]
    wordings: dict[str, WordingAccuracy]


class Difference(msgspec.Struct, kw_only=True):
    """A measure of two arms on the same prompts; `difference` is to - from, and `p` null where the measure has no test.

    The relative reduction is that of the measure where lower is better, else of 1 - measure. `smallest_detectable` is the
    difference that the test sees with 80 % power.
    """

    # `from` is a word of Python, so the field has another name than the key.
    from_: float | None = msgspec.field(name="from")
    to: float | None
    difference: Estimate
    relative_reduction: Estimate
    p: float | None = None
    smallest_detectable: float | None = None


Differences = dict[str, Difference]


class QualityStep(msgspec.Struct):
    """Task quality of two arms on the test split, with the rows won and lost."""

    rows: int
    groups: int
    won: int
    lost: int
    measures: Differences
    won_prompts: list[str]
    lost_prompts: list[str]


class TextStep(msgspec.Struct):
    """Generated text of two arms on the test split; no rows where an arm generates nothing."""

    rows: int
    measures: Differences


class CellStep(msgspec.Struct):
    """Sensitivity of two arms on one cell; `noise_floor`: how far the first moves from itself under other wordings."""

    n_groups: int
    n_wordings: int
    measures: Differences
    noise_floor: dict[str, float | None]


class Step(msgspec.Struct, kw_only=True):
    """Everything about two arms; exploratory, for only the claims are corrected for their number."""

    from_: str = msgspec.field(name="from")
    to: str
    status: str = "exploratory"
    quality: QualityStep
    generated: TextStep
    held_out: CellStep
    levels: dict[str, dict[str, CellStep]]


class ClaimResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A claim with its verdict; a claim that was not tested has a `reason` in place of figures. `n`: rows or groups."""

    id: str
    statement: str
    endpoint: str
    arm: str
    against: str
    direction: str
    test: str
    status: str
    verdict: str
    reason: str | None = None
    from_: float | None = msgspec.field(name="from", default=None)
    to: float | None = None
    difference: Estimate | None = None
    relative_reduction: Estimate | None = None
    p: float | None = None
    p_holm: float | None = None
    smallest_detectable: float | None = None
    n: int | None = None


class Settings(msgspec.Struct):
    """How the arms were compared."""

    alpha: float
    correction: str
    permutations: int
    bootstrap_draws: int
    confidence: float
    seed: int


class Comparison(msgspec.Struct):
    """`metrics/comparison.json`: each arm and reference with its headline, the claims, and the steps (`A_to_B`)."""

    settings: Settings
    arms: dict[str, Estimates]
    references: dict[str, Estimates]
    claims: list[ClaimResult]
    steps: dict[str, Step]
