"""CPS against the published tables of the paper that defined it."""

import csv
import json
import os
from pathlib import Path

import pytest

from steady.metrics.sensitivity import combined_performance_score

PUBLISHED = Path(__file__).parent / "published"
DATA = Path(os.environ.get("STEADY_REAL_DATA", "absent")) / "prompt_variants" / "state_of_what_art" / "data"
DECIMALS = 1e-5  # the tables are cut off after five decimals


def accuracies_of(task: str, *, only_correct: bool) -> dict[str, list[float]]:
    """Accuracies of a task's paraphrases by model; `correct` is taken from the CSV, whose one `0?` the JSON reads as true."""
    name = task.replace(" ", "_")
    (scored,) = (DATA / "paraphrases accuracies and rankings (aggregated)").glob(f"*/{name}.json")
    (listed,) = (DATA / "automatic paraphrases").glob(f"*/{name}.csv")
    with listed.open(encoding="utf-8-sig", newline="") as handle:
        correct = {row["prompt idx"]: row["correct"] == "1" for row in csv.DictReader(handle)}
    found: dict[str, list[float]] = {}
    for place, paraphrase in json.loads(scored.read_text(encoding="utf-8"))["paraphrases"].items():
        if correct[place] or not only_correct:
            for model, accuracy in paraphrase["accs"].items():
                found.setdefault(model, []).append(accuracy)
    return found


@pytest.mark.skipif(not DATA.is_dir(), reason="no prompt_variants/state_of_what_art below STEADY_REAL_DATA")
@pytest.mark.parametrize(("table", "only_correct"), [("cps_all_paraphrases", False), ("cps_correct_paraphrases", True)])
def test_cps_reproduces_every_cell_of_the_published_table(table, only_correct):
    with (PUBLISHED / f"{table}.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    cells = 0
    for row in rows:
        accuracies = accuracies_of(row.pop("task"), only_correct=only_correct)
        for model, published in row.items():
            if published:
                ours = float(combined_performance_score(accuracies[model]))
                assert -1e-12 <= ours - float(published) < DECIMALS + 1e-12
                cells += 1
    assert cells == 10 * 16 + 15 * 11
