import pytest

from steady.prompts.families.format import (
    ENUMERATION,
    FIELDS,
    HELD_OUT,
    TRAINED,
    VALUES,
    Format,
    cased,
    draw_formats,
    format_parts,
    is_readable,
    label_list,
    number,
    parse_format,
)
from steady.prompts.parts import Part, join


def test_trained_and_held_out_values_share_no_name_and_no_text() -> None:
    assert set(TRAINED) == set(HELD_OUT) == {*FIELDS, *ENUMERATION}
    for component in TRAINED:
        assert not set(TRAINED[component]) & set(HELD_OUT[component])
        assert not {text.strip() for text in TRAINED[component].values() if text.strip()} & {
            text.strip() for text in HELD_OUT[component].values() if component != "option"
        }


def test_the_published_values_are_there() -> None:
    # FormatSpread, appendix A; its empty space is left out, its space " -- " stands there twice.
    published = {"::: ", ":: ", ": ", " \n\t", "\n    ", " : ", " - ", " ", "\n ", "\n\t", ":", "::", "- ", "\t"}
    assert set(VALUES["separator"].values()) == published
    assert set(VALUES["item_separator"].values()) == published | {""}
    spaces = {" ", "\n", " \n", " -- ", "  ", "; \n", " || ", " <sep> ", ", ", " \n ", " , ", "\n ", ". ", " ,  "}
    assert set(VALUES["space"].values()) == set(VALUES["joiner"].values()) == spaces
    assert set(VALUES["wrapper"].values()) == {"({})", "{}.", "{})", "{} )", "[{}]", "<{}>"}


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("arabic", ["1", "4", "9", "12", "13", "28"]),
        ("letter", ["a", "d", "i", "l", "m", "ab"]),
        ("upper-letter", ["A", "D", "I", "L", "M", "AB"]),
        ("roman", ["i", "iv", "ix", "xii", "xiii", "xxviii"]),
        ("upper-roman", ["I", "IV", "IX", "XII", "XIII", "XXVIII"]),
        ("unicode-roman", ["Ⅰ", "Ⅳ", "Ⅸ", "Ⅻ", "XIII", "XXVIII"]),
    ],
)
def test_items_are_numbered(style: str, expected: list[str]) -> None:
    assert [number(index, style) for index in (0, 3, 8, 11, 12, 27)] == expected


def test_descriptors_are_cased() -> None:
    assert [cased("ticket Text", casing) for casing in ("asis", "title", "upper", "lower")] == [
        "ticket Text",
        "Ticket Text",
        "TICKET TEXT",
        "ticket text",
    ]


def test_a_format_is_rendered_by_hand() -> None:
    form = Format("upper", "double-colon", "newline", "blank", "paren", "letter", "colon", "wide-comma")
    shown = Part("labels", label_list(form, ("cat", "dog")))
    parts = format_parts(
        form, [Part("text", "Pick "), shown, Part("text", ".")], [("Story", Part("input", "It sat.")), ("Pet", None)]
    )
    assert join(parts) == "Pick OPTION (a): cat , OPTION (b): dog.\nSTORY:: It sat.\nPET::"


def test_a_list_with_line_breaks_begins_on_a_line_of_its_own() -> None:
    form = Format("asis", "colon", "newline", "none", "stop", "arabic", "blank", "newline")
    assert label_list(form, ("cat", "dog")) == "\n1. cat\n2. dog"


def test_a_space_that_is_punctuation_replaces_the_full_stop_of_the_instruction() -> None:
    parts = format_parts(Format("asis", "colon", "stop"), [Part("text", "Pick one.")], [("Story", Part("input", "x"))])
    assert join(parts) == "Pick one. Story: x"


def test_ids_name_the_format_and_are_read_back() -> None:
    for pool in ("trained", "unseen", "held_out"):
        for form in draw_formats(pool, 30, enumerable=True):
            assert parse_format(form.wording_id) == form
    assert Format("upper", "colon", "newline").wording_id == "format/upper.colon.newline"


def test_pools_are_what_they_say_and_share_no_format() -> None:
    pools = {pool: draw_formats(pool, 40, enumerable=True) for pool in ("trained", "unseen", "held_out")}
    assert {pool: len(set(forms)) for pool, forms in pools.items()} == {"trained": 40, "unseen": 40, "held_out": 40}
    assert not set(pools["trained"]) & set(pools["unseen"])
    assert not any(form.held_out_values for pool in ("trained", "unseen") for form in pools[pool])
    for form in pools["held_out"]:
        named = {value.split(" ")[0] for value in form.held_out_values}
        assert named >= ({"separator", "space", *ENUMERATION} if form.joiner else {"separator", "space"})


def test_half_of_the_formats_enumerate_the_labels_where_there_are_any() -> None:
    assert sum(bool(form.joiner) for form in draw_formats("trained", 20, enumerable=True)) == 10
    assert not any(form.joiner for form in draw_formats("trained", 20, enumerable=False))


@pytest.mark.parametrize("pool", ["trained", "held_out"])
def test_a_longer_draw_begins_with_the_shorter_one(pool: str) -> None:
    assert draw_formats(pool, 20, enumerable=True)[:7] == draw_formats(pool, 7, enumerable=True)  # type: ignore[arg-type]


def test_a_separator_with_a_line_break_needs_a_space_with_one() -> None:
    assert is_readable(Format("asis", "newline-tab", "newline"))
    assert not is_readable(Format("asis", "newline-tab", "comma"))
    assert not is_readable(Format("asis", "colon", "comma", "none", "stop", "arabic", "newline-blank", "comma"))
    assert all(is_readable(form) for form in draw_formats("trained", 60, enumerable=True))


def test_no_more_formats_come_back_than_the_grammar_has() -> None:
    forms = draw_formats("held_out", 1000, enumerable=False)
    assert len(forms) == len(set(forms)) == 4 * 5 * 3  # casings, held-out separators, held-out spaces
