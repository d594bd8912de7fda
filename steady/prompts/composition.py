"""Wordings by composition: a preamble, an instruction, the item, where the item stands, the order of the labels, an answer cue.

A bank names the values of each component, some trained on and some held out; hundreds of wordings follow from a few of each.
"""

import random
import re
from collections.abc import Collection, Iterator
from math import prod
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from steady.prompts.yaml_faults import IDENTIFIER, SLOTS, Fault, key_faults, line_of

Pool = Literal["trained", "unseen", "held_out"]
POOLS: tuple[Pool, ...] = get_args(Pool)
PREFIX = "composed/"
COMPONENTS = ("preamble", "instruction", "item", "placement", "order", "cue")
KEYS = ("trained_wordings", "held_out_wordings", *COMPONENTS)
SIDES = ("trained", "held_out")
NEEDED = {"instruction": ["labels"], "item": ["input"], "preamble": [], "cue": []}
"""The slots of a value, each once; a placement has one for each of these components."""
ORDER = re.compile(r"given|reversed|alphabetical|rotated-([1-9]\d?)")
MAY_BE_EMPTY = ("preamble", "cue")


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The values of a component by name: those that are trained on and those that are held out."""

    trained: dict[str, str]
    held_out: dict[str, str] = {}

    def value(self, name: str) -> str:
        """The value of a name; KeyError where there is none."""
        return {**self.held_out, **self.trained}[name]


class Composition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The components of a bank, and how many wordings are drawn: to train on, and for each kind of test."""

    trained_wordings: int
    held_out_wordings: int
    preamble: Component
    instruction: Component
    item: Component
    placement: Component
    order: Component
    cue: Component

    def side(self, name: str, side: str) -> dict[str, str]:
        """The values of a component that are `trained` or `held_out`, by name."""
        found: dict[str, str] = getattr(getattr(self, name), side)
        return found


class Composed(NamedTuple):
    """The names of the values of one wording."""

    preamble: str
    instruction: str
    item: str
    placement: str
    order: str
    cue: str

    @property
    def wording_id(self) -> str:
        """`composed/` and the names, so that an id says what the wording looks like."""
        return PREFIX + ".".join(self)


def parse(wording_id: str) -> Composed:
    """The names in an id; the inverse of `Composed.wording_id`."""
    return Composed(*wording_id.removeprefix(PREFIX).split("."))


def draw(composition: Composition, pool: Pool) -> list[Composed]:
    """Different compositions of a pool, as many as the bank asks for or as there are.

    `trained` and `unseen` are made of trained values and share no composition; in `held_out` every value is held out.
    """
    kind = "held_out" if pool == "held_out" else "trained"
    # The order of the labels changes no word, so a held-out prompt may have any; it has a held-out one like the rest.
    names = [list(composition.side(name, kind)) for name in COMPONENTS]
    total = prod(map(len, names))
    trained, held_out = composition.trained_wordings, composition.held_out_wordings
    # The new compositions follow the trained ones in one draw, so that the two share none.
    start, count = {"trained": (0, trained), "unseen": (trained, held_out), "held_out": (0, held_out)}[pool]
    found = []
    for number in random.Random(f"composed:{kind}").sample(range(total), min(total, start + count))[start:]:
        chosen, left = [], number
        for side in names:
            left, place = divmod(left, len(side))
            chosen.append(side[place])
        found.append(Composed(*chosen))
    return found


def held_out_values(composition: Composition, composed: Composed) -> list[str]:
    """`component name` of every value that is held out."""
    named = composed._asdict().items()
    return [f"{name} {value}" for name, value in named if value in composition.side(name, "held_out")]


def template_of(composition: Composition, composed: Composed) -> str:
    """The template of a composition, with the slots `{input}` and `{labels}`; KeyError where a value is not there."""
    values = {name: getattr(composition, name).value(value) for name, value in composed._asdict().items()}
    text = SLOTS.sub(lambda slot: values[slot[1]], values["placement"])
    # An empty part leaves the blanks and line breaks around it.
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+(?=\n)|(?<=\n)[ \t]+", "", text)).strip()


def ordered(labels: tuple[str, ...], order: str) -> tuple[str, ...]:
    """The labels in an order by name."""
    if order == "alphabetical":
        return tuple(sorted(labels))
    if order == "reversed":
        return labels[::-1]
    by = 0 if order == "given" else int(order.removeprefix("rotated-")) % len(labels)
    return labels[by:] + labels[:by]


def only(composition: Composition, ids: Collection[str]) -> Composition:
    """The composition with the values that wordings of these ids name, in its order, and all of them trained or held out as before."""
    components = {}
    for place, name in enumerate(COMPONENTS):
        wanted = {parse(wording)[place] for wording in ids}
        trained, held_out = (
            {value: text for value, text in composition.side(name, side).items() if value in wanted} for side in SIDES
        )
        components[name] = Component(trained, held_out)
    return msgspec.structs.replace(composition, **components)


def composition_faults(content: Any) -> Iterator[Fault]:
    """The faults of the key `composition` of a bank."""
    if not isinstance(content, dict):
        yield 1, f"`composition` is a mapping with the keys {', '.join(KEYS)}."
        return
    yield from key_faults(content, KEYS, KEYS)
    for key in KEYS[:2]:
        value = content.get(key, 1)
        if not isinstance(value, int) or value < 1:
            yield line_of(content, key), f"`{key}` is a number of wordings, at least 1, got {value!r}."
    for name in (name for name in COMPONENTS if name in content):
        component = content[name]
        sides: list[Any] = [component.get(side) for side in SIDES] if isinstance(component, dict) else [None]
        if not all(isinstance(side, dict) and side for side in sides) or set(component) != set(SIDES):
            reason = f"`{name}` has the sides `trained` and `held_out`, each a mapping of names to texts."
            yield line_of(content, name), reason
            continue
        texts = [text for each in sides for text in each.values()]
        for side, value, text in ((each, *item) for each in sides for item in each.items()):
            if side is sides[1] and value in sides[0]:
                yield line_of(side, value), f"{name} {value!r} is both trained on and held out."
            for fault in _value_faults(name, value, text):
                yield line_of(side, value), f"{name} {value!r}: {fault}"
            if texts.count(text) > 1:
                yield line_of(side, value), f"{name} {value!r}: another value has the same text."


def _value_faults(name: str, value: Any, text: Any) -> Iterator[str]:
    if not IDENTIFIER.fullmatch(str(value)):
        yield "use lower-case letters and digits, joined by single hyphens."
    if not isinstance(text, str) or not (text.strip() or name in MAY_BE_EMPTY):
        yield f"expected a text, got {text!r}."
    elif name == "order":
        if not ORDER.fullmatch(text):
            yield f"expected given, reversed, alphabetical or rotated-1, rotated-2 …, got {text!r}."
    elif sorted(SLOTS.findall(text)) != sorted(NEEDED.get(name, list(NEEDED))):
        needed = ", ".join(f"{{{slot}}}" for slot in NEEDED.get(name, list(NEEDED)))
        yield f"its slots are {needed or 'none'}, each once, got {text!r}."
