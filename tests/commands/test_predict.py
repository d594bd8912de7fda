"""predict: texts, lines and files in; tables, JSON lines and files out; faults told in one line."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from steady.errors import SteadyError
from steady.serve.answers import Choice
from steady.serve.asking import Request, as_json, predict, table, with_answers
from steady.serve.rows import read_rows, write_rows

LONGEST = 600  # tokens of a prompt that are read


class Parrot:
    """Answers by the length of a text, under two wordings unless told otherwise."""

    def __init__(self, wordings=("canonical", "surface/hurry")):
        self.wordings = list(wordings)
        self.arms = [
            type("Arm", (), {"name": name, "labels": ("billing", "other")})() for name in ("baseline", "tuned")
        ]

    def ask(self, texts):
        return [
            {arm.name: [answer(text, arm.name, wording) for wording in self.wordings] for arm in self.arms}
            for text in texts
        ]


def answer(text: str, arm: str, wording: str) -> Choice:
    label = "billing" if (len(text) + len(arm) + (wording != "canonical")) % 2 else "other"
    shown = {"wording": wording, "label": label, "probability": 0.75, "label_logprobs": [-0.287682, -1.386294]}
    return Choice(**shown, prompt_tokens=len(text), read_tokens=min(len(text), LONGEST))


def request(texts=(), **changes) -> Request:
    return Request(**({"texts": list(texts), "source": None, "column": None, "out": None, "as_json": False} | changes))


def test_one_wording_gives_a_header_and_a_line_for_each_text():
    lines = list(predict(Parrot(["canonical"]), request(["abc", "abcd"])))
    assert lines[0].split() == ["baseline", "tuned", "text"]
    assert lines[1].split() == ["billing", "0.75", "other", "0.75", "abc"]
    assert lines[2].split() == ["other", "0.75", "billing", "0.75", "abcd"]


def test_several_wordings_give_a_line_each_and_the_agreement():
    lines = list(predict(Parrot(), request(["abc"])))
    assert [line.split()[-1] for line in lines[1:3]] == ["canonical", "surface/hurry"]
    assert lines[3].split()[:4] == ["agreement", "0.00", "agreement", "0.00"]


def test_lines_of_standard_input_are_answered_and_blank_ones_left_out(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("abc\n\n  \nabcd\n"))
    assert len(list(predict(Parrot(["canonical"]), request()))) == 3


def test_json_lines_hold_every_log_probability(monkeypatch):
    found = json.loads(as_json("ü", Parrot().ask(["ü"])[0]))
    assert found["text"] == "ü"
    assert found["arms"]["tuned"]["answers"][0]["label_logprobs"] == [-0.287682, -1.386294]
    assert found["arms"]["tuned"]["agreement"] == 0


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_files_come_back_with_every_arm_beside_the_row(tmp_path, suffix):
    rows = [{"number": "1", "text": "abc"}, {"number": "2", "text": 'with "quotes", a comma\nand a line'}]
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    write_rows(source, rows)
    list(predict(Parrot(), request(source=source, out=out)))
    found, texts = read_rows(out, None)
    assert texts == [row["text"] for row in rows for _ in range(2)]
    numbers = ("baseline_probability", "tuned_probability", "baseline_agreement", "tuned_agreement")
    assert [float(found[0].pop(name)) for name in numbers] == [0.75, 0.75, 0, 0]
    assert [found[0].pop(f"{arm}_{which}_tokens") for arm in ("baseline", "tuned") for which in ("prompt", "read")] in (
        [3] * 4,
        ["3"] * 4,
    )
    assert found[0] == {
        "number": "1",
        "text": "abc",
        "wording": "canonical",
        "baseline_label": "billing",
        "tuned_label": "other",
    }


def test_a_long_text_is_shortened_on_the_screen_and_columns_stay_in_line():
    lines = list(table("word " * 100, Parrot(["canonical"]).ask(["word " * 100])[0]))
    assert len(lines) == 1 and lines[0].endswith("…") and len(lines[0]) < 120


def test_a_prompt_whose_end_was_not_read_is_named_everywhere(tmp_path):
    text = "a" * (LONGEST + 5)
    said = list(predict(Parrot(["canonical"]), request(["abc", text])))
    assert [line for line in said if "cut:" in line] == [
        f"  cut: {arm} read 600 of the 605 tokens of the prompt (canonical)" for arm in ("baseline", "tuned")
    ]
    shown = json.loads(as_json(text, Parrot().ask([text])[0]))["arms"]["tuned"]["answers"][0]
    assert (shown["prompt_tokens"], shown["read_tokens"]) == (605, 600)
    write_rows(tmp_path / "in.csv", [{"text": "abc"}, {"text": text}])
    (line,) = predict(Parrot(), request(source=tmp_path / "in.csv", out=tmp_path / "out.csv"))
    assert "the prompts of 1 rows were cut" in line
    (*_, row) = csv.DictReader((tmp_path / "out.csv").open())
    assert (row["tuned_prompt_tokens"], row["tuned_read_tokens"]) == ("605", "600")


def test_agreement_is_written_only_where_there_are_several_wordings():
    assert "tuned_agreement" not in next(with_answers({}, Parrot(["canonical"]).ask(["a"])[0]))


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": 3}\n', "a.jsonl:2: field 'text' is no text"),
        ("a.jsonl", b'{"text": "a"}\nno json\n', "a.jsonl:2: not JSON"),
        ("a.jsonl", b"[1]\n", "a.jsonl:1: expected an object"),
        ("a.jsonl", b'{"body": "a"}\n', "Name it with --column"),
        ("a.jsonl", b"", "no rows"),
        ("a.csv", b"text\n\xff\n", "not UTF-8"),
        ("a.csv", b'text,b\n"",1\n', "a.csv:2: field 'text' is no text"),
        ("a.txt", b"a\n", "expected a file that ends in .jsonl or .csv"),
    ],
)
def test_faulty_files_are_told_by_file_and_line(tmp_path: Path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SteadyError) as caught:
        read_rows(tmp_path / name, None)
    assert said in str(caught.value)


def test_wrong_calls_are_refused_before_any_work(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    for wrong, said in (
        (request([" "]), "empty text"),
        (request(["a"], out=tmp_path / "b.csv"), "--out goes with --in"),
        (request(source=tmp_path / "a.jsonl", out=tmp_path / "b.xml"), "--out ends in"),
        (request(source=tmp_path / "none.csv"), "no such file"),
    ):
        with pytest.raises(SteadyError, match=said):
            list(predict(Parrot(), wrong))


def test_csv_of_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes("﻿text;x\n".replace(";", ",").encode() + b"hello,1\n")
    assert read_rows(tmp_path / "a.csv", None)[1] == ["hello"]
    assert list(csv.reader(["a,b"])) == [["a", "b"]]
