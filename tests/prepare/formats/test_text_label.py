"""`text-label`, also from tables: AG News, support tickets, MRPC."""

import json

import pytest

AG = b""""3","Fears for T N pension after talks","Unions at Turner   Newall say they are 'disappointed' by  #39;talks #39;."
"4","The Race is On","SPACE.com - TORONTO, Canada &lt;A HREF=x&gt;, a team\\\\band"
"1","Ky. Company","AP - quot;Grant quot; to study"
"2","Giddy Phelps","Michael Phelps won the gold"
"""
NEWS = {
    "columns": {"text": [1, 2], "label": 0},
    "classes": ["World", "Sports", "Business", "Sci/Tech"],
    "first_class": 1,
}


def test_a_row_becomes_an_input_and_its_label(read) -> None:
    (draft,) = read("text-label", [{"text": "Where is it?", "label": "shipping"}]).drafts
    assert (draft.input, draft.output, draft.labels, draft.references) == (
        "Where is it?",
        "shipping",
        ["shipping"],
        ["shipping"],
    )
    assert draft.instruction == "" and draft.line == 1


def test_several_labels_keep_the_order_of_the_label_list(read) -> None:
    rows = [{"text": "a", "labels": ["b", "a"]}, {"text": "c", "labels": ["z"]}, {"text": "d", "labels": []}]
    found = read("text-label", rows, labels=("a", "b", "c"), multi_label=True)
    assert found.drafts[0].labels == ["a", "b"] and found.drafts[0].output == "a, b"
    assert (found.drafts[1].labels, found.drafts[1].output) == ([], "none")
    assert found.findings == [(2, "unknown_label")]


def test_several_labels_or_none_are_refused_where_a_row_has_one(read) -> None:
    rows = [{"text": "a", "labels": ["b", "a"]}, {"text": "c", "labels": ["c"]}, {"text": "d", "labels": []}]
    found = read("text-label", rows, labels=("a", "b", "c"))
    assert [draft.output for draft in found.drafts] == ["c"]
    assert found.findings == [(1, "several_labels"), (3, "no_label")]
    assert all("`data.multi_label: true`" in finding.reason for finding in found.rejected)
    assert "names 2 labels: a, b; one is allowed" in found.rejected[0].reason


def test_several_labels_in_one_cell_are_parted(read) -> None:
    file = b"text,label\nx,a|c\ny,\n"
    one, none = read("text-label", file, "r.csv", label_separator="|", multi_label=True).drafts
    assert (one.labels, none.labels) == (["a", "c"], [])


def test_a_number_needs_classes(read) -> None:
    assert read("text-label", [{"text": "a", "label": 1}]).findings == [(1, "wrong_type")]
    assert read("text-label", [{"text": "a", "label": 1}], classes=["no", "yes"]).drafts[0].output == "yes"
    assert (
        read("text-label", [{"text": "a", "label": 1}], classes=["no", "yes"], first_class=1).drafts[0].output == "no"
    )


@pytest.mark.parametrize(("first", "bad"), [(1, "0"), (1, "5"), (0, "4")])
def test_ag_news_an_index_off_by_one_is_found(read, first: int, bad: str) -> None:
    row = f'"{bad}","title","text"\n'.encode()
    found = read("text-label", row, "test.csv", **(NEWS | {"first_class": first}))
    assert found.findings == [(1, "unknown_label")]
    assert f"is no class: {first} to {first + 3}, or World" in found.rejected[0].reason


def test_ag_news_without_a_header_counts_classes_from_one_and_keeps_its_broken_entities(read) -> None:
    drafts = read("text-label", AG, "test.csv", **NEWS).drafts
    assert [draft.output for draft in drafts] == ["Business", "Sci/Tech", "World", "Sports"]
    assert drafts[0].input.startswith("Fears for T N pension after talks\nUnions at Turner   Newall say")
    assert " #39;" in drafts[0].input and "&lt;A HREF" in drafts[1].input and "\\band" in drafts[1].input
    assert [draft.line for draft in drafts] == [1, 2, 3, 4]


