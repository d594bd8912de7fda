"""A user reads what the commands say and nothing of what their libraries say of themselves."""

import json
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
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, env=surroundings, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran


# Both load arms, so one process imports for both; between them it is given back what the first made silent.
TWO_COMMANDS = """
import json, runpy, sys, warnings
add, ours = warnings.filterwarnings, []
def noted(*arguments, **settings):
    add(*arguments, **settings)
    if sys._getframe(1).f_globals["__name__"].startswith("steady"):
        ours.append(warnings.filters[0])
warnings.filterwarnings = noted
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    try:
        runpy.run_module("steady", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        assert not ended.code, ended.code
    print("END", flush=True)
    from transformers.utils import logging
    logging.set_verbosity_warning()
    logging.enable_progress_bar()
    warnings.filters[:] = [one for one in warnings.filters if one not in ours]
    warnings._filters_mutated()
"""


def test_predict_and_merge_say_nothing_but_their_answers(trained, tmp_path):
    params, models, listed = trained.paths
    predict = ["predict", "--params", params, "--models", models, "--listed", listed, "Refund please"]
    merge = ["merge", Path(models) / "tuned", tmp_path / "merged", "--params", params]
    ran = _run("-c", TWO_COMMANDS, json.dumps([list(map(str, predict)), list(map(str, merge))]))
    assert ran.stderr == ""
    answers, proof, _ = ran.stdout.split("END\n")
    assert len(answers.splitlines()) == 2
    assert "logits differ by" in proof


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
        "-m", "stages.finetune", "--arm", "tuned", "--params", trained.folder / "params.yaml",
        "--train", tmp_path / "train.jsonl", "--schedule", tmp_path / "schedule.jsonl", "--phrasebook", book,
        "--validation", tmp_path / "validation.jsonl",
        "--out", tmp_path / "tuned", "--curves", tmp_path / "curves", "--own", tmp_path / "own",
    )  # fmt: skip
    assert ran.stderr == ""
    assert all(line.startswith(("finetune", "{")) for line in ran.stdout.splitlines()), ran.stdout
