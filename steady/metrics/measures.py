"""The one table of measures: name, label, unit, direction, source, test, where it is shown, and the function that computes it.

Metric files, paired tests, claims, the page and the tables of the README follow from it: a new measure is a function and a row.
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, TypeVar

import numpy as np

from steady.labels import Floats
from steady.metrics import quality, text
from steady.metrics import sensitivity as wording
from steady.metrics.cells import HELD_OUT, CellValues
from steady.metrics.quality import WeightedCounts
from steady.metrics.resampling import Pooled, average
from steady.metrics.text import ScoredText

Test = Literal["mcnemar", "sign_flip", "swap"]
HIGHER: Literal["higher"] = "higher"
LOWER: Literal["lower"] = "lower"
SHARE, NATS, NATS_A_TOKEN = "share", "nats", "nats a token"
TEST_SPLIT = "test"


@dataclass(frozen=True)
class Measure:
    """A row of the table.

    Attributes:
        name: the key in the metric files.
        label: what tables and the page call it.
        better: which direction is; of `words` neither, and it is listed as the shorter.
        level: what one value belongs to: a row, a group of prompts with one intent, or a wording over all groups.
        formula: in words and signs, for `docs/measures.md`; N prompts of a group, pairs i ≠ j.
        source: of the formula, where it is not the usual definition.
        test: the paired test between arms: exact McNemar over rows, flipped signs of group differences, or arms swapped
            within groups; None: an interval alone.
        shown: `page`: pictures, tables and differences; `tables`: tables alone; `files`: the metric files alone.
        headline: where the measure speaks for an arm as a whole: `test` (the test split), `held_out` or a level; None: nowhere.
        primary: whether `metrics/headline.json` has it.
    """

    name: str
    label: str
    better: Literal["higher", "lower"]
    level: Literal["row", "group", "wording"]
    _: KW_ONLY
    unit: str = SHARE
    formula: str = ""
    source: str = ""
    test: Test | None = None
    shown: Literal["page", "tables", "files"] = "files"
    headline: str | None = None
    primary: bool = False

    @property
    def title(self) -> str:
        """Label, unit and direction in words, for an axis."""
        unit = "" if self.unit == SHARE else f", {self.unit}"
        return f"{self.label}{unit} ({self.better} is better)"

    def endpoint(self, place: str) -> str:
        """What a claim calls the measure at a place: `accuracy` on the test split, `l2_agreement` on a level."""
        return self.name if place == TEST_SPLIT else f"{place.lower()}_{self.name.removeprefix('mean_')}"


@dataclass(frozen=True)
class QualityMeasure(Measure):
    """A measure of task quality; `of_sets`: only where a row may have several labels."""

    value: Callable[[WeightedCounts], Floats]
    of_sets: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class SensitivityMeasure(Measure):
    """A measure of a cell, from the scores of its wordings `(…, wordings)` or, where there is no such function, from its groups.

    The ratio of the sums over groups is then changed by `transform`. A sign-flip test takes the values of the groups in any case.
    """

    _: KW_ONLY
    of_wordings: Callable[[Floats], Floats] | None = None
    of_groups: Callable[[CellValues], Pooled] | None = None
    transform: Callable[[Floats], Floats] = np.asarray


@dataclass(frozen=True)
class TextMeasure(Measure):
    """A measure of generated text: the ratio of sums over rows of what `of_row` returns, a total and a count, then `transform`."""

    of_row: Callable[[ScoredText], tuple[float, float]]
    transform: Callable[[Floats], Floats] = field(default=np.asarray, kw_only=True)


def _reworded_to_canonical(cell: CellValues) -> Pooled:
    """The scores of rewordings over those of the canonical wording, in the groups that have a canonical prompt."""
    reworded = np.where(np.isnan(cell.canonical), 0.0, wording.mean_over_wordings(cell.scores))
    return Pooled(reworded, np.nan_to_num(cell.canonical))


# A table reads as one: a row in one or two lines.
# fmt: off
QUALITY = (
    QualityMeasure("accuracy", "accuracy", HIGHER, "row", quality.accuracy, test="mcnemar", shown="page", headline=TEST_SPLIT,
        primary=True, formula="rows whose answer is the target / rows"),
    QualityMeasure("macro_f1", "macro F1", HIGHER, "row", quality.macro_f1, shown="page", headline=TEST_SPLIT,
        formula="mean over the classes that occur of 2 TP / (2 TP + FP + FN)"),
    QualityMeasure("weighted_f1", "weighted F1", HIGHER, "row", quality.weighted_f1, shown="page",
        formula="Σ_c n_c F1_c / Σ_c n_c, n_c the rows of class c"),
    QualityMeasure("log_loss", "log loss", LOWER, "row", quality.log_loss, unit=NATS, shown="tables",
        formula="mean of -log P(target)"),
    QualityMeasure("expected_calibration_error", "ECE", LOWER, "row", quality.expected_calibration_error,
        source="Guo et al. 2017, arXiv 1706.04599", shown="tables",
        formula="Σ_b |Σ of (correct - confidence) in bin b| / rows, 15 bins of equal width"),
    QualityMeasure("unparsed", "no label", LOWER, "row", quality.unparsed, shown="tables",
        formula="rows whose answer is no label / rows"),
    QualityMeasure("micro_f1", "micro F1", HIGHER, "row", quality.micro_f1, shown="tables", of_sets=True,
        formula="2 TP / (2 TP + FP + FN), of all labels of all rows together"),
    QualityMeasure("hamming_loss", "Hamming loss", LOWER, "row", quality.hamming_loss, shown="tables", of_sets=True,
        formula="wrong labels / (rows x labels)"),
)

SENSITIVITY = (
    SensitivityMeasure("mean_accuracy", "mean accuracy", HIGHER, "wording", test="sign_flip", shown="page", headline=HELD_OUT,
        of_wordings=wording.mean_over_wordings, of_groups=lambda cell: average(wording.mean_over_wordings(cell.scores)),
        formula="mean over wordings w of s_w, s_w the accuracy under w"),
    SensitivityMeasure("worst_wording_accuracy", "worst wording", HIGHER, "wording", test="swap", shown="tables",
        headline=HELD_OUT, primary=True, of_wordings=wording.worst_wording, formula="min_w s_w"),
    SensitivityMeasure("best_wording_accuracy", "best wording", HIGHER, "wording", of_wordings=wording.best_wording,
        formula="max_w s_w"),
    SensitivityMeasure("std_over_wordings", "standard deviation over wordings", LOWER, "wording",
        of_wordings=wording.std_over_wordings, formula="sqrt(mean_w (s_w - mean s)^2)"),
    SensitivityMeasure("spread", "spread", LOWER, "wording", source="Sclar et al. 2023, FormatSpread, arXiv 2310.11324",
        test="swap", shown="tables", of_wordings=wording.spread, formula="max_w s_w - min_w s_w"),
    SensitivityMeasure("cps", "combined performance score", HIGHER, "wording", source="Mizrahi et al. 2024, arXiv 2401.00595",
        test="swap", of_wordings=wording.combined_performance_score, formula="M (1 - (M - A)), M = max_w s_w, A = mean_w s_w"),
    SensitivityMeasure("worst_prompt_accuracy", "worst-prompt accuracy", HIGHER, "group",
        source="Cao et al. 2024, arXiv 2406.10248", test="sign_flip",
        of_groups=lambda cell: average(wording.worst_wording(cell.scores)),
        formula="mean over groups of the lowest score of their prompts"),
    SensitivityMeasure("pss", "PromptSensiScore", LOWER, "group", source="Zhuo et al. 2024, ProSA, arXiv 2410.12405",
        test="sign_flip", of_groups=lambda cell: average(wording.score_differences(cell.scores)),
        formula="mean over groups of the mean |s_i - s_j| over pairs of prompts"),
    SensitivityMeasure("pdr", "performance drop rate", LOWER, "group", source="PromptBench, arXiv 2306.04528",
        of_groups=_reworded_to_canonical, transform=lambda share: 1 - share,
        formula="1 - Σ mean score of the rewordings / Σ score of the canonical wording, over groups"),
    SensitivityMeasure("agreement", "agreement", HIGHER, "group", source="Elazar et al. 2021", test="sign_flip", shown="page",
        headline="L2", primary=True, of_groups=lambda cell: Pooled(cell.equal, cell.pairs),
        formula="pairs of prompts of one group with equal answers / pairs"),
    SensitivityMeasure("agreement_with_canonical", "agreement with the canonical wording", HIGHER, "group",
        of_groups=lambda cell: Pooled(np.nan_to_num(cell.canonical_equal), np.where(np.isnan(cell.canonical), 0.0, cell.prompts)),
        formula="prompts with the answer to the canonical wording / prompts"),
    SensitivityMeasure("consistent_groups", "groups with one answer", HIGHER, "group", test="sign_flip",
        of_groups=lambda cell: average(cell.consistent), formula="groups with one answer / groups"),
    SensitivityMeasure("answer_entropy", "answer entropy", LOWER, "group", source="Errica et al. 2024, arXiv 2406.12334",
        test="sign_flip", of_groups=lambda cell: average(cell.entropy),
        formula="mean over groups of -Σ_a p_a log p_a / log(labels), p_a the share of answer a"),
    SensitivityMeasure("posix", "POSIX", LOWER, "group", unit=NATS_A_TOKEN, source="Chatterjee et al. 2024, arXiv 2410.02185",
        test="sign_flip", shown="page", headline="L2", primary=True, of_groups=lambda cell: average(cell.psi),
        formula="mean over groups of Σ_ij |log P(y_j|x_i) - log P(y_j|x_j)| / L_j / (N (N - 1)), L_j the tokens of y_j"),
    SensitivityMeasure("posix_same", "POSIX of equal responses", LOWER, "group", unit=NATS_A_TOKEN, test="sign_flip",
        of_groups=lambda cell: average(cell.psi_same), formula="the part of POSIX from pairs with y_i = y_j"),
    SensitivityMeasure("posix_diff", "POSIX of different responses", LOWER, "group", unit=NATS_A_TOKEN, test="sign_flip",
        of_groups=lambda cell: average(cell.psi_diff), formula="the part of POSIX from pairs with y_i ≠ y_j"),
    SensitivityMeasure("posix_scaled", "POSIX, scaled", LOWER, "group", unit=NATS_A_TOKEN,
        source="Guo et al. 2017, arXiv 1706.04599, for the temperature", test="sign_flip", shown="tables", headline="L2",
        of_groups=lambda cell: average(cell.psi_scaled),
        formula="POSIX of the probabilities at the temperature with the lowest log loss on validation rows"),
    SensitivityMeasure("unparsed", "format loss", LOWER, "group", of_groups=lambda cell: Pooled(cell.unparsed, cell.prompts),
        formula="prompts whose answer is no label / prompts"),
)

TEXT = (
    TextMeasure("label_accuracy", "accuracy, read as a label", HIGHER, "row", text.reads_as_target, test="sign_flip",
        formula="texts that say the right label / texts"),
    TextMeasure("no_label", "no label", LOWER, "row", text.reads_as_no_label, test="sign_flip",
        formula="texts that say no label / texts"),
    TextMeasure("exact_match", "exact match", HIGHER, "row", lambda row: (float(row.scores.exact_match), 1.0), test="sign_flip",
        shown="tables", formula="texts equal to a reference, case and white space apart / texts"),
    TextMeasure("rouge_l", "ROUGE-L", HIGHER, "row", lambda row: (row.scores.rouge_l, 1.0),
        source="Lin 2004, https://aclanthology.org/W04-1013", test="sign_flip", shown="tables",
        formula="mean of the F1 of the longest common subsequence of words, with the best reference"),
    TextMeasure("chrf", "chrF", HIGHER, "row", lambda row: (row.scores.chrf, 1.0),
        source="Popović 2015, https://aclanthology.org/W15-3049", test="sign_flip", shown="tables",
        formula="mean of chrF, F2 of character n-grams up to 6, with the best reference"),
    TextMeasure("reference_perplexity", "perplexity of the reference", LOWER, "row", text.reference_surprise, unit="perplexity",
        test="sign_flip", shown="tables", transform=text.perplexity, formula="exp(Σ -log P(likeliest reference) / Σ its tokens)"),
    TextMeasure("words", "words", LOWER, "row", lambda row: (float(row.scores.words), 1.0), unit="words", test="sign_flip",
        shown="tables", formula="mean number of words"),
    TextMeasure("within_words", "short answers", HIGHER, "row",
        lambda row: (float(text.is_short(row.scores.words, row.within_words)), 1.0), test="sign_flip",
        formula="texts of 1 to `evaluate.within_words` words / texts"),
)
# fmt: on

AnyMeasure = TypeVar("AnyMeasure", bound=Measure)


def by_name(measures: Sequence[AnyMeasure], name: str) -> AnyMeasure:
    """The measure of that name."""
    return next(measure for measure in measures if measure.name == name)


def on_page(measures: Sequence[AnyMeasure]) -> list[AnyMeasure]:
    """The measures with pictures and differences."""
    return [measure for measure in measures if measure.shown == "page"]


def in_tables(measures: Sequence[AnyMeasure]) -> list[AnyMeasure]:
    """The measures of tables, those of the page among them."""
    return [measure for measure in measures if measure.shown != "files"]


def headlines() -> list[QualityMeasure | SensitivityMeasure]:
    """The measures that speak for an arm as a whole, in the order of the tables."""
    return [measure for measure in (*QUALITY, *SENSITIVITY) if measure.headline is not None]
