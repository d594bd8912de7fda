"""Layouts: what a prompt looks like, and that pieces tokenise as the whole prompt does."""

from __future__ import annotations

import random
from pathlib import Path

from tokenizers import Tokenizer

from pretrain.corpus import Row, Task, read_rows, read_tasks
from pretrain.layouts import CANONICAL, HEADINGS, LABEL_LISTS, SEPARATORS, Layout, draw_definition, draw_layout, shorten
from pretrain.rendering import Group, row_pieces

TASK = Task("t", "Name the colour. Answer with one word.", "Misc.", "CC0", ("red", "blue"))
ROW = Row("t", "A red hen.", "red")


def render(layout: Layout) -> str:
    group = Group(TASK, layout, layout.instruct(TASK.definition, TASK.labels), ())
    prefix = group.instruction if layout.definition_first else ""
    return prefix + "".join(piece.text for piece in row_pieces(group, ROW))


def test_the_canonical_layout_reads_as_the_card_says() -> None:
    assert render(CANONICAL) == (
        "Definition: Name the colour. Answer with one word.\n\nLabels: blue, red\n\nInput: A red hen.\n\nOutput: red"
    )


def test_a_layout_with_the_definition_last_puts_it_between_input_and_answer() -> None:
    layout = Layout(("Task:", "Text:", "Label:"), " | ", False, None)
    assert render(layout) == "Text: A red hen. | Task: Name the colour. Answer with one word. | Label: red"


def test_bare_headings_leave_no_stray_space() -> None:
    assert render(Layout(("", "", "\n"), "\n\n", True, None)).endswith("one word.\n\nA red hen.\nred")
    assert render(Layout(("", "", "Answer:"), " | ", True, None)).endswith("word. | A red hen. | Answer: red")


def test_a_thousand_draws_give_hundreds_of_layouts() -> None:
    generator = random.Random(0)
    drawn = {draw_layout(generator, 0.3, 0.15) for _ in range(1000)}
    assert len(drawn) > 300
    assert {layout.definition_first for layout in drawn} == {True, False}


def test_shortening_keeps_whole_sentences() -> None:
    text = "One two three. Four five six. Seven."
    assert shorten(text, 100) == text
    assert shorten(text, 30) == "One two three. Four five six."
    assert shorten(text, 5) == "One t"


def test_a_drawn_definition_is_made_of_sentences_of_the_definition() -> None:
    generator = random.Random(3)
    sentences = ["Read it.", "Say yes or no.", "Be brief."]
    for _ in range(100):
        drawn = draw_definition(generator, " ".join(sentences), 500)
        assert (
            drawn and not drawn.replace("Read it.", "").replace("Say yes or no.", "").replace("Be brief.", "").strip()
        )


def test_pieces_tokenise_as_the_whole_prompt_does(prepared: Path) -> None:
    """What training sees is what a user's tokenizer makes of the prompt, in nearly every layout."""
    tokenizer = Tokenizer.from_file(str(prepared / "tokenizer.json"))
    tasks = read_tasks(prepared / "prepared/tasks.json")
    row = read_rows(prepared / "prepared/held_out.jsonl")[0]
    task = tasks[row.task]
    differing = []
    layouts = [Layout(h, s, first, lab) for h in HEADINGS for s in SEPARATORS for first in (True, False)
               for lab in (None, *LABEL_LISTS)]  # fmt: skip
    for layout in layouts:
        group = Group(task, layout, layout.instruct(task.definition, task.labels), ())
        texts = [piece.text for piece in row_pieces(group, row)]
        if layout.definition_first:
            texts = [group.instruction, *texts]
        apart = [i for text in texts for i in tokenizer.encode(text, add_special_tokens=False).ids]
        if apart != tokenizer.encode("".join(texts), add_special_tokens=False).ids:
            differing.append(layout)
    assert not differing, f"{len(differing)} of {len(layouts)}: {differing[:3]}"
