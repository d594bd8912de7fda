"""Tables of a task whose rows may have several labels: scores of the sets, and how each label is found and missed."""

from collections.abc import Mapping

from steady.report.tables import NOTHING, Metrics, Table, estimated

OF_SETS = {
    "accuracy": "all labels right",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "hamming_loss": "Hamming loss",
}
OF_LABELS = ("precision", "recall", "f1")
COUNTS = {
    "true_positive": "found",
    "false_negative": "missed",
    "false_positive": "wrongly given",
    "true_negative": "rightly not given",
}


def label_tables(arms: Mapping[str, Metrics]) -> list[Table]:
    """The tables, from the arms' `evaluate.json`; none where a row has one label."""
    several = all(found.get("multi_label", False) for found in arms.values())
    return [set_table(arms), label_table(arms)] if several else []


def set_table(arms: Mapping[str, Metrics]) -> Table:
    """Scores of whole sets on the test split: a row for each arm and each reference."""
    references = next(iter(arms.values())).get("references", {})
    scored = {name: found["test"] for name, found in arms.items()} | references
    rows = [[name, *(estimated(found[measure]) for measure in OF_SETS)] for name, found in scored.items()]
    return Table("Sets of labels, test split", ["arm", *OF_SETS.values()], rows)


def label_table(arms: Mapping[str, Metrics]) -> Table:
    """Each label on the test split, arm by arm: precision, recall, F1, and the two-by-two counts of its rows."""
    rows = [
        [label, name, str(scores["support"]), *_label_row(scores)]
        for label in next(iter(arms.values()))["labels"]
        for name, found in arms.items()
        for scores in [found["test"]["per_class"][label]]
    ]
    header = ["label", "arm", "rows", "precision", "recall", "F1", *COUNTS.values()]
    return Table("Every label by itself, test split", header, rows)


def _label_row(scores: Metrics) -> list[str]:
    estimates = [estimated(scores[name]) for name in OF_LABELS]
    return [*estimates, *(str(scores.get(name, NOTHING)) for name in COUNTS)]
