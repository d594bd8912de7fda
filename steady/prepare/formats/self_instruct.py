"""Self-Instruct's tasks: `{"instruction": …, "instances": [{"input": …, "output": …}, …]}`; github.com/yizhongw/self-instruct."""

from collections.abc import Iterator, Mapping
from typing import Any

from steady.prepare.context import Context
from steady.prepare.formats.alpaca import without_placeholder
from steady.prepare.formats.instruction_input_output import answer
from steady.prepare.readers.rows import Draft, Row, json_type, show

SAMPLE = {
    "id": "seed_task_3",
    "instruction": "Which one is the odd one out?",
    "instances": [{"input": "apple, pear, spoon", "output": "spoon"}],
    "is_classification": False,
}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft an instance."""
    instruction = row.text("instruction").strip()
    for instance in nested(row, "instances", required=True):
        output = answer(instance, "output")
        text = without_placeholder(instance.optional("input").strip())
        yield Draft(instruction=instruction, input=text, output=output, references=[output])


def nested(row: Row, name: str, *, required: bool) -> Iterator[Row]:
    """The objects of a list in a field as rows whose findings are the row's; null and missing are an empty list unless `required`."""
    value: Any = row.values.get(name)
    if value is None and not required:
        return
    if not isinstance(value, list) or (required and not value):
        row.note("missing_field", f"`{name}` is {show(value)} ({json_type(value)}); it must be a list of objects.")
        return
    for place, item in enumerate(value):
        if not isinstance(item, Mapping):
            row.note("wrong_type", f"`{name}[{place}]` is {show(item)} ({json_type(item)}); it must be an object.")
            continue
        inner = Row(item, row.line)
        inner.findings = row.findings
        yield inner
