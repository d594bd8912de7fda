"""Unnatural Instructions: an instruction, its instances, and perhaps reformulations of it.

The schema is that of github.com/orhonovich/unnatural-instructions.
"""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.duplicates import normal_form, text_hash
from steady.prepare.readers.rows import Draft, Row

_INSTANCE = {
    "instruction_with_input": "Say whether the word is a fruit. Word: plum",
    "input": "Word: plum",
    "constraints": "Answer yes or no.",
    "output": "yes",
}
_REFORMULATION = {
    "instruction": "Is this a fruit? {INPUT}",
    "instruction_with_input": "Is this a fruit? Word: plum",
    "input": "Word: plum",
    "output": "yes",
}
_INSTRUCTION = "Say whether the word is a fruit."
SAMPLE = {"instruction": _INSTRUCTION, "instances": [_INSTANCE], "reformulations": [_REFORMULATION]}
_SLOT = "{INPUT}"
_NONE = ("", "none", "none.")


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft an instance and one a reformulation; those with equal input and output are one group."""
    instruction = row.text("instruction")
    for instance in row.objects("instances", required=True):
        constraints = instance.optional("constraints").strip()
        worded = instruction if constraints.lower() in _NONE else f"{instruction}\n{constraints}"
        yield _draft(worded, instance, instruction)
    for reformulation in row.objects("reformulations", required=False):
        yield _draft(reformulation.text("instruction"), reformulation, instruction)


def _draft(worded: str, instance: Row, instruction: str) -> Draft:
    text, output = instance.optional("input"), instance.answer("output")
    # Reformulations of one instance ask for the same thing, and nothing but their content says so.
    group = text_hash("\x1f".join(map(normal_form, (instruction, text, output))))
    # The instruction quotes its input, which would otherwise stand there twice.
    if _SLOT in worded:
        worded, text = worded.replace(_SLOT, text), ""
    worded, text, output = (part.replace("<sep>", "\n").strip() for part in (worded, text, output))
    return Draft(instruction=worded, input=text, output=output, group=f"unnatural-{group:016x}")
