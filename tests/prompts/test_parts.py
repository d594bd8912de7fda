import pytest
from prompt_fixtures import protected_spans

from steady.prompts.parts import Part, change_unprotected, fill, join, listed


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Pay $64.90 on 2024-05-01 at 12:30, or 50% of it.", ["$64.90", "2024-05-01", "12:30", "50%"]),
        ("The A320 and v2.1 of 1,000", ["A320", "v2.1", "1,000"]),
        ("See https://a.example/x?y=1, or www.b.example.", ["https://a.example/x?y=1", "www.b.example"]),
        ("Mail ann.lee@mail.example.org now", ["ann.lee@mail.example.org"]),
        ("Run `make test 2` or ```\nrm -r x\n``` here", ["`make test 2`", "```\nrm -r x\n```"]),
        ("Dear {name}, {{city}} <user> [NAME] said a < b > c", ["{name}", "{{city}}", "<user>", "[NAME]"]),
        ("Nothing here, not even one!", []),
    ],
)
def test_protected_spans_are_numbers_code_addresses_and_slots(text: str, spans: list[str]) -> None:
    assert protected_spans(text) == spans


def test_only_what_lies_between_protected_spans_is_changed() -> None:
    assert change_unprotected("Ask `This` OR a@B.com At 5PM", str.lower) == "ask `This` or a@B.com at 5PM"


def test_filling_a_template_takes_braces_in_the_item_as_plain_text() -> None:
    parts = fill("{labels}: {input}!", "{labels} and {x}", "a or b")
    assert parts == [Part("labels", "a or b"), Part("text", ": "), Part("input", "{labels} and {x}"), Part("text", "!")]
    assert join(parts) == "a or b: {labels} and {x}!"


def test_labels_are_listed_as_running_text() -> None:
    assert listed(("a",)) == "a"
    assert listed(("a", "b")) == "a or b"
    assert listed(("a", "b", "c")) == "a, b or c"
