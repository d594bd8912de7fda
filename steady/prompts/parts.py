"""A prompt in parts (template text, label list, the item's own text), and the spans that no rewording may change."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["text", "labels", "input"]


class Part(NamedTuple):
    """A stretch of a prompt: `text` of the template, the `labels` listed, or the `input` of the item."""

    kind: Kind
    text: str


SLOT = re.compile(r"\{(input|labels)\}")

# The order matters: the first alternative that matches wins, so a number inside code is part of the code.
PROTECTED_PATTERN = r"""
    ```.*?```                                      # fenced code
  | `[^`\n]+`                                      # inline code
  | (?:https?://|www\.)\S*[^\s.,;:!?)\]}'"»”]      # URLs, without the punctuation that follows them
  | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+       # e-mail addresses
  | \{\{?[^{}\n]{1,40}\}?\} | <[/\w][^<>\n]{0,40}> | \[[A-Z][A-Z_]+\]   # slots: {name}, {{name}}, <name>, [NAME]
  | (?<!\w)[$€£¥]?\w*\d\w*(?:[.,:/'’+-]\w*\d\w*)*%?  # numbers, dates, times, and codes with a digit in them
"""
PROTECTED = re.compile(PROTECTED_PATTERN, re.VERBOSE | re.DOTALL)


@lru_cache(maxsize=4096)
def split_template(template: str) -> tuple[Part, ...]:
    """The parts of a template; those of its slots are empty, to be filled by `fill`."""
    pieces = SLOT.split(template)
    kinds = ["text" if index % 2 == 0 else piece for index, piece in enumerate(pieces)]
    return tuple(
        Part(kind, piece if kind == "text" else "")  # type: ignore[arg-type]
        for kind, piece in zip(kinds, pieces, strict=True)
        if piece
    )


def fill(template: str, item: str, labels: str) -> list[Part]:
    """The parts of a template with the item's text and the label list put in; braces in either are plain text."""
    values = {"input": item, "labels": labels}
    return [part if part.kind == "text" else Part(part.kind, values[part.kind]) for part in split_template(template)]


def join(parts: Sequence[Part]) -> str:
    """The prompt that the parts make."""
    return "".join([part.text for part in parts])


@lru_cache(maxsize=4096)
def listed(labels: tuple[str, ...]) -> str:
    """`a, b or c`: the label list as running text."""
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} or {labels[-1]}"


def change_unprotected(text: str, change: Callable[[str], str]) -> str:
    """Apply `change` to every stretch of `text` between its protected spans."""
    pieces, start = [], 0
    for span in PROTECTED.finditer(text):
        pieces += [change(text[start : span.start()]), span.group()]
        start = span.end()
    return "".join([*pieces, change(text[start:])])
