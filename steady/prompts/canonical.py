"""The canonical prompt in parts: the bank's canonical template filled, or the example's own instruction and input."""

import re
from functools import lru_cache

from steady.prompts.bank import Bank
from steady.prompts.parts import Part, fill, listed
from steady.records import Example

SEVERAL = "several may apply"


def has_templates(bank: Bank | None) -> bool:
    """Whether prompts are made from a bank's templates, not from the examples' own instructions."""
    return bank is not None and bool(bank.templates)


def item_text(instruction: str, item: str) -> str:
    """An instruction and what it is about, as one text."""
    return f"{instruction}\n\n{item}" if instruction and item else instruction or item


def canonical_parts(example: Example, bank: Bank | None, labels: tuple[str, ...] | None = None) -> list[Part]:
    """The parts of the canonical prompt, with the labels in the order given or in that of the canonical template."""
    if bank is None or not bank.templates:
        own = instruction_parts(example.instruction, bank)
        between = [Part("text", "\n\n")] if own else []
        return [*own, *between, Part("input", example.input)] if example.input else own
    template = bank.templates[bank.canonical]
    shown = shown_labels(bank, listed(labels or template.labels or bank.labels))
    return fill(template.template, item_text(example.instruction, example.input), shown)


def shown_labels(bank: Bank, labels: str) -> str:
    """The label list as a prompt has it: it says so where an answer may have several of them."""
    return f"{labels} ({SEVERAL})" if bank.several else labels


def instruction_parts(instruction: str, bank: Bank | None) -> list[Part]:
    """An example's own instruction with the label names in it set apart, so that no rewording changes them."""
    if bank is None or not bank.labels:
        return [Part("text", instruction)] if instruction else []
    pieces = _label_names(bank.labels).split(instruction)
    parts = [Part("labels" if index % 2 else "text", piece) for index, piece in enumerate(pieces) if piece]
    between = [Part("text", "\n\n")] if parts and bank.several else []
    return [*label_note(bank), *between, *parts]


def label_note(bank: Bank | None) -> list[Part]:
    """What stands before an example's own instruction where its answer may have several labels."""
    if bank is None or not bank.several:
        return []
    return [Part("text", f"Labels, of which {SEVERAL}: "), Part("labels", listed(bank.labels))]


@lru_cache(maxsize=64)
def _label_names(labels: tuple[str, ...]) -> re.Pattern[str]:
    # The longest name comes first: the first alternative that matches wins, and one label may begin with another.
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    return re.compile(rf"(?<!\w)({names})(?!\w)")
