"""inspect: the prompt as the tokenizer cuts it, with what is special, cut and masked."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from minilm_params import minilm_values
from ruamel.yaml import YAML

from steady.commands.inspect import main
from steady.inspection.prompts import CUT, SPECIAL, open_inspection, pieces, shown_row
from steady.records import Example, Wording, write_records

ROOT = Path(__file__).resolve().parents[2]
WORDINGS = [
    Wording(id="canonical", family="canonical", operator="canonical", trained=True),
    Wording(id="surface/hurry", family="surface", operator="hurry"),
]


@pytest.fixture(scope="module")
def arguments(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("inspect")
    for split in ("train", "validation", "test"):
        texts = [f"Parcel {n} is lost" for n in range(4)]
        rows = [
            Example(id=f"{split}-{n}", group_id=f"g-{split}-{n}", input=text, output="shipping", split=split)
            for n, text in enumerate(texts)
        ]
        write_records(folder / f"{split}.jsonl", rows)
    write_records(folder / "wordings.jsonl", WORDINGS)
    values = minilm_values()
    values["format"]["wordings"] = str(ROOT / "data/raw/wordings/tickets.yaml")
    with (folder / "params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(values, file)
    return [f"--params={folder / 'params.yaml'}", f"--prepared={folder}", f"--listed={folder / 'wordings.jsonl'}"]


def run(arguments, *more):
    return CliRunner().invoke(main, [*arguments, *more])


def opened(arguments, *asked):
    params, prepared, listed = (Path(argument.split("=", 1)[1]) for argument in arguments)
    return open_inspection(params, prepared, listed, "train", asked)


def test_the_first_rows_of_a_split_are_shown_with_target_and_lengths(arguments):
    shown = run(arguments, "--split=test", "--rows=2")
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("target: shipping") == 2
    assert "test-0  test  canonical" in shown.output and "⟨[CLS]⟩" in shown.output
    assert "tokens, 2 of them special; nothing is cut" in shown.output


def test_a_row_is_found_by_id_or_group_in_any_split_under_any_wording(arguments):
    shown = run(arguments, "g-validation-3", "--wording=all")
    assert shown.output.count("validation-3  validation") == 2
    assert "surface/hurry" in shown.output


def test_the_pieces_put_together_are_the_prompt(arguments):
    inspection = opened(arguments)
    for prompt in ("Parcel 7 is lost", "  two  blanks\n\nand lines ", "naïve café", "", "中文 字"):
        encoding = inspection.tokenizer.encode(prompt)
        whole = "".join(text for text, _ in pieces(prompt, encoding, 192))
        assert whole.replace("⟨[CLS]⟩", "").replace("⟨[SEP]⟩", "") == prompt


def test_what_training_cuts_is_what_is_marked_as_cut(arguments):
    inspection = opened(arguments)
    prompt = "one two three four five six seven eight"
    encoding = inspection.tokenizer.encode(prompt)
    marked = [text for text, style in pieces(prompt, encoding, 6) if style == CUT]
    assert marked == ["five", "six", "seven", "eight"]  # 6 = two special tokens and four words
    inspection.tokenizer.enable_truncation(6)
    assert inspection.tokenizer.decode(inspection.tokenizer.encode(prompt).ids) == "one two three four"
    inspection.tokenizer.no_truncation()


def test_tokens_are_coloured_in_turn_and_special_ones_apart(arguments):
    inspection = opened(arguments)
    styles = [style for _, style in shown_row(inspection, inspection.examples["train"][0], WORDINGS[0])]
    assert {"fg": "green", "underline": True} in styles and {"fg": "yellow", "underline": True} in styles
    assert styles.count(SPECIAL) == 2


def test_lengths_are_a_line_for_each_wording(arguments):
    lines = run(arguments, "--lengths", "--wording=all").output.splitlines()
    assert [line.split()[0] for line in lines] == ["wording", "canonical", "surface/hurry"]
    assert lines[1].split()[1] == "4"


@pytest.mark.parametrize(
    "more, said", [(("nobody",), "no example 'nobody'"), (("--wording=loud",), "no wording 'loud'")]
)
def test_what_is_not_there_is_told(arguments, more, said):
    shown = run(arguments, *more)
    assert shown.exit_code == 1 and said in shown.output and "Traceback" not in shown.output
