"""Alpaca's `{"instruction": …, "input": …, "output": …}`, where an input may say in words that there is none.

The original file is one JSON array: github.com/tatsu-lab/stanford_alpaca.
"""

import re
from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.formats import instruction_input_output
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {
    "instruction": "Give three tips for staying healthy.",
    "input": "<noinput>",
    "output": "Sleep, move, eat well.",
}
# `<noinput>`, `No input required.` and their like, in any case and any brackets.
_NO_INPUT = re.compile(
    r"""["'<(\[{]*\s*no[\s_-]*input(\s+(required|needed|necessary|provided|given|available))?\s*[>)\]}"'.!]*""", re.I
)


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft; an input such as `No input` or `<noinput>` counts as none."""
    for draft in instruction_input_output.drafts(row, context):
        draft.input = without_placeholder(draft.input)
        yield draft


def without_placeholder(text: str) -> str:
    """The input, or `""` where it only says that there is none."""
    return "" if _NO_INPUT.fullmatch(text) else text
