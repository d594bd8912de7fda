"""The one function that turns an example into a prompt: training, scoring, predict and serve all call `render`."""

import random
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from steady.errors import SteadyError
from steady.prompts.bank import Bank
from steady.prompts.families.format import format_parts, label_list, parse_format
from steady.prompts.families.spelling import misspell
from steady.prompts.families.surface import resurface
from steady.prompts.parts import Part, fill, join, listed, split_template
from steady.records import CANONICAL, Example, Wording

OWN_NAMES = ("Task", "Input", "Answer")
SEVERAL = "several may apply"
PROMPTS = "prompts"
PARAPHRASES = "paraphrases"


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The prompt of an example under a wording; the same arguments give the same text, anywhere.

    Without templates in the bank the example's own instruction and input are the prompt.

    Raises:
        SteadyError: the wording's family is unknown, or the bank or the example has no such wording (see `applies`).
    """
    try:
        return RENDERERS[wording.family](example, wording, bank)
    except (KeyError, IndexError) as error:
        raise SteadyError(
            f"wording {wording.id!r} (family {wording.family!r}) cannot word example {example.id}: {error} is not there. "
            f"Families: {', '.join(RENDERERS)}. Was it made for another bank of wordings?"
        ) from error


def applies(example: Example, wording: Wording, bank: Bank | None) -> bool:
    """Whether an example can be worded so: one paraphrased in the data has as many paraphrases as the data give it."""
    if wording.family != "paraphrase" or has_templates(bank):
        return True
    return wording.seed <= len(example.meta.get(PROMPTS, ()))


def has_templates(bank: Bank | None) -> bool:
    """Whether prompts are made from a bank's templates, not from the examples' own instructions."""
    return bank is not None and bool(bank.templates)


def with_paraphrases(examples: Iterable[Example]) -> list[Example]:
    """Give each example the other wordings that the data have for it, as `meta["prompts"]`: whole prompts, each once.

    They are the instructions listed in its `meta["paraphrases"]`, with its own input, and the prompts of the other examples
    of its group that ask for the same output. Examples that have none come back as they are.
    """
    rows = list(examples)
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in rows:
        groups.setdefault((example.group_id, example.output), []).append(example)
    return [_with_prompts(example, groups[example.group_id, example.output]) for example in rows]


def _with_prompts(example: Example, group: list[Example]) -> Example:
    own = item_text(example.instruction, example.input)
    listed_beside = [item_text(text, example.input) for text in example.meta.get(PARAPHRASES, ())]
    siblings = [item_text(other.instruction, other.input) for other in group]
    others = [text for text in dict.fromkeys([*listed_beside, *siblings]) if text != own]
    return msgspec.structs.replace(example, meta={**example.meta, PROMPTS: others}) if others else example


def item_text(instruction: str, item: str) -> str:
    """An instruction and what it is about, as one text."""
    return f"{instruction}\n\n{item}" if instruction and item else instruction or item


def canonical_parts(example: Example, bank: Bank | None, labels: tuple[str, ...] | None = None) -> list[Part]:
    """The parts of the canonical prompt, with the labels in the order given or in that of the canonical template."""
    if bank is None or not bank.templates:
        return _own_parts(example, bank)
    template = bank.templates[bank.canonical]
    shown = _shown(bank, listed(labels or template.labels or bank.labels))
    return fill(template.template, item_text(example.instruction, example.input), shown)


def order_of(labels: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """The labels in the order that a seed gives."""
    return tuple(random.Random(f"order:{seed}").sample(labels, len(labels)))


def _shown(bank: Bank, labels: str) -> str:
    """The label list as a prompt has it."""
    return f"{labels} ({SEVERAL})" if bank.several else labels


def _own_parts(example: Example, bank: Bank | None) -> list[Part]:
    """The example's instruction, with the label names in it set apart, and its input."""
    parts = _instruction_parts(example.instruction, bank)
    if example.input:
        parts += [Part("text", "\n\n")] if parts else []
        parts.append(Part("input", example.input))
    return parts


def _instruction_parts(instruction: str, bank: Bank | None) -> list[Part]:
    if bank is None or not bank.labels:
        return [Part("text", instruction)] if instruction else []
    pieces = _label_names(bank.labels).split(instruction)
    parts = [Part("labels" if index % 2 else "text", piece) for index, piece in enumerate(pieces) if piece]
    between = [Part("text", "\n\n")] if parts and bank.several else []
    return [*_note(bank), *between, *parts]


def _note(bank: Bank | None) -> list[Part]:
    """What stands before an example's own instruction where its answer may have several labels."""
    if bank is None or not bank.several:
        return []
    return [Part("text", f"Labels, of which {SEVERAL}: "), Part("labels", listed(bank.labels))]


@lru_cache(maxsize=64)
def _label_names(labels: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    return re.compile(rf"(?<!\w)({names})(?!\w)")


def _canonical(example: Example, wording: Wording, bank: Bank | None) -> str:
    return join(canonical_parts(example, bank))


def _spelling(example: Example, wording: Wording, bank: Bank | None) -> str:
    rng = random.Random(f"{wording.id}:{example.id}")
    return misspell(canonical_parts(example, bank), wording.operator, wording.strength, rng)


def _format(example: Example, wording: Wording, bank: Bank | None) -> str:
    form = parse_format(wording.id)
    if bank is None or not bank.templates:
        task, about, answer = OWN_NAMES
        instruction = _instruction_parts(example.instruction, bank)
        fields: list[tuple[str, Part | None]] = [(about, Part("input", example.input))] if example.input else []
        lead = format_parts(form, [], [(task, Part("text", ""))]) if instruction else []
        return join(format_parts(form, [*lead, *instruction], [*fields, (answer, None)]))
    shown = Part("labels", _shown(bank, label_list(form, bank.labels)))
    instruction = [shown if part.kind == "labels" else part for part in split_template(bank.instruction)]
    item = Part("input", item_text(example.instruction, example.input))
    return join(format_parts(form, instruction, [(bank.input_name, item), (bank.answer_name, None)]))


def _paraphrase(example: Example, wording: Wording, bank: Bank | None) -> str:
    if bank is None or not bank.templates:
        prompts: list[str] = example.meta[PROMPTS]
        note = _note(bank)
        return join([*note, Part("text", "\n\n" if note else ""), Part("input", prompts[wording.seed - 1])])
    template = bank.templates[wording.id.removeprefix("paraphrase/")]
    item = item_text(example.instruction, example.input)
    return join(fill(template.template, item, _shown(bank, listed(template.labels or bank.labels))))


def _surface(example: Example, wording: Wording, bank: Bank | None) -> str:
    return join(resurface(canonical_parts(example, bank), wording.operator))


def _order(example: Example, wording: Wording, bank: Bank | None) -> str:
    labels = bank.labels if bank else ()
    return join(canonical_parts(example, bank, order_of(labels, wording.seed)))


RENDERERS: dict[str, Callable[[Example, Wording, Bank | None], str]] = {
    CANONICAL: _canonical,
    "spelling": _spelling,
    "format": _format,
    "paraphrase": _paraphrase,
    "surface": _surface,
    "order": _order,
}