def test_ag_news_of_kaggle_has_a_header_which_is_found_out(read) -> None:
    drafts = read(
        "text-label", b"class_index,title,description\n" + AG.replace(b'"3"', b"3"), "test.csv", **NEWS
    ).drafts
    assert len(drafts) == 4 and drafts[0].output == "Business" and drafts[0].line == 2


def test_ag_news_of_the_hub_counts_from_zero(read) -> None:
    rows = [{"text": "a", "label": 0}, {"text": "b", "label": 3}]
    drafts = read("text-label", rows, classes=NEWS["classes"], first_class=0).drafts
    assert [draft.output for draft in drafts] == ["World", "Sci/Tech"]


def test_real_ag_news(read_file, real) -> None:
    drafts = read_file(real("ag_news/test.csv"), "text-label", **NEWS).drafts
    counts = {name: sum(draft.output == name for draft in drafts) for name in NEWS["classes"]}
    assert len(drafts) == 7600 and set(counts.values()) == {1900}
    assert sum("&lt;" in draft.input for draft in drafts) == 301
    assert sum("#39;" in draft.input for draft in drafts) == 1900
    assert sum("\\" in draft.input for draft in drafts) == 808
    assert all(draft.line == place for place, draft in enumerate(drafts, start=1))


TICKETS = {"columns": {"text": "Ticket Description", "label": "Ticket Type"}}


def test_kaggle_tickets_hold_line_breaks_and_braces(read) -> None:
    rows = b"""Ticket ID,Ticket Type,Ticket Description,Resolution
1,Technical issue,"I'm having an issue with the {product_purchased}. Please assist.

Your billing zip code is: 71701.",
2,Refund request,"a ""quoted"" word",x
"""
    drafts = read("text-label", rows, "tickets.csv", **TICKETS).drafts
    assert [draft.line for draft in drafts] == [2, 5]
    assert "{product_purchased}" in drafts[0].input and drafts[0].input.count("\n") == 2
    assert drafts[1].input == 'a "quoted" word'


def test_real_kaggle_tickets(read_file, real) -> None:
    path = real("customer_support/kaggle_customer_support_tickets/customer_support_tickets.csv")
    drafts = read_file(path, "text-label", **TICKETS).drafts
    assert len(drafts) == 8469 and len({draft.output for draft in drafts}) == 5
    assert all("{product_purchased}" in draft.input for draft in drafts)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert all(lines[draft.line - 1].startswith(f"{place},") for place, draft in enumerate(drafts, start=1))


MULTILANG = {"columns": {"text": ["subject", "body"], "label": "queue"}}


def test_multilang_tickets_have_blank_rows_and_carriage_returns_and_umlauts(read) -> None:
    rows = (
        "subject,body,queue,language\r\nGröße,Zeile\\nzwei,IT Support,de\r\n,,,\r\n,,,\r\nHi,Text,Sales,en\r\n".encode()
    )
    found = read("text-label", rows, "t.csv", **MULTILANG)
    assert [(d.input, d.language, d.line) for d in found.drafts] == [
        ("Größe\nZeile\\nzwei", "de", 2),
        ("Hi\nText", "en", 5),
    ]
    assert found.left_out == {"blank_row": 2} and not found.findings


def test_real_multilang_tickets(read_file, real) -> None:
    path = real("customer_support/multilang_tickets/aa_dataset-tickets-multi-lang-5-2-50-version.csv")
    found = read_file(path, "text-label", **MULTILANG)
    assert found.left_out == {"blank_row": 2543} and not found.findings
    languages = [draft.language for draft in found.drafts]
    assert (languages.count("en"), languages.count("de"), len(languages)) == (67, 32, 99)
    assert len(read_file(path, "text-label", languages=["de"], **MULTILANG).drafts) == 32


def test_real_tickets_with_other_keys(read_file, real) -> None:
    path = real("customer_support/charlesdc003_jsonl/tickets.jsonl")
    columns = {"text": ["subject", "message"], "label": "expected_category"}
    drafts = read_file(path, "text-label", columns=columns).drafts
    assert len(drafts) == 100 and len({draft.output for draft in drafts}) == 5


