"""The figures of freely generated text as tables; none for classifiers."""

from collections.abc import Mapping, Sequence

from steady.metrics.measures import TEXT, TextMeasure
from steady.metrics.results import Comparison, EvaluateResults, GeneratedQuality
from steady.report.tables import Table, estimated, p_value


def generated_tables(arms: Mapping[str, EvaluateResults], comparison: Comparison) -> list[Table]:
    """What the arms write when nothing constrains them, on the test split, and the differences from arm to arm."""
    writing = {
        name: found.generated
        for name, found in arms.items()
        if isinstance(found.generated, GeneratedQuality) and found.within_words is not None
    }
    if not writing:
        return []
    first = next(iter(writing.values()))
    measures = [row for row in TEXT if first.test[row.name].value is not None]
    rows = [
        [arm, *(estimated(found.test[name]) for name in [*(row.name for row in measures), "distinct_answers"])]
        for arm, found in writing.items()
    ]
    limit = f" (short: at most {first.within_words_limit} words)"
    header = ["arm", *(row.label for row in measures), "distinct answers"]
    return [Table(f"Free answers to the test prompts{limit}", header, rows), _differences(measures, comparison)]


def _differences(measures: Sequence[TextMeasure], comparison: Comparison) -> Table:
    steps = [step for step in comparison.steps.values() if step.generated.rows]
    rows = []
    for row in measures:
        found = [step.generated.measures[row.name] for step in steps]
        cells = [[estimated(one.difference, signed=True), p_value(one.p)] for one in found]
        rows.append([row.label, *(cell for pair in cells for cell in pair)])
    header = ["measure", *(cell for step in steps for cell in (f"{step.from_} → {step.to}", "p"))]
    return Table("Free answers, differences (exploratory, p not corrected)", header, rows)
