"""Self-Instruct's tasks: `{"instruction": …, "instances": [{"input": …, "output": …}, …]}`; github.com/yizhongw/self-instruct."""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.formats.alpaca import without_placeholder
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {
    "id": "seed_task_3",
    "instruction": "Which one is the odd one out?",
    "instances": [{"input": "apple, pear, spoon", "output": "spoon"}],
    "is_classification": False,
}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft an instance."""
    instruction = row.text("instruction").strip()
    for instance in row.objects("instances", required=True):
        output = instance.answer("output")
        text = without_placeholder(instance.optional("input").strip())
        yield Draft(instruction=instruction, input=text, output=output)
