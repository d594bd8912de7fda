"""The paraphrase family: the other templates of the bank or, without templates, the other wordings that the data have.

The bank marks its templates as trained or held out. A paraphrase that an example brings itself is trained on with its group.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from steady.prompts.bank import Bank
from steady.prompts.canonical import has_templates, item_text, label_note, shown_labels
from steady.prompts.levels import OF_THE_EXAMPLE, Task, placed
from steady.prompts.parts import Part, fill, join, listed
from steady.records import Example, Wording

PREFIX = "paraphrase/"
PROMPTS = "prompts"
PARAPHRASES = "paraphrases"


def wordings(task: Task) -> list[Wording]:
    """One wording for each template but the canonical one, or for each number of a paraphrase that an example brings."""
    bank, family = task.bank, "paraphrase"
    if bank is None or not bank.templates:
        name = f"{PREFIX}{OF_THE_EXAMPLE}"
        found = [
            Wording(id=f"{name}-{number}", family=family, operator=OF_THE_EXAMPLE, seed=number, trained=True)
            for number in range(1, task.item_paraphrases + 1)
        ]
    else:
        found = [
            Wording(id=f"{PREFIX}{template.id}", family=family, operator=template.kind, trained=template.trained)
            for template in bank.templates.values()
            if template.id != bank.canonical
        ]
    return [placed(wording, task.params) for wording in found]


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The template filled, or the example's own paraphrase of the number `wording.seed`, which counts from 1."""
    if bank is None or not bank.templates:
        # Whole prompts, with no template around them.
        prompts: list[str] = example.meta[PROMPTS]
        note = label_note(bank)
        return join([*note, Part("text", "\n\n" if note else ""), Part("input", prompts[wording.seed - 1])])
    template = bank.templates[wording.id.removeprefix(PREFIX)]
    item = item_text(example.instruction, example.input)
    return join(fill(template.template, item, shown_labels(bank, listed(template.labels or bank.labels))))


def applies(example: Example, wording: Wording, bank: Bank | None) -> bool:
    """Whether there are templates, or the data have so many paraphrases of the example."""
    return has_templates(bank) or wording.seed <= len(example.meta.get(PROMPTS, ()))


def templates_of(wordings: Sequence[Wording]) -> set[str]:
    """The ids of the templates that wordings need."""
    return {wording.id.removeprefix(PREFIX) for wording in wordings if wording.id.startswith(PREFIX)}


def with_paraphrases(examples: Iterable[Example]) -> list[Example]:
    """Give each example the other wordings that the data have for it, as `meta["prompts"]`: whole prompts, each once.

    They are the instructions (or questions) listed in its `meta["paraphrases"]`, with its own input, and the prompts of the other
    examples of its group that ask for the same output. Examples that have none come back as they are.
    """
    rows = list(examples)
    # Those of the same group and target ask for the same thing in other words.
    siblings: dict[tuple[str, str], list[str]] = {}
    for example in rows:
        own = item_text(example.instruction, example.input)
        siblings.setdefault((example.group_id, example.output), []).append(own)
    found = []
    for example in rows:
        # A question without an instruction is reworded itself.
        item = example.input if example.instruction else ""
        listed_beside = [item_text(text, item) for text in example.meta.get(PARAPHRASES, ())]
        others = dict.fromkeys([*listed_beside, *siblings[example.group_id, example.output]])
        others.pop(item_text(example.instruction, example.input), None)
        # The examples of a conversation are its turns, which ask for different things.
        reworded = bool(others) and not example.messages
        found.append(replace(example, meta={**example.meta, PROMPTS: list(others)}) if reworded else example)
    return found
