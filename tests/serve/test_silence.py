"""A user reads what the commands say and nothing of what their libraries say of themselves."""

import os
import subprocess
import sys
from pathlib import Path

from steady.prompts.phrasebook import read_phrasebook
from steady.records import CANONICAL, Prompt, ScheduleRow, write_records

ROOT = Path(__file__).resolve().parents[2]


def _run(*arguments):
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": ""}
    ran = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True, env=surroundings, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran


def test_predict_says_nothing_but_its_answers(trained):
    params, models, listed = trained.paths
    ran = _run("steady", "predict", "--params", params, "--models", models, "--listed", listed, "Refund please")
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) == 2


def test_the_scoring_of_the_stages_is_imported_without_a_word():
    command = [sys.executable, "-c", "import steady.evaluate.evaluate, steady.inference.arm, peft, bitsandbytes"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")


def test_training_and_loading_an_adapter_warn_of_nothing(trained, tmp_path):
    book = trained.folder / "models" / "tuned" / "phrasebook.json"
    names = list(read_phrasebook(book).wordings)
    asked = [
        Prompt(
            id=row.id, group_id=row.id, example_id=row.id, wording=CANONICAL, prompt=row.input, completion=row.output
        )
        for row in trained.examples
    ]
    write_records(tmp_path / "train.jsonl", trained.examples)
    write_records(
        tmp_path / "schedule.jsonl", [ScheduleRow(example_id=row.id, wordings=names) for row in trained.examples]
    )
    write_records(tmp_path / "validation.jsonl", asked)
    ran = _run(
        "stages.finetune", "--arm", "tuned", "--params", trained.folder / "params.yaml",
        "--train", tmp_path / "train.jsonl", "--schedule", tmp_path / "schedule.jsonl", "--phrasebook", book,
        "--validation", tmp_path / "validation.jsonl",
        "--out", tmp_path / "tuned", "--curves", tmp_path / "curves", "--own", tmp_path / "own",
    )  # fmt: skip
    assert ran.stderr == ""
    assert all(line.startswith(("finetune", "{")) for line in ran.stdout.splitlines()), ran.stdout


def test_merge_says_nothing_but_its_proof(trained, tmp_path):
    params, models, _ = trained.paths
    ran = _run("steady", "merge", Path(models) / "tuned", tmp_path / "merged", "--params", params)
    assert ran.stderr == ""
    assert "logits differ by" in ran.stdout
