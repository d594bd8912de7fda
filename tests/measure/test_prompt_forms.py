"""Prompts as people have them: every kind of file and row, and each fault with its file and line."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from steady.commands import measure
from steady.errors import SteadyError
from steady.measure.prompt_files import read_prompt_file
from steady.measure.prompt_rows import Faulty, row_drafts
from steady.measure.worded_items import bank_match, item_file
from steady.records import Message, Prompt, write_records

ROWS = [
    {"group_id": "a", "prompt": "One, two", "output": "3"},
    {"group_id": "a", "prompt": 'say "two"\nnow', "output": "3"},
]


def write_lines(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_document(path):
    path.write_text(json.dumps(ROWS, indent=1))


def write_table(path):
    with path.open("w", newline="") as handle:
        table = csv.DictWriter(handle, list(ROWS[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        table.writeheader()
        table.writerows(ROWS)


def write_parquet(path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def write_records_of_the_repository(path):
    write_records(
        path,
        [
            Prompt(id=str(n), group_id="a", example_id="a", wording="", prompt=row["prompt"], completion=row["output"])
            for n, row in enumerate(ROWS)
        ],
    )


FORMS = {
    "lines.jsonl": write_lines,
    "document.json": write_document,
    "table.csv": write_table,
    "table.tsv": write_table,
    "table.parquet": write_parquet,
    "sensitivity.jsonl": write_records_of_the_repository,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_kind_of_file_gives_the_same_prompts(tmp_path, name):
    FORMS[name](tmp_path / name)
    write_lines(tmp_path / "wanted.jsonl")
    found, wanted = (read_prompt_file(tmp_path / one) for one in (name, "wanted.jsonl"))
    assert found.prompts == wanted.prompts
    assert found.digest == wanted.digest


def drafts(**row):
    return row_drafts(row)


def test_paraphrases_beside_an_instruction_are_a_group():
    found = drafts(instruction="Add.", paraphrases=["Sum up.", "Plus?"], input="1 2", output=3)
    assert [draft.text for draft in found] == ["Add.\n\n1 2", "Sum up.\n\n1 2", "Plus?\n\n1 2"]
    assert {(draft.group, draft.outputs) for draft in found} == {(None, ("3",))}
    assert [draft.text for draft in drafts(prompts='["a", "b"]', id=4)] == ["a", "b"]


def test_a_conversation_keeps_its_turns_and_its_last_answer_is_the_output():
    talk = [("system", "Brief."), ("user", "One?"), ("assistant", "1"), ("user", "Two?"), ("assistant", "2")]
    messages = [{"role": role, "content": text} for role, text in talk]
    (found,) = drafts(group_id="g", messages=messages)
    assert found.turns == tuple(Message(*turn) for turn in talk[:4])
    assert found.outputs == ("2",)
    assert found.text.startswith("system: Brief.\n\nuser: One?")
    assert drafts(group_id="g", messages=messages, output=["two", "2"])[0].outputs == ("two", "2")
    (alone,) = drafts(group_id="g", messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}])
    assert (alone.text, alone.turns) == ("hi", ())
    (system,) = drafts(group_id="g", system="Brief.", prompt="hi")
    assert system.turns == (Message("system", "Brief."), Message("user", "hi"))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"prompt": "x"}, "missing: `group_id`"),
        ({"group_id": 1.5, "prompt": "x"}, "`group_id` is 1.5"),
        ({"group_id": "g"}, "missing: `prompt`"),
        ({"group_id": "g", "prompts": "x"}, "must be a list of texts"),
        ({"group_id": "g", "prompts": ["x", 3]}, "blank or no text"),
        ({"group_id": "g", "prompt": "x", "output": ["y", None]}, "`output` has None"),
        ({"group_id": "g", "prompt": "x", "output": True}, "`output` has True"),
        ({"group_id": "g", "messages": []}, "`messages` is []"),
        ({"group_id": "g", "messages": [{"role": "bot", "content": "x"}]}, "`messages[0]`"),
        ({"group_id": "g", "messages": [{"role": "user", "content": [{"type": "image"}]}]}, "`messages[0]`"),
        ({"group_id": "g", "messages": [{"role": "assistant", "content": "x"}]}, "the last is the user's"),
        ({"group_id": "g", "prompt": "x", "wording": 3}, "`wording` is 3"),
        ("text", "not_object"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(row, fault):
    with pytest.raises(Faulty) as raised:
        row_drafts(row)
    assert any(fault in one for one in raised.value.faults), raised.value.faults


def test_faults_of_tables_have_their_lines(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('group_id,prompt\na,"two\nlines"\na,\nb,x,y\n')
    with pytest.raises(SteadyError) as raised:
        read_prompt_file(path)
    assert [line.split(": ")[:2] for line in str(raised.value).splitlines()] == [
        [f"{path}:4", "missing"],
        [f"{path}:5", "wrong_cells"],
    ]


def test_columns_are_renamed_and_a_missing_one_is_named(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("id,question\n1,a\n1,b\n")
    assert [prompt.prompt for prompt in read_prompt_file(path, {"prompt": "question"}).prompts] == ["a", "b"]
    with pytest.raises(
        SteadyError, match=r"p.csv:2: missing: there is no `ask` \(--column\); the row has `id`, `question`"
    ):
        read_prompt_file(path, {"prompt": "ask"})


def test_a_fault_that_every_row_has_is_one_line_with_the_columns_and_what_to_do(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("id,question\n" + "1,a\n" * 9)
    with pytest.raises(SteadyError) as raised:
        read_prompt_file(path)
    (fault,) = str(raised.value).splitlines()
    assert fault.startswith(f"{path}:2: missing: `prompt`")
    assert fault.endswith(
        "the row has `id`, `question`. Another name is given by --column KEY=NAME. (also in 3, 4, 5, 6, 7 and 3 more)"
    )


def test_other_delimiters_encodings_and_keys_are_settings_and_a_fault_says_how_they_are_given(tmp_path):
    rows = "group_id;prompt\na;dé\na;un\n"
    (tmp_path / "p.csv").write_bytes(rows.encode("latin-1"))
    with pytest.raises(SteadyError, match=r"other_delimiter.*Set `delimiter`.*--source KEY=VALUE"):
        read_prompt_file(tmp_path / "p.csv", settings={"encoding": "latin-1"})
    with pytest.raises(SteadyError, match=r"p.csv:2: bad_utf8.*set `encoding`.*--source KEY=VALUE"):
        read_prompt_file(tmp_path / "p.csv", settings={"delimiter": ";"})
    found = read_prompt_file(tmp_path / "p.csv", settings={"delimiter": ";", "encoding": "latin-1"})
    assert [prompt.prompt for prompt in found.prompts] == ["dé", "un"]
    (tmp_path / "p.json").write_text(json.dumps({"rows": ROWS}))
    assert len(read_prompt_file(tmp_path / "p.json", settings={"records": "rows"}).prompts) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.docx", b"x", "a kind of file that is not known"),
        ("p.parquet", b"PAR1 no", r"p.parquet:1: damaged_file"),
        ("p.jsonl", b"", "there is nothing in it"),
        ("p.jsonl", "x".encode("utf-16"), "utf16"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_message(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SteadyError, match=message) as raised:
        read_prompt_file(tmp_path / name)
    assert len(str(raised.value).splitlines()) == 1


BANK = "data/raw/wordings/tickets.yaml"


def test_items_are_worded_by_a_bank_and_the_families(tmp_path):
    items = tmp_path / "items.csv"
    items.write_text("id,text,label\nt1,My parcel never came.,shipping\nt2,I was billed twice.,billing\n")
    found = item_file(items, Path(BANK), 2, 0, {})
    by_group = {name: [p for p in found.prompts if p.group_id == name] for name in ("t1", "t2")}
    wordings = [{prompt.wording for prompt in prompts} for prompts in by_group.values()]
    assert wordings[0] == wordings[1] and len(wordings[0]) >= 9 and "canonical" in wordings[0]
    assert {prompt.wording.split("/")[0] for prompt in by_group["t1"]} >= {
        "paraphrase",
        "format",
        "surface",
        "spelling",
        "order",
    }
    assert len({prompt.prompt for prompt in by_group["t1"]}) == len(by_group["t1"])
    assert {prompt.completion for prompt in by_group["t1"]} == {"shipping"}
    assert (
        item_file(items, Path(BANK), 2, 0, {}).digest == found.digest != item_file(items, Path(BANK), 2, 1, {}).digest
    )
    assert bank_match(Path(BANK)) == "label:billing,technical,account,shipping,other"


def test_lines_of_text_are_items_with_instructions_of_their_own(tmp_path):
    items = tmp_path / "questions.txt"
    items.write_text("Why is bread dough left to rise?\n\nExplain what a library card is for.\n")
    found = item_file(items, None, 1, 0, {})
    assert {found.lines[prompt.id] for prompt in found.prompts} == {1, 3}
    assert all(len([p for p in found.prompts if p.group_id == q.group_id]) > 2 for q in found.prompts)


def test_faults_of_items_have_their_lines(tmp_path):
    items = tmp_path / "items.jsonl"
    items.write_text('{"input": 3}\n{"label": "x"}\n[]\n{"input": "x", "output": [true]}\n')
    with pytest.raises(SteadyError) as raised:
        item_file(items, None, 1, 0, {})
    assert [line.split(" ")[0] for line in str(raised.value).splitlines()] == [f"{items}:{n}:" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to measure"),
        (["--model", "m"], "give one file, folder or data set of prompts, or --items"),
        (["--model", "m", "p.jsonl", "--items", "i.jsonl"], "give one file, folder or data set of prompts, or --items"),
        (
            ["--model", "m", "p.jsonl", "--wordings", "b.yaml"],
            "give one file, folder or data set of prompts, or --items",
        ),
        (["--model", "m", "p.jsonl", "--column", "prompt"], "expected KEY=NAME"),
        (["--model", "m", "--model", "n", "--adapter", "a", "p.jsonl"], "adapters lie on one base"),
        (["--model", "m", "--model", "m", "p.jsonl"], "m: named twice"),
        (["--model", "m", "p.jsonl", "--source", "delimiter"], "--source delimiter: expected KEY=VALUE"),
        (["--model", "m", "p.jsonl", "--source", "sep=;"], "--source sep: unknown. Allowed: encoding, delimiter"),
        (["--model", "m", "p.jsonl", "--source", "delimiter=;;"], "--source: delimiter: String should have at most 1"),
        (["--model", "m", "p.jsonl", "--source", "encoding=x"], "--source: `encoding`: Python knows no 'x'; say utf-8"),
        (["--model", "m", "p.jsonl", "--per-family", "3"], "--per-family: an option of --items"),
        (["--answers", "a.jsonl", "--system", "x"], "--system: an option of a model, which --answers does not need"),
        (["--answers", "a.jsonl", "--answers", "a.jsonl"], "a.jsonl: named twice"),
        (["tests", "--adapter", "a"], "--adapter: an option of prompts and models, and a finished run is read again"),
        (["--model", "m", "p.jsonl", "--match", "fuzzy"], "--match fuzzy: unknown"),
        (["--model", "m", "p.jsonl", "--fail-if", "agreement"], "expected a measure"),
        (["--model", "m", "p.jsonl", "--fail-if", "luck < 1"], "there is no measure 'luck'"),
    ],
)
def test_options_that_do_not_fit_together_are_one_message(arguments, message):
    result = CliRunner().invoke(measure.main, arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.splitlines()) == 1