def test_tickets_with_a_nested_category(read) -> None:
    row = {"body": "Broken", "meta": {"category": {"name": "hardware"}}}
    (draft,) = read("text-label", [row], columns={"text": "body", "label": "meta.category.name"}).drafts
    assert (draft.input, draft.output) == ("Broken", "hardware")
    found = read("text-label", [{"body": "x", "meta": {}}], columns={"text": "body", "label": "meta.category.name"})
    assert found.findings == [(1, "missing_field")]


MRPC = {"columns": {"text": [3, 4], "label": 0}, "quoting": False, "classes": ["different", "same"]}


def test_mrpc_has_a_mark_glued_to_its_first_label_and_unbalanced_quotes(read) -> None:
    rows = '\ufeff1\t7\t8\tHe said "yes.\tHe said yes.\n0\t1\t2\tOne\tTwo "\n'.encode()
    drafts = read("text-label", rows, "mrpc.txt", **MRPC).drafts
    assert [(draft.output, draft.input) for draft in drafts] == [
        ("same", 'He said "yes.\nHe said yes.'),
        ("different", 'One\nTwo "'),
    ]


def test_mrpc_of_the_official_file_has_a_header(read) -> None:
    rows = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\ta\tb\n".encode()
    assert [draft.line for draft in read("text-label", rows, "mrpc.txt", **MRPC).drafts] == [2]


def test_real_mrpc_loses_no_row(read_file, real) -> None:
    folder = real("paraphrase_pairs/mrpc")
    assert len(read_file(folder / "msr_paraphrase_train.txt", "text-label", **MRPC).drafts) == 4076
    assert len(read_file(folder / "msr_paraphrase_test.txt", "text-label", **MRPC).drafts) == 1725
    quoted = read_file(folder / "msr_paraphrase_train.txt", "text-label", **(MRPC | {"quoting": True}))
    assert len(quoted.drafts) < 4076, "with quoting, rows are lost: `quoting` has an effect"


PARAPHRASES = {"columns": {"text": "prompt template", "label": "correct"}}


def test_state_of_what_art_marks_a_wrong_paraphrase_as_0_or_once_as_0_and_a_question_mark(read) -> None:
    rows = b'prompt idx,prompt template,correct\r\n1,"Q: {words}?\r\nA:",1\r\n2,Can {x}?,0?\r\n3,Is {x}?,0\r\n'
    found = read("text-label", rows, "BBH (1)/a b.csv", labels=("0", "1"), **PARAPHRASES)
    assert [(draft.output, draft.line) for draft in found.drafts] == [("1", 2), ("0", 5)]
    assert found.findings == [(4, "unknown_label")] and "'0?' is not in `data.labels`: 0, 1" in found.rejected[0].reason


def test_real_state_of_what_art(read_file, real) -> None:
    folder = real("prompt_variants/state_of_what_art/data")
    templates = read_file(folder / "automatic paraphrases/*/*.csv", "text-label", ("0", "1"), **PARAPHRASES)
    assert len(templates.drafts) == 5045 and [code for _, code in templates.findings] == ["unknown_label"]
    assert sum(draft.output == "0" for draft in templates.drafts) == 647
    assert len({draft.source for draft in templates.drafts}) == 25
    accuracies = folder / "paraphrases accuracies and rankings (aggregated)/*/*.json"
    settings = {"records": "paraphrases", "columns": {"text": "template", "label": "method"}}
    assert len(read_file(accuracies, "text-label", **settings).drafts) == 5046


def test_a_document_whose_records_are_the_values_of_an_object(read) -> None:
    document = {
        "metadata": {"n": 2},
        "paraphrases": {"1": {"template": "a", "method": "m"}, "2": {"template": "b", "method": "m"}},
    }
    content = json.dumps(document, indent=2).replace("\n", "\r\n").encode()
    settings = {"records": "paraphrases", "columns": {"text": "template", "label": "method"}}
    drafts = read("text-label", content, "t.json", **settings).drafts
    assert [(draft.input, draft.line) for draft in drafts] == [("a", 6), ("b", 10)]
