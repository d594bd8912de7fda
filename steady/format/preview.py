"""A page that shows what the model will see: the same two examples under a few wordings of each family."""

import re
from collections.abc import Iterator, Sequence

from steady.format.formatted import Formatted
from steady.format.lengths import Encode
from steady.prompts.canonical import item_text
from steady.prompts.render import applies, render
from steady.records import Example, Wording

PER_SIDE = 2


def preview(result: Formatted, encode: Encode) -> str:
    """Markdown: per family up to two trained and two held-out wordings of two train examples, fenced, with token counts."""
    examples = typical_examples(result.splits["train"])
    lines = [
        "# What the model will see",
        "",
        f"Two examples of the train split under some of the {len(result.wordings)} wordings. Lengths are tokens of "
        f"`{result.params.model.id}`, special ones included; prompts are cut at {result.params.format.max_length}. "
        "L1 and L2 are levels of the test: a family that was trained on, and one (or a part of a format) that was not.",
        "",
        "| example | target |",
        "|---|---|",
    ]
    for number, example in enumerate(examples, start=1):
        output = " ".join(example.output.split()).replace("|", "\\|")
        lines.append(f"| {number} | {output[:120]} |")
    for wording, heading in _chosen(result.wordings):
        lines += ["", f"## {heading}"] if heading else []
        lines += ["", f"### `{wording.id}`: {'trained' if wording.trained else 'held out'}, {wording.level}"]
        lines += [] if wording.trained else ["", f"{wording.rule[:1].upper()}{wording.rule[1:]}."]
        for number, example in enumerate(examples, start=1):
            if applies(example, wording, result.bank):
                prompt = render(example, wording, result.bank)
                # A prompt that has a fence in it needs a longer one around it.
                fence = "`" * max([3, *(1 + len(run) for run in re.findall(r"`{3,}", prompt))])
                tokens = len(encode([prompt])[0])
                lines += ["", f"Example {number}, {tokens} tokens:", "", f"{fence}text", prompt, fence]
    return "\n".join(lines) + "\n"


def typical_examples(examples: Sequence[Example]) -> list[Example]:
    """The example of median length and, where another target exists, the next longer one with another target."""
    by_length = sorted(examples, key=lambda example: (len(item_text(example.instruction, example.input)), example.id))
    middle = len(by_length) // 2
    first, others = by_length[middle], [*by_length[middle + 1 :], *reversed(by_length[:middle])]
    # Another target, because a page with one label shows half of the task.
    second = next((example for example in others if example.output != first.output), *others[:1] or [first])
    return [first] if second is first else [first, second]


def _chosen(wordings: Sequence[Wording]) -> Iterator[tuple[Wording, str]]:
    """The wordings to show; the first of a family comes with the family's heading."""
    for family in dict.fromkeys(wording.family for wording in wordings):
        members = [wording for wording in wordings if wording.family == family]
        trained = [wording for wording in members if wording.trained][:PER_SIDE]
        # The last held-out ones, one of each level first: the last ones are the strongest.
        held_out = [wording for wording in members if not wording.trained]
        of_each_level = list({wording.level: wording for wording in held_out}.values())
        rest = [wording for wording in reversed(held_out) if wording not in of_each_level]
        heading = f"{family[:1].upper()}{family[1:]} ({len(members)})"
        for wording in [*trained, *[*of_each_level, *rest][:PER_SIDE]]:
            yield wording, heading
            heading = ""
