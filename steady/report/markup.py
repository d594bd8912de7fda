"""HTML from data: everything that is no markup is escaped."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from html import escape

from steady.report.tables import Table

# words, marks and runs of white space; together they are the text
WORDS = re.compile(r"\s+|\w+|[^\w\s]")
VISIBLE = str.maketrans({"\n": "⏎\n", "\t": "⇥\t"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """The HTML of a value: escaped, unless it is markup."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element; a trailing underscore of an attribute is dropped, other underscores become dashes; None leaves it out."""
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{shown}>" + "".join(map(text, children)) + f"</{name}>")


def joined(parts: Iterable[object]) -> Markup:
    """Parts one after the other."""
    return Markup("\n".join(map(text, parts)))


def details(summary: object, *children: object, open_: bool = False, **attributes: object) -> Markup:
    """A part that opens when it is asked for."""
    return tag("details", tag("summary", summary), *children, open=open_, **attributes)


def table(
    caption: object,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    stacked: bool = False,
    name: str | None = None,
) -> Markup:
    """A table that scrolls by itself where it is wider than the screen; the first column heads its rows, `name` is its id.

    Where it is `stacked`, the last column goes below the others on a phone; roles keep it a table for those who listen.
    """

    # CSS that stacks a table takes its meaning from screen readers; roles give it back
    def part(element: str, role: str, *children: object, **attributes: object) -> Markup:
        return tag(element, *children, **attributes, role=role if stacked else None)

    head = part("tr", "row", *(part("th", "columnheader", cell, scope="col") for cell in header))
    body = []
    for first, *others in rows:
        cells = [part("td", "cell", cell) for cell in others]
        body.append(part("tr", "row", part("th", "rowheader", first, scope="row"), *cells))
    groups = [part("thead", "rowgroup", head), part("tbody", "rowgroup", joined(body))]
    look = "stacked" if stacked else None
    return scrolling(caption, part("table", "table", tag("caption", caption), *groups, id=name, class_=look))


def scrolling(caption: object, whole: Markup) -> Markup:
    """A table in a region of its own that scrolls; the keyboard has to reach it, so the region takes the focus."""
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def shown(found: Table) -> Markup:
    """A table of `steady.report.tables`."""
    return table(found.title, found.header, found.rows)


def cut(text: str, most: int) -> str:
    """A text of at most so many characters; a longer one ends with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def marked(canonical: str, reworded: str) -> Markup:
    """The reworded prompt with what it adds in <ins> and what it leaves out in <del>; white space that changed is shown."""
    # by words: by characters, chance matches within words would be marked
    old, new = WORDS.findall(canonical), WORDS.findall(reworded)
    parts: list[Markup] = []
    # autojunk takes words that are frequent in a long prompt for noise, and then marks more than has changed
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        if kind == "equal":
            parts.append(text(come))
            continue
        parts += [tag("del", gone.translate(VISIBLE))] if gone else []
        parts += [tag("ins", come.translate(VISIBLE))] if come else []
    return Markup("".join(parts))
