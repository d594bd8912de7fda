import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from steady.errors import SteadyError
from steady.parameters import read_params
from steady.prompts.params import FormatStage

COMMITTED = Path(__file__).parents[2] / "params.yaml"


def changed(tmp_path: Path, section: str, changes: dict[str, Any], without: str = "") -> Path:
    values = YAML(typ="safe", pure=True).load(COMMITTED.read_text())
    values[section] = {key: value for key, value in (values[section] | changes).items() if key != without}
    path = tmp_path / "params.yaml"
    path.write_text(json.dumps(values))
    return path


def test_the_committed_parameters_are_read() -> None:
    params = read_params(COMMITTED, FormatStage)
    assert params.sensitivity.wordings_per_family >= 2 and len(params.sensitivity.families) >= 3
    assert params.sensitivity.test_groups >= 60
    assert "spelling" not in params.format.trained_families


@pytest.mark.parametrize(
    ("section", "changes", "without", "expected"),
    [
        (
            "format",
            {"canonical_ever": 8},
            "canonical_every",
            ["Did you mean `canonical_every`?", "`format.canonical_every`: Field required"],
        ),
        ("sensitivity", {"test_group": 9}, "test_groups", ["`sensitivity.test_groups`: Field required"]),
        (
            "format",
            {"trained_families": ["paraphrase", "rhyme"]},
            "",
            ["trained_families.1", "'spelling'", "got 'rhyme'"],
        ),
        (
            "format",
            {"trained_families": ["format", "format"]},
            "",
            ["`format.trained_families`", "names something twice"],
        ),
        ("format", {"trained_families": []}, "", ["`format.trained_families`"]),
        ("format", {"spelling_strengths": [0]}, "", ["`format.spelling_strengths.0`", "greater than or equal to 1"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    tmp_path: Path, section: str, changes: dict[str, Any], without: str, expected: list[str]
) -> None:
    with pytest.raises(SteadyError) as caught:
        read_params(changed(tmp_path, section, changes, without), FormatStage)
    assert [part for part in expected if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("section", "key"), [("sensitivity", "bootstrap_draws"), ("model", "dtype"), ("data", "train_rows")]
)
def test_keys_of_other_stages_are_not_looked_at(tmp_path: Path, section: str, key: str) -> None:
    poisoned = changed(tmp_path, section, {key: "poison"})
    assert read_params(poisoned, FormatStage) == read_params(COMMITTED, FormatStage)


def test_the_bank_may_be_left_out(tmp_path: Path) -> None:
    assert read_params(changed(tmp_path, "format", {"wordings": None}), FormatStage).format.wordings is None
