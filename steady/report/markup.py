"""HTML from data: everything that is no markup is escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from steady.report.tables import Table


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
    """A table that scrolls by itself where it is wider than the screen; the first column heads its rows.

    Args:
        stacked: on a phone the last column goes below the others; roles keep it a table for those who listen.
        name: the id of the table.
    """

    # CSS that stacks a table takes its meaning from screen readers; roles give it back
    def role(value: str) -> str | None:
        return value if stacked else None

    head = tag("tr", *(tag("th", cell, scope="col", role=role("columnheader")) for cell in header), role=role("row"))
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row", role=role("rowheader")),
            *(tag("td", cell, role=role("cell")) for cell in row[1:]),
            role=role("row"),
        )
        for row in rows
    ]
    parts = [
        tag("caption", caption),
        tag("thead", head, role=role("rowgroup")),
        tag("tbody", joined(body), role=role("rowgroup")),
    ]
    whole = tag("table", *parts, id=name, class_="stacked" if stacked else None, role=role("table"))
    # what scrolls has to be reached by the keyboard, so the region takes the focus
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def shown(found: Table) -> Markup:
    """A table of `steady.report.tables`."""
    return table(found.title, found.header, found.rows)


def section(name: str, title: object, *children: object) -> Markup:
    """A part of the page that the contents link to."""
    return tag("section", tag("h2", title), *children, id=name)


def figure(svg: str, caption: object) -> Markup:
    """A picture with its caption; the parts of the picture carry their own labels."""
    return tag("figure", tag("figcaption", caption), Markup(svg))
