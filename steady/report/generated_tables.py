"""The figures of freely generated text as tables; none for classifiers."""

from collections.abc import Mapping, Sequence

from steady.report.tables import Metrics, Table, estimated, p_value

TITLES = {
    "exact_match": "exact match",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "reference_perplexity": "perplexity of the reference",
    "words": "words",
    "within_words": "within {limit} words",
    "label_accuracy": "accuracy, read as a label",
    "no_label": "no label",
    "distinct_answers": "distinct answers",
}


def generated_tables(arms: Mapping[str, Metrics], comparison: Metrics) -> list[Table]:
    """What the arms write when nothing constrains them, on the test split, and the differences from arm to arm.

    Args:
        arms: name -> `evaluate.json`.
        comparison: `comparison.json`.
    """
    writing = {name: found["generated"] for name, found in arms.items() if _limit(found) is not None}
    if not writing:
        return []
    first = next(iter(writing.values()))
    names = [name for name in TITLES if first["test"][name]["value"] is not None]
    titles = [TITLES[name].format(limit=first["within_words_limit"]) for name in names]
    rows = [[arm, *(estimated(found["test"][name]) for name in names)] for arm, found in writing.items()]
    return [
        Table("Free answers to the test prompts", ["arm", *titles], rows),
        _differences([name for name in names if name != "distinct_answers"], first["within_words_limit"], comparison),
    ]


def _limit(found: Metrics) -> int | None:
    limit: int | None = found.get("generated", {}).get("within_words_limit")
    return limit


def _differences(names: Sequence[str], limit: int, comparison: Metrics) -> Table:
    steps = [step for step in comparison["steps"].values() if step.get("generated", {}).get("rows")]
    rows = []
    for name in names:
        found = [step["generated"]["measures"][name] for step in steps]
        cells = [[estimated(one["difference"], signed=True), p_value(one["p"])] for one in found]
        rows.append([TITLES[name].format(limit=limit), *(cell for pair in cells for cell in pair)])
    header = ["measure", *(cell for step in steps for cell in (f"{step['from']} → {step['to']}", "p"))]
    return Table("Free answers, differences (exploratory, p not corrected)", header, rows)
