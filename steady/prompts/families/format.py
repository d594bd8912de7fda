"""The format family: the grammar of FormatSpread (Sclar et al. 2023, arXiv 2310.11324, appendix A) over the fields of a prompt.

A prompt is `instruction SPACE Descriptor SEPARATOR item SPACE Descriptor SEPARATOR`. Where the instruction lists labels they
may be enumerated: `OPTION WRAPPER(NUMBER) ITEM_SEPARATOR label`, put together by JOINER. Every value of a component is either
trained on or held out for testing, so that a format of held-out values is new in its parts and not only as a whole. Where the
family is trained on, new combinations of trained values are held out too.
"""

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from steady.prompts.bank import Bank
from steady.prompts.canonical import has_templates, instruction_parts, item_text, shown_labels
from steady.prompts.composition import POOLS, Pool
from steady.prompts.levels import Task, placed
from steady.prompts.parts import Part, join, listed, split_template
from steady.records import Example, Wording

OWN_NAMES = ("Task", "Input", "Answer")  # descriptors where no bank names the fields

# The values of the published grammar. Its empty space is left out: it would fuse words and numbers with their neighbours.
# Values that an uncased, blank-insensitive tokenizer cannot tell apart stand on the same side.
TRAINED: dict[str, dict[str, str]] = {
    "casing": {"asis": "asis", "title": "title", "upper": "upper"},
    "separator": {
        "colon": ": ",
        "tight-colon": ":",
        "wide-colon": " : ",
        "blank": " ",
        "tab": "\t",
        "newline-blank": "\n ",
        "newline-tab": "\n\t",
        "blank-newline-tab": " \n\t",
        "newline-indent": "\n    ",
    },
    "space": {
        "blank": " ",
        "double-blank": "  ",
        "newline": "\n",
        "blank-newline": " \n",
        "blank-newline-blank": " \n ",
        "newline-blank": "\n ",
        "semicolon-newline": "; \n",
        "comma": ", ",
        "wide-comma": " , ",
        "wider-comma": " ,  ",
        "stop": ". ",
    },
    "option": {"none": "", "blank": "Option ", "double-blank": "Option  "},
    "wrapper": {"paren": "({})", "stop": "{}.", "half-paren": "{})", "wide-half-paren": "{} )"},
    "number": {"arabic": "arabic", "upper-letter": "upper-letter", "letter": "letter"},
}
HELD_OUT: dict[str, dict[str, str]] = {
    "casing": {"lower": "lower"},
    "separator": {
        "double-colon": ":: ",
        "tight-double-colon": "::",
        "triple-colon": "::: ",
        "dash": " - ",
        "tight-dash": "- ",
    },
    "space": {"double-dash": " -- ", "double-bar": " || ", "sep": " <sep> "},
    "option": {"tight": "Option", "tab": "Option\t"},
    "wrapper": {"bracket": "[{}]", "angle": "<{}>"},
    "number": {"roman": "roman", "upper-roman": "upper-roman", "unicode-roman": "unicode-roman"},
}
for _side in (TRAINED, HELD_OUT):
    _side["joiner"] = _side["space"]
TRAINED["item_separator"] = {"empty": "", **TRAINED["separator"]}
HELD_OUT["item_separator"] = HELD_OUT["separator"]
VALUES = {component: TRAINED[component] | HELD_OUT[component] for component in TRAINED}

FIELDS = ("casing", "separator", "space")
ENUMERATION = ("option", "wrapper", "number", "item_separator", "joiner")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ROMAN = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
UNICODE_ROMANS = 12


class Format(NamedTuple):
    """The names of a format's values; the last five are empty where labels stand as running text."""

    casing: str
    separator: str
    space: str
    option: str = ""
    wrapper: str = ""
    number: str = ""
    item_separator: str = ""
    joiner: str = ""

    @property
    def wording_id(self) -> str:
        """`format/` and the names of the values, so that an id says what the wording looks like."""
        return "format/" + ".".join(name for name in self if name)

    @property
    def held_out_values(self) -> list[str]:
        """`component name` of every value that is held out."""
        return [f"{key} {name}" for key, name in self._asdict().items() if name in HELD_OUT[key]]


def wordings(task: Task) -> list[Wording]:
    """`format.formats` wordings of each pool."""
    found = []
    for pool in POOLS:
        for form in draw_formats(pool, task.params.formats, enumerable=has_templates(task.bank)):
            operator = "enumerated" if form.joiner else "plain"
            wording = Wording(id=form.wording_id, family="format", operator=operator, trained=pool == "trained")
            found.append(placed(wording, task.params, unseen=", ".join(form.held_out_values)))
    return found


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The fields of the prompt in the format that the wording's id spells out."""
    form = parse_format(wording.id)
    if bank is None or not bank.templates:
        task, about, answer = OWN_NAMES
        instruction = instruction_parts(example.instruction, bank)
        fields: list[tuple[str, Part | None]] = [(about, Part("input", example.input))] if example.input else []
        lead = format_parts(form, [], [(task, Part("text", ""))]) if instruction else []
        return join(format_parts(form, [*lead, *instruction], [*fields, (answer, None)]))
    shown = Part("labels", shown_labels(bank, label_list(form, bank.labels)))
    instruction = [shown if part.kind == "labels" else part for part in split_template(bank.instruction)]
    item = Part("input", item_text(example.instruction, example.input))
    return join(format_parts(form, instruction, [(bank.input_name, item), (bank.answer_name, None)]))


