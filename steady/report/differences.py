"""What differs between two wordings, word by word."""

import re
from difflib import SequenceMatcher

from steady.report.markup import Markup, joined, tag

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
VISIBLE = str.maketrans({"\n": "⏎\n", "\t": "⇥\t"})


def words(text: str) -> list[str]:
    """Words, marks and runs of white space; together they are the text."""
    return WORDS.findall(text)


def marked(canonical: str, reworded: str) -> Markup:
    """The reworded prompt with what it adds in <ins> and what it leaves out in <del>; white space that changed is shown."""
    # by words: by characters, chance matches within words would be marked
    old, new = words(canonical), words(reworded)
    parts: list[Markup | str] = []
    # autojunk takes words that are frequent in a long prompt for noise, and then marks more than has changed
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append("".join(new[c:d]))
            continue
        if gone := "".join(old[a:b]):
            parts.append(tag("del", gone.translate(VISIBLE)))
        if come := "".join(new[c:d]):
            parts.append(tag("ins", come.translate(VISIBLE)))
    return Markup("".join(joined([part]) for part in parts))
