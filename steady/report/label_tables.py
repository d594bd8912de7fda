"""Tables of a task whose rows may have several labels: scores of the sets, and how each label is found and missed."""

from collections.abc import Mapping

import msgspec

from steady.metrics.measures import QUALITY, on_page
from steady.metrics.results import EvaluateResults
from steady.report.tables import Table, estimated

COUNTS = {
    "true_positive": "found",
    "false_negative": "missed",
    "false_positive": "wrongly given",
    "true_negative": "rightly not given",
}


def label_tables(arms: Mapping[str, EvaluateResults]) -> list[Table]:
    """The tables, from the results of the arms; none where a row has one label."""
    several = all(found.multi_label for found in arms.values())
    return [set_table(arms), label_table(arms)] if several else []


def set_table(arms: Mapping[str, EvaluateResults]) -> Table:
    """Scores of whole sets on the test split (accuracy: all labels right): a row for each arm and each reference."""
    measures = [*on_page(QUALITY), *(row for row in QUALITY if row.of_sets)]
    scored = {name: found.test for name, found in arms.items()} | next(iter(arms.values())).references
    rows = [[name, *(estimated(found.measures[row.name]) for row in measures)] for name, found in scored.items()]
    return Table("Sets of labels, test split", ["arm", *(row.label for row in measures)], rows)


def label_table(arms: Mapping[str, EvaluateResults]) -> Table:
    """Each label on the test split, arm by arm: precision, recall, F1, and the two-by-two counts of its rows."""
    rows = []
    for label in next(iter(arms.values())).labels:
        for name, found in arms.items():
            scores = found.test.per_class[label]
            counts = msgspec.to_builtins(scores)
            estimates = [estimated(one) for one in (scores.precision, scores.recall, scores.f1)]
            rows.append([label, name, str(scores.support), *estimates, *(str(counts[key]) for key in COUNTS)])
    header = ["label", "arm", "rows", "precision", "recall", "F1", *COUNTS.values()]
    return Table("Every label by itself, test split", header, rows)
