"""The guides are true: the files that they show work, every measure has its formula, and the site has every page."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from checks.site import navigation
from stages.format import main as format_stage
from stages.prepare import main as prepare_stage
from steady.metrics.measures import QUALITY, SENSITIVITY, TEXT

ROOT = Path(__file__).resolve().parent.parent
TITLED = re.compile(r'^```yaml title="([^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
CSV = re.compile(r"^```csv\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def merged(params: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: section | changes.get(name, {}) if isinstance(section, dict) else section
        for name, section in params.items()
    }


def prepared_and_worded(folder: Path, changes: dict[str, Any]) -> str:
    """What the first two stages print in a folder, by the committed parameters with the changes that a page tells to make."""
    yaml = YAML(typ="safe", pure=True)
    params = merged(yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8")), changes)
    with (folder / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    splits = [word for name in ("train", "validation", "test") for word in (f"--{name}", f"data/prepared/{name}.jsonl")]
    places = ["--rejected", "data/prepared/rejected.jsonl", "--metrics", "data.json"]
    prepared = CliRunner().invoke(prepare_stage, [*splits, *places])
    worded = CliRunner().invoke(format_stage, ["--metrics", "format.json"])
    assert worded.exit_code == 0, worded.output
    return prepared.output


def test_the_task_from_scratch_is_prepared_and_worded(tmp_path, monkeypatch):
    page = (ROOT / "docs/own-task.md").read_text(encoding="utf-8")
    files = dict(TITLED.findall(page))
    header, *rows = CSV.findall(page)[0].splitlines()
    more = [row.replace('"', f'"Message {number}. ', 1) for number in range(20) for row in rows]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/raw/wordings").mkdir(parents=True)
    (tmp_path / "data/raw/mail.csv").write_text("\n".join([header, *more]) + "\n", encoding="utf-8")
    (tmp_path / "data/raw/wordings/mail.yaml").write_text(files["data/raw/wordings/mail.yaml"], encoding="utf-8")
    changes = YAML(typ="safe", pure=True).load(files["params.yaml"])
    assert "60 accepted (train 36, validation 12, test 12)" in prepared_and_worded(tmp_path, changes)
    preview = (tmp_path / "data/formatted/preview.md").read_text(encoding="utf-8")
    assert "Sort this e-mail into invoice, booking" in preview


def test_sixty_rows_are_prepared_and_worded_by_the_lines_of_the_readme(tmp_path, monkeypatch):
    block = re.search(
        r"^```\n(data:\n.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    changes = YAML(typ="safe", pure=True).load(block[1])
    changes["data"] |= {"validation_rows": 0.2, "test_rows": 0.2}  # "likewise", says its comment
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "data/raw/wordings", tmp_path / "data/raw/wordings")
    rows = [f"Subject {n},Text of message {n} on {kind},{kind}" for n in range(20) for kind in ("rent", "tax", "noise")]
    (tmp_path / "data/raw/mine.csv").write_text("\n".join(["subject,body,queue", *rows]) + "\n", encoding="utf-8")
    assert "60 accepted (train 36, validation 12, test 12)" in prepared_and_worded(tmp_path, changes)
    assert "rent" in (tmp_path / "data/formatted/preview.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("measure", [*QUALITY, *SENSITIVITY, *TEXT], ids=lambda row: f"{type(row).__name__}-{row.name}")
def test_a_measure_has_its_formula(measure):
    assert measure.formula, f"steady/metrics/measures.py: say in `formula` how {measure.name} is computed"


def test_the_navigation_drops_pages_that_are_gone_and_adds_those_that_are_new():
    nav = [{"One": "one.md"}, {"Part": [{"Two": "two.md"}, {"Gone": "gone.md"}]}]
    assert navigation(nav, {"one.md", "two.md", "new.md"}) == [
        {"One": "one.md"},
        {"Part": [{"Two": "two.md"}]},
        "new.md",
    ]
