"""Faults of a user end in one clear message and a non-zero exit, never in a traceback."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from hydra.errors import MissingConfigException

from checks.pipeline import stage_view
from stages import evaluate, format
from steady.errors import SteadyError
from steady.parameters import read_params

ROOT = Path(__file__).resolve().parent.parent
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py") if path.stem not in ("process", "options"))


def edited(folder: Path, before: str, after: str) -> Path:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert before in text
    path = folder / "params.yaml"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "report"])  # it shows the file as it is
def test_a_misspelt_section_is_named_with_the_right_one_by_every_stage(tmp_path, stage):
    path = edited(tmp_path, "\nsensitivity:", "\nsensitivty:")
    with pytest.raises(SteadyError, match=r"unknown key `sensitivty`\. Did you mean `sensitivity`"):
        read_params(path, stage_view(ROOT, stage))


@pytest.mark.parametrize(
    "stage, before, after, message",
    [
        ("prepare", "  train_rows:", "  trian_rows:", "data: unknown key `trian_rows`. Did you mean `train_rows`"),
        ("format", "  canonical_every:", "  canonical_evry:", "Did you mean `canonical_every`"),
        ("finetune", "  lora_alpha:", "  lora_alfa:", "lora: unknown key `lora_alfa`. Did you mean `lora_alpha`"),
        ("finetune", "  learning_rate:", "  learning_rat:", "Did you mean `learning_rate`"),
        (
            "evaluate",
            "  confidence: 0.95",
            "  confidence: 95",
            "`evaluate.confidence`: Input should be less than 1, got 95",
        ),
        ("compare", "  permutations: 10000", "  permutations: many", "`compare.permutations`"),
    ],
)
def test_a_misspelt_key_or_a_wrong_value_is_named(tmp_path, stage, before, after, message):
    with pytest.raises(SteadyError) as error:
        read_params(edited(tmp_path, before, after), stage_view(ROOT, stage))
    assert message in str(error.value)


def test_all_faults_come_in_one_message(tmp_path):
    path = edited(tmp_path, "  r:", "  rank:")
    path.write_text(path.read_text(encoding="utf-8").replace("seed:", "sed:", 1), encoding="utf-8")
    with pytest.raises(SteadyError) as error:
        read_params(path, stage_view(ROOT, "finetune"))
    assert "`sed`" in str(error.value) and "`rank`" in str(error.value)


def test_a_recipe_that_does_not_exist_is_named_with_those_that_do(tmp_path):
    from dvc.utils.hydra import compose_and_dump

    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "recipe", tmp_path / "recipe")
    with pytest.raises(MissingConfigException) as error:
        compose_and_dump(str(tmp_path / "params.yaml"), str(tmp_path), None, "params", str(tmp_path), ["+recipe=nope"])
    assert "recipe/nope" in str(error.value) and "tickets-minilm" in str(error.value)


def fails(command, *arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    return result.output


def test_missing_prepared_data_say_what_to_run(tmp_path):
    output = fails(
        format.main, "--params", str(ROOT / "params.yaml"), "--prepared", str(tmp_path), "--out", str(tmp_path / "o")
    )
    assert "train.jsonl: no such file" in output and "dvc repro" in output


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_a_missing_or_damaged_arm_says_what_to_run(tmp_path, content):
    folder = tmp_path / "models" / "tuned"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "steady.json").write_text(content)
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("")
    names = ("predictions", "texts", "confusion", "metrics")
    output = fails(
        evaluate.main,
        *("--arm", "tuned", "--params", str(ROOT / "params.yaml"), "--model", str(folder)),
        *("--prepared", str(tmp_path), "--prompts", str(prompts), "--own", str(tmp_path)),
        *(f"--{name}={tmp_path / name}.json" for name in names),
    )
    assert "tuned" in output and "dvc repro" in output