@lru_cache(maxsize=4096)
def parse_format(wording_id: str) -> Format:
    """The format that an id names; the inverse of `Format.wording_id`."""
    return Format(*wording_id.removeprefix("format/").split("."))


def is_readable(form: Format) -> bool:
    """The published constraint: a separator with a line break needs a space with one, so that a field starts a new line."""
    fields = "\n" not in VALUES["separator"][form.separator] or "\n" in VALUES["space"][form.space]
    if not form.joiner:
        return fields
    breaks = "\n" in VALUES["item_separator"][form.item_separator]
    return fields and (not breaks or "\n" in VALUES["joiner"][form.joiner])


def draw_formats(pool: Pool, count: int, enumerable: bool) -> list[Format]:
    """`count` different formats of a pool, every other one with enumerated labels where the prompt lists labels.

    `trained` and `unseen` are made of trained values and share no format; in `held_out` the separator, the space and every
    part of the enumeration are held out. Where the grammar has no more, fewer come back.
    """
    taken = set(draw_formats("trained", count, enumerable)) if pool == "unseen" else set()
    found: list[Format] = []
    # By the pool alone: asking for more formats keeps those that there were.
    rng = random.Random(f"format:{pool}")
    # The grammar may have fewer formats than are asked for.
    for _ in range(40 * count):
        form = _draw(rng, pool, enumerate_labels=enumerable and len(found) % 2 == 1)
        if is_readable(form) and form not in taken:
            taken.add(form)
            found.append(form)
        if len(found) == count:
            break
    return found


def _draw(rng: random.Random, pool: Pool, *, enumerate_labels: bool) -> Format:
    side = HELD_OUT if pool == "held_out" else TRAINED
    # Every component is drawn, so that a draw takes as many random numbers with enumerated labels as without.
    names = {component: rng.choice(list(side[component])) for component in (*FIELDS, *ENUMERATION)}
    if pool == "held_out":  # casing is invisible to many tokenizers, so any will do beside values that are not
        names["casing"] = rng.choice(list(VALUES["casing"]))
    return Format(**{component: names[component] for component in FIELDS + (ENUMERATION if enumerate_labels else ())})


def format_parts(form: Format, instruction: Sequence[Part], fields: Sequence[tuple[str, Part | None]]) -> list[Part]:
    """The parts of a prompt in a format, from those of its instruction, label list included (empty: none), and its fields.

    A field is its descriptor and its text, in order; the answer's has no text.
    """
    separator, space = VALUES["separator"][form.separator], VALUES["space"][form.space]
    parts = list(instruction)
    # "… or bird." followed by ", " would read "bird.,".
    if parts and space.lstrip().startswith((",", ".", ";")):
        parts[-1] = parts[-1]._replace(text=parts[-1].text.removesuffix("."))
    for descriptor, part in fields:
        lead = (space if parts else "") + cased(descriptor, form.casing)
        parts += [Part("text", lead + separator), part] if part else [Part("text", lead + separator.rstrip())]
    return parts


@lru_cache(maxsize=4096)
def label_list(form: Format, labels: tuple[str, ...]) -> str:
    """The labels in a format: as running text, or enumerated, then on lines of their own where the joiner has a line break."""
    if not form.joiner:
        return listed(labels)
    between, joiner = VALUES["item_separator"][form.item_separator], VALUES["joiner"][form.joiner]
    option = cased(VALUES["option"][form.option], form.casing)
    numbers = (VALUES["wrapper"][form.wrapper].format(number(index, form.number)) for index in range(len(labels)))
    items = [option + numbered + between + label for numbered, label in zip(numbers, labels, strict=True)]
    return ("\n" if "\n" in joiner else "") + joiner.join(items)


def cased(descriptor: str, casing: str) -> str:
    """A descriptor as it is, in title case, upper or lower case."""
    if casing == "title":
        return " ".join(word[:1].upper() + word[1:].lower() for word in descriptor.split(" "))
    return {"asis": descriptor, "upper": descriptor.upper(), "lower": descriptor.lower()}[casing]


def number(index: int, style: str) -> str:
    """The number of item `index` (from 0): 1, A, a, i, I or Ⅰ; letters go on with aa after z, Ⅻ with XIII."""
    if style == "arabic":
        return str(index + 1)
    if style == "unicode-roman" and index < UNICODE_ROMANS:
        return chr(0x2160 + index)
    text, left = "", index + 1
    if style in ("letter", "upper-letter"):
        while left:
            left, rest = divmod(left - 1, len(LETTERS))
            text = LETTERS[rest] + text
    else:
        for size, digits in ROMAN:
            text += digits * (left // size)
            left %= size
    return text if style in ("letter", "roman") else text.upper()
