"""CSV and TSV beyond the real files: headers, cells, quotes."""

import pytest


def test_columns_by_number_without_a_header(read) -> None:
    drafts = read("text-label", b"x,one\ny,two\n", "r.csv", columns={"text": 1, "label": 0}).drafts
    assert [(draft.input, draft.output) for draft in drafts] == [("one", "x"), ("two", "y")]


def test_a_header_can_be_declared(read) -> None:
    columns = {"text": 1, "label": 0}
    assert len(read("text-label", b"a,b\nx,one\n", "r.csv", columns=columns, header=True).drafts) == 1
    assert len(read("text-label", b"text,label\nx,one\n", "r.csv", columns=columns, header=False).drafts) == 2


def test_a_delimiter_by_suffix_or_declared(read) -> None:
    assert read("text-label", b"text\tlabel\na,b\tc\n", "r.tsv").drafts[0].input == "a,b"
    assert read("text-label", b"text;label\na,b;c\n", "r.csv", delimiter=";").drafts[0].input == "a,b"


def test_a_row_of_another_number_of_cells_is_named_with_its_line(read) -> None:
    found = read("text-label", b'text,label\n"a\nb",x\nc,d,e\nf,g\n', "r.csv")
    assert found.findings == [(4, "wrong_cells")] and [draft.line for draft in found.drafts] == [2, 5]
    assert "3 cells, and the first row has 2" in found.rejected[0].reason


@pytest.mark.parametrize(
    ("content", "findings"),
    [
        (b'text,label\n"a"b,x\nc,d\n', [(2, "bad_quotes")]),
        (b"text,label\nc,d\ne\xff,f\n", [(3, "bad_utf8")]),
        (b"text,label\nc,d\ne\x00,f\n", [(3, "nul_byte")]),
        (b"text,label\nc,\n", [(2, "missing_field")]),
        (b"txt,label\nc,d\n", [(2, "missing_field")]),
    ],
)
def test_damaged_rows_are_named_with_their_line(read, content: bytes, findings: list[tuple[int, str]]) -> None:
    found = read("text-label", content, "r.csv").findings
    assert [line for line, _ in found] == [line for line, _ in findings]
    assert [code for _, code in found] in ([code for _, code in findings], ["empty_text"])


def test_a_quote_that_is_never_closed_is_named_where_it_opens(read) -> None:
    found = read("text-label", b'text,label\na,b\n"c,d\ne,f\n', "r.csv")
    assert found.findings == [(3, "bad_quotes")] and "goes on to line 4" in found.rejected[0].reason


def test_a_mark_at_the_start_is_no_part_of_the_first_name(read) -> None:
    assert read("text-label", "\ufefftext,label\na,b\n".encode(), "r.csv").drafts[0].input == "a"
