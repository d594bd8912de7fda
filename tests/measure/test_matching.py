"""What an answer is read as, for agreement and accuracy; format loss apart from wrong answers."""

import pytest

from steady.errors import SteadyError
from steady.measure.matching import check_outputs, final_answer, find_matcher
from steady.measure.prompt_files import AskedPrompt, PromptFile
from steady.records import Prediction


def read(spec: str, text: str, *outputs: str) -> tuple[str | None, bool | None]:
    first = outputs[0] if outputs else ""
    prompt = AskedPrompt(
        id="p", group_id="g", example_id="g", wording="", prompt="?", completion=first, references=list(outputs)
    )
    found = find_matcher(spec).judged(Prediction(prompt_id="p", text=text), prompt)
    return found.parsed, found.correct


@pytest.mark.parametrize(
    ("spec", "text", "outputs", "parsed", "correct"),
    [
        ("exact", "Lima", ["Lima"], "Lima", True),
        ("exact", "lima", ["Lima"], "lima", False),
        ("exact", " ", ["Lima"], None, False),
        ("normalized", " ＬIMA \n city", ["lima city"], "lima city", True),
        ("normalized", "lima", [], "lima", None),
        ("contains", "It is Lima, I think.", ["Lima"], "lima", True),
        ("contains", "I know.", ["no"], "i know.", False),
        ("contains", "The UK", ["United Kingdom", "UK"], "united kingdom", True),
        ("number", "7 - 3 = 4, so 1,204.50 in all.", ["1204.5"], "1204.5", True),
        ("number", "about −3", ["-3.0"], "-3", True),
        ("number", "H2O", ["2"], None, False),
        ("number", "12e2 of them", ["1200"], "1200", True),
        ("regex:answer is (\\w+)", "The answer is Lima.", ["LIMA"], "lima", True),
        ("regex:\\d+", "none", ["5"], None, False),
        ("label:yes,no", "No, it is not.", ["no"], "no", True),
        ("label:yes,no", "yes or no", ["no"], None, False),
        ("label:spam,not spam", "This is not spam.", ["not spam"], "not spam", True),
        ("python:os.path.basename", "a/b", ["x/b"], "b", True),
    ],
)
def test_each_matcher(spec, text, outputs, parsed, correct):
    assert read(spec, text, *outputs) == (parsed, correct)


def test_thoughts_are_no_part_of_an_answer_and_unfinished_ones_are_no_answer():
    assert final_answer("<think>\nno, 5</think>\n\nLima") == "Lima"
    assert final_answer("hmm</think>Lima") == "Lima"
    assert final_answer("<think>it could be Lima") is None
    assert read("contains", "<think>it could be Lima", "Lima") == (None, False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fuzzy", "unknown. Allowed: exact, normalized"),
        ("regex:", "unknown"),
        ("regex:(", "no regular expression"),
        ("regex:(a)(b)", "2 groups"),
        ("label:yes", "at least two labels"),
        ("python:nothing.here", "cannot import nothing.here"),
        ("python:plain", "cannot import plain"),
        ("python:os.sep", "no function"),
    ],
)
def test_a_matcher_that_cannot_be_is_one_message(spec, message):
    with pytest.raises(SteadyError, match=message):
        find_matcher(spec)


@pytest.mark.parametrize(("path", "message"), [("builtins.len", "returned 3"), ("json.loads", "JSONDecodeError")])
def test_a_function_that_fails_or_returns_no_text_names_the_answer(path, message):
    with pytest.raises(SteadyError, match=f"{message}.*'abc'"):
        read(f"python:{path}", "abc")


def test_an_output_that_no_answer_could_equal_is_named_with_its_line(tmp_path):
    prompt = AskedPrompt(id="p", group_id="g", example_id="g", wording="", prompt="?", completion="four")
    file = PromptFile(tmp_path / "p.jsonl", (prompt, prompt), {"p": 7})
    # once, however many prompts the line has
    with pytest.raises(SteadyError, match=r"^\S*p.jsonl:7: --match number reads nothing in the output 'four'[^\n]*$"):
        check_outputs(file, find_matcher("number"))
    check_outputs(file, find_matcher("contains"))
