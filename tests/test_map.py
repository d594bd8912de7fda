"""What AGENTS.md says of adding things is true: one of each is added in the files that it names, and the pipeline runs with them."""

import json
import re
from pathlib import Path

import pytest
from test_house_pipeline import FEW_STEPS, ROOT, run

MAP = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
MEASURE = '''

def median_over_wordings(accuracy: Floats) -> Floats:
    """The median over wordings of `(…, wordings)`."""
    median: Floats = np.nanmedian(accuracy, axis=-1)
    return median
'''
ROW = """    SensitivityMeasure("median_over_wordings", "median wording", HIGHER, "wording", shown="tables",
        of_wordings=wording.median_over_wordings),
"""
FAMILY = '''"""The family `backwards`: a prompt in reverse order."""

from steady.prompts.bank import Bank
from steady.prompts.canonical import canonical_parts
from steady.prompts.levels import Task, placed
from steady.prompts.parts import join
from steady.records import Example, Wording


def wordings(task: Task) -> list[Wording]:
    """Both wordings of the family."""
    return [
        placed(Wording(id=f"backwards/{name}", family="backwards", operator=name), task.params)
        for name in ("words", "letters")
    ]


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The prompt of an example with its words, or its letters, in reverse order."""
    prompt = join(canonical_parts(example, bank))
    return " ".join(prompt.split()[::-1]) if wording.operator == "words" else prompt[::-1]
'''
FORMAT = '''"""`{"question": …, "queue": …}`: a ticket and the queue it belongs to."""

from collections.abc import Iterator

from steady.prepare.context import Context, classified, labels_of
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {"question": "Why was I charged twice?", "queue": "billing"}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft whose input is the question and whose output is the queue."""
    yield classified(row.text("question"), labels_of(row, "queue", context))
'''
OBJECTIVE = '''"""The objective `smallness`: cross-entropy, and a price for large logits."""

from collections.abc import Iterator
from typing import Any


def faults(name: str, params: Any) -> Iterator[str]:
    """None: any arm can be trained so."""
    yield from ()


def penalty(step: Any, settings: Any) -> Any:
    """The mean square of the logits, times `price`."""
    return settings.price * step.logits.square().mean()
'''
SECTION = '''class SmallnessParams(Section):
    """Section `smallness`."""

    price: float = Field(ge=0)


'''


def named_files(addition: str) -> set[str]:
    """The files of a row of the map's table, as patterns with NAME in them."""
    row = re.search(rf"^\| {addition} \| (.*) \|$", MAP, re.MULTILINE)
    assert row, addition
    return set(re.findall(r"`((?:steady|recipe)/[\w/]+\.\w+)`", row[1]))


def insert(path: Path, before: str, text: str) -> None:
    """Put a text before the first place of another."""
    content = path.read_text(encoding="utf-8")
    assert before in content, f"{path}: {before}"
    path.write_text(content.replace(before, text + before, 1), encoding="utf-8")


def test_the_files_that_the_map_names_are_here() -> None:
    for path in re.findall(r"`((?:steady|stages|tests|recipe)/[\w/]+\.\w+)`", MAP):
        assert path == "stages/X.py" or "NAME" in path or (ROOT / path).is_file(), path
    assert len(MAP.splitlines()) <= 60


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
def test_one_of_each_is_added_in_the_files_that_the_map_names(tmp_path: Path) -> None:
    folder = tmp_path / "steady"
    run(tmp_path, "git", "clone", "-q", str(ROOT), str(folder))
    (folder / "dvc.lock").unlink(missing_ok=True)
    tickets = [json.loads(line) for line in (folder / "data/raw/tickets.jsonl").read_text().splitlines()]
    rows = [json.dumps({"question": row["text"], "queue": row["label"]}) for row in tickets]
    (folder / "data/raw/queues.jsonl").write_text("\n".join(rows) + "\n")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "own data")

    functions = folder / "steady/metrics/sensitivity.py"
    functions.write_text(functions.read_text() + MEASURE)
    insert(folder / "steady/metrics/measures.py", '    SensitivityMeasure("spread"', ROW)
    (folder / "steady/prompts/families/backwards.py").write_text(FAMILY)
    (folder / "steady/prepare/formats/question_queue.py").write_text(FORMAT)
    recipe = (folder / "recipe/smoke.yaml").read_text().replace("data/raw/tickets.jsonl", "data/raw/queues.jsonl")
    recipe = recipe.replace("format: text-label", "format: question-queue").replace(
        "families: [spelling", "families: [backwards"
    )
    (folder / "steady/finetune/objectives/smallness.py").write_text(OBJECTIVE)
    params = folder / "steady/finetune/params.py"
    insert(params, "class FinetuneParams(", SECTION)
    insert(params, "    runtime: Runtime\n", "    smallness: SmallnessParams\n")
    insert(params, '"consistency"]', '"smallness", ')
    insert(folder / "steady/parameters.py", '    "evaluate",\n', '    "smallness",\n')
    recipe = recipe.replace("variants, objective: sft", "variants, objective: smallness")
    for path, text in (("params.yaml", (folder / "params.yaml").read_text()), ("recipe/queues.yaml", recipe)):
        (folder / path).write_text(text + "smallness: {price: 0.01}\n")

    changed = set(run(folder, "git", "ls-files", "-m", "-o", "--exclude-standard").split())
    added = ("a measure", "a family of rewordings", "a data format", "an objective", "a recipe")
    names = {
        "families/NAME": "families/backwards",
        "formats/NAME": "formats/question_queue",
        "objectives/NAME": "objectives/smallness",
    }
    expected = {functions.relative_to(folder).as_posix(), "params.yaml"}
    for path in set().union(*map(named_files, added)):
        for pattern, name in names.items():
            path = path.replace(pattern, name)  # noqa: PLW2901
        expected.add(path.replace("recipe/NAME", "recipe/queues"))
    assert changed == expected

    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "one of each")
    run(folder, "dvc", "exp", "run", "-S", "+recipe=queues", "-S", "~arms.control", *FEW_STEPS)
    cell = json.loads((folder / "metrics/arms/tuned/sensitivity.json").read_text())["held_out"]
    assert cell["measures"]["median_over_wordings"]["value"] is not None
    compared = json.loads((folder / "metrics/comparison.json").read_text())
    step = next(iter(compared["steps"].values()))
    assert "median_over_wordings" in step["held_out"]["measures"]
    assert "backwards/words" in (folder / "data/formatted/wordings.jsonl").read_text()
    assert "backwards" in compared["steps"][next(iter(compared["steps"]))]["levels"]["L2"]
    assert "the objective smallness" in (folder / "models/tuned/README.md").read_text()
    page = (folder / "reports/index.html").read_text()
    assert "median wording" in page and "backwards" in page
