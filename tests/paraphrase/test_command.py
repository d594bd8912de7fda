"""`python -m steady paraphrase` with tiny random models of both families, and what it says of wrong input."""

import json

import pytest
from click.testing import CliRunner
from small_models import byte_tokenizer, random_model

from steady.commands import paraphrase

ROWS = [
    {"instruction": "Name the capital of Peru.", "output": "Lima", "group_id": "peru"},
    {"instruction": "Name a cheese.", "output": "Brie", "group_id": "cheese"},
]


@pytest.fixture(scope="module", params=["llama", "t5"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    random_model(request.param).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def run(rows, model, out, *more, code=0):
    ask = rows.with_name("ask.txt")
    ask.write_text("Reword: {text}\n")
    usual = ["--ask", ask, "--samples", 3, "--max-new-tokens", 8, "--threads", 1, "--cache", rows.with_name("cache")]
    given = [rows, "--model", model, "--out", out, *usual, *more]
    result = CliRunner().invoke(paraphrase.main, [str(item) for item in given])
    assert result.exit_code == code, result.output
    return result.output


def test_every_sample_is_kept_or_rejected_and_a_rerun_gives_the_same_bytes_from_the_cache(rows, model, tmp_path):
    loose = ("--min-similarity", -1, "--min-distance", 0)
    first = run(rows, model, tmp_path / "a.jsonl", *loose)
    assert "0 of 2 texts were drawn before" in first and "6 samples: kept " in first
    kept = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    lost = [json.loads(line) for line in (tmp_path / "a.rejected.jsonl").read_text().splitlines()]
    assert kept[:2] == ROWS and len(kept) - 2 + len(lost) == 6
    assert all(row["code"] and row["reason"] for row in lost)
    assert {row["paraphrase"]["weights"] != "" for row in [*kept[2:], *lost]} == {True}
    second = run(rows, model, tmp_path / "b.jsonl", *loose)
    assert "2 of 2 texts were drawn before" in second
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_equal_seeds_draw_equal_texts_and_others_draw_others(rows, model, tmp_path):
    def texts(name, *more):
        run(rows, model, tmp_path / f"{name}.jsonl", *more, "--cache", tmp_path / name)
        files = [json.loads(path.read_text()) for path in sorted((tmp_path / name).iterdir())]
        return {item["asked"]["text"]: [draw["text"] for draw in item["draws"]] for item in files}

    first = texts("one")
    assert texts("two") == first and texts("three", "--seed", 1) != first
    assert any(len(set(draws)) > 1 for draws in first.values())


def test_faults_are_one_message(rows, model, tmp_path):
    assert "ends in .jsonl" in run(rows, model, tmp_path / "out.csv", code=1)
    assert "give a new file" in run(rows, model, rows, code=1)
    assert "no file" in run(rows.with_name("none.jsonl"), model, tmp_path / "o.jsonl", code=1).replace(
        "such file", "file"
    )
    said = run(rows, tmp_path / "nowhere", tmp_path / "out.jsonl", code=1)
    assert "cannot load the model" in said and "Traceback" not in said
