from collections import Counter

import pytest

from steady.prompts.families.surface import OPERATORS
from steady.prompts.parts import Part, fill, join

PARTS = fill("Pick {labels}.\n\nNote: {input}\nAnswer:", "He said it's 5PM at `Lab`.", "Cat or Dog")


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("lower-all", "pick Cat or Dog.\n\nnote: he said it's 5PM at `Lab`.\nanswer:"),
        ("upper-text", "PICK Cat or Dog.\n\nNOTE: He said it's 5PM at `Lab`.\nANSWER:"),
        ("upper-all", "PICK Cat or Dog.\n\nNOTE: HE SAID IT'S 5PM AT `Lab`.\nANSWER:"),
        ("one-line", "Pick Cat or Dog. Note: He said it's 5PM at `Lab`. Answer:"),
        ("wide-blanks", "Pick  Cat or Dog.\n\nNote:  He said it's 5PM at `Lab`.\nAnswer:"),
        ("no-stops", "Pick Cat or Dog\n\nNote He said it's 5PM at `Lab`.\nAnswer"),
        ("exclaimed", "Pick Cat or Dog!\n\nNote! He said it's 5PM at `Lab`.\nAnswer!"),
        ("dots", "Pick Cat or Dog...\n\nNote: He said it's 5PM at `Lab`.\nAnswer:"),
        ("dashed", "Pick Cat or Dog.\n\nNote -- He said it's 5PM at `Lab`.\nAnswer --"),
        ("item-in-quotes", 'Pick Cat or Dog.\n\nNote: "He said it\'s 5PM at `Lab`."\nAnswer:'),
        ("hello", "Hello there! Pick Cat or Dog.\n\nNote: He said it's 5PM at `Lab`.\nAnswer:"),
        ("thank-you", "Pick Cat or Dog.\n\nNote: He said it's 5PM at `Lab`.\nThank you!\nAnswer:"),
    ],
)
def test_an_operator_changes_what_it_names_and_nothing_protected(operator: str, expected: str) -> None:
    assert join(OPERATORS[operator].rewrite(PARTS)) == expected


def test_a_sentence_comes_last_where_no_cue_asks_for_the_answer() -> None:
    assert (
        join(OPERATORS["thank-you"].rewrite([Part("text", "Name it."), Part("input", "Rex")]))
        == "Name it.Rex\nThank you!"
    )


def test_every_operator_but_the_one_for_titles_changes_a_prompt() -> None:
    assert {name for name in OPERATORS if join(OPERATORS[name].rewrite(PARTS)) == join(PARTS)} == {"title-text"}
    assert join(OPERATORS["title-text"].rewrite([Part("text", "it's on `my` desk")])) == "It's On `my` Desk"


def test_each_kind_has_trained_and_held_out_operators() -> None:
    kinds = Counter((operator.kind, operator.trained) for operator in OPERATORS.values())
    assert len(OPERATORS) >= 12
    assert set(kinds) == {(kind, trained) for kind, _ in kinds for trained in (True, False)}
