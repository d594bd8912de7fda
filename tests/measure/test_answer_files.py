"""`steady measure --answers`: answers of a file, no model; hand-computed agreement, accuracy and noise floor."""

import json
import subprocess
import sys

import pytest
from measuring import run

ROWS = [
    ("a", "What is 1 + 1?", "2", "2"),
    ("a", "one and one", "It is 2.", "2"),
    ("a", "1+1=", "2", "2"),
    ("a", "1+1=", " 2", "2"),  # asked a second time: agrees with the first
    ("b", "Capital of Peru?", "Lima", "Lima"),
    ("b", "Peru's capital", "", "Lima"),
    ("b", "Peru's capital", "Lima", "Lima"),  # asked a second time: does not
]


def write(path, rows):
    keys = ("group_id", "prompt", "answer", "output")
    path.write_text("".join(json.dumps(dict(zip(keys, row, strict=False))) + "\n" for row in rows))
    return path


def test_measures_of_a_file_of_answers_are_those_computed_by_hand(tmp_path):
    path = write(tmp_path / "answers.jsonl", ROWS)
    output = run("--answers", path, "--out", tmp_path / "out").output
    found = json.loads((tmp_path / "out" / "measures.json").read_text())
    values = {name: item["value"] for name, item in found["measures"].items()}
    assert found["subject"] == "answers.jsonl" and (found["groups"], found["prompts"]) == (2, 5)
    assert values["agreement"] == pytest.approx((1 + 0) / (3 + 1))
    assert values["accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert values["repeat_agreement"] == pytest.approx((1 + 0) / 2)
    assert "posix" not in values
    assert "agreement between repeats of one prompt" in output
    assert f"page: {tmp_path}/out/index.html" in output and "no intervals: they resample groups" in output
    again = run(tmp_path / "out", "--match", "contains", "--print", "json").output
    assert json.loads(again)["measures"]["accuracy"]["value"] == pytest.approx((1 + 1 / 2) / 2)


def test_columns_are_named_and_several_files_are_compared(tmp_path):
    rows = ["group_id,question,reply", "g,say a,a", "g,please say a,a", "h,say b,b", "h,please say b,c"]
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("\n".join(rows))
    second.write_text("\n".join(rows).replace(",c", ",b"))
    columns = ["--column", "prompt=question", "--column", "answer=reply"]
    run("--answers", first, "--answers", second, *columns, "--out", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "measures.json").read_text())
    difference = next(item for item in found["differences"] if item["measure"] == "agreement")
    assert difference["difference"]["value"] == pytest.approx(0.5)


def test_faults_are_named_with_file_and_line(tmp_path):
    path = tmp_path / "answers.jsonl"
    rows = [
        {"group_id": "a", "prompt": "p", "answer": "x"},
        {"group_id": "a", "prompt": "q"},
        {"group_id": "a", "prompt": "r", "answer": 3},
        {"instruction": "i", "paraphrases": ["j", "k"], "answer": "x"},
        {"prompt": "s", "answer": "x"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = run("--answers", path, "--out", tmp_path / "out", code=1).output
    for line, words in {2: "`answer` is missing", 3: "`answer` is 3", 4: "has one prompt", 5: "group_id"}.items():
        assert [row for row in output.splitlines() if f"{path}:{line}: " in row and words in row], (line, output)
    assert "--answers" in run(path, "--answers", path, code=1).output
    assert "--answers" in run("--answers", path, "--endpoint", "http://localhost/v1", "--model", "m", code=1).output


def test_no_model_library_is_loaded(tmp_path):
    path = write(tmp_path / "answers.jsonl", ROWS)
    script = (
        "import sys\nfrom steady.commands.measure import main\n"
        f"main(['--answers', {str(path)!r}, '--out', {str(tmp_path / 'out')!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'peft', 'trl', 'dvc', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
