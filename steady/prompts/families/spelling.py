"""The spelling family: some words of the prompt each lose, gain, swap or mistype one letter (POSIX, arXiv 2410.02185, section 4).

A letter is what a reader sees as one, with its accents, vowel signs and joiners, and a new one is of the word's own script: half a
letter, or a Latin one in a Greek word, would be damage that no person types.
Mistakes of odd seeds are trained on where the family is, those of even seeds are held out.
"""

import random
import unicodedata
from collections.abc import Callable, Sequence
from itertools import product

import regex

from steady.prompts.bank import Bank
from steady.prompts.canonical import canonical_parts
from steady.prompts.levels import Task, placed
from steady.prompts.parts import PROTECTED_PATTERN, Part
from steady.records import Example, Wording

# A letter with what belongs to it: marks, joiners, and behind a sign that drops the vowel (as in Hindi) the consonant joined to it.
VIRAMAS = "".join(chr(code) for code in range(0x900, 0x1200) if unicodedata.combining(chr(code)) == 9)
LETTER = rf"\p{{L}}(?:[\p{{M}}\u200c\u200d]|(?<=[{VIRAMAS}])\p{{L}})*+"
LETTERS = regex.compile(LETTER)
# Protected spans match first and are no `word`, so what is in them is passed over.
WORDS = regex.compile(
    rf"(?:{PROTECTED_PATTERN}) | (?<![\w\p{{M}}])(?P<word>(?:{LETTER}){{3,}})(?![\w\p{{M}}])",
    regex.VERBOSE | regex.DOTALL,
)
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# QWERTY rows and how far each is shifted, in keys.
KEYBOARD = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
KEYS = {letter: complex(shift + x, y) for y, (row, shift) in enumerate(KEYBOARD) for x, letter in enumerate(row)}
NEIGHBOURS = {key: "".join(k for k, at in KEYS.items() if 0 < abs(at - here) < 1.3) for key, here in KEYS.items()}


def wordings(task: Task) -> list[Wording]:
    """One wording for each operator, each of `format.spelling_strengths` (misspelt words) and each of `format.spelling_seeds`."""
    seeds = range(1, task.params.spelling_seeds + 1)
    found = []
    for operator, strength, seed in product(OPERATORS, task.params.spelling_strengths, seeds):
        name, odd = f"spelling/{operator}-{strength}-s{seed}", seed % 2 == 1
        wording = Wording(id=name, family="spelling", operator=operator, strength=strength, seed=seed, trained=odd)
        found.append(placed(wording, task.params))
    return found


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The canonical prompt misspelt; other words are hit in another example."""
    rng = random.Random(f"{wording.id}:{example.id}")
    return misspell(canonical_parts(example, bank), wording.operator, wording.strength, rng)


def letters_of(word: str) -> list[str]:
    """The letters of a word, each with its marks."""
    return list(word) if word.isascii() else LETTERS.findall(word)


def insert(word: str, rng: random.Random) -> str:
    """Put a random letter of the word's script after a random letter of the word."""
    letters = letters_of(word)
    place = rng.randrange(1, len(letters) + 1)
    # No table has the letters of every script, and those of the word are letters of it.
    latin = "LATIN" in unicodedata.name(letters[place - 1][0], "")
    own = ALPHABET if latin else "".join(letter[0] for letter in letters)
    return "".join([*letters[:place], _as(letters[place - 1][0], rng.choice(own)), *letters[place:]])


def omit(word: str, rng: random.Random) -> str:
    """Leave out one letter."""
    letters = letters_of(word)
    place = rng.randrange(len(letters))
    return "".join(letters[:place] + letters[place + 1 :])


def transpose(word: str, rng: random.Random) -> str:
    """Swap two neighbouring letters that differ; a word of one letter repeated loses a letter instead."""
    letters = letters_of(word)
    places = [place for place in range(len(letters) - 1) if letters[place] != letters[place + 1]]
    if not places:
        return omit(word, rng)
    place = rng.choice(places)
    return "".join([*letters[:place], letters[place + 1], letters[place], *letters[place + 2 :]])


def keyboard(word: str, rng: random.Random) -> str:
    """Replace one letter by a neighbour on a QWERTY keyboard; a word in another script has two letters swapped."""
    letters = letters_of(word)
    places = [place for place, letter in enumerate(letters) if letter.lower() in NEIGHBOURS]
    if not places:
        return transpose(word, rng)
    place = rng.choice(places)
    typed = _as(letters[place], rng.choice(NEIGHBOURS[letters[place].lower()]))
    return "".join([*letters[:place], typed, *letters[place + 1 :]])


def mixed(word: str, rng: random.Random) -> str:
    """One of the four, at random."""
    return rng.choice((insert, omit, transpose, keyboard))(word, rng)


OPERATORS: dict[str, Callable[[str, random.Random], str]] = {
    operator.__name__: operator for operator in (insert, omit, transpose, keyboard, mixed)
}


def misspell(parts: Sequence[Part], operator: str, strength: int, rng: random.Random) -> str:
    """The prompt with `strength` of its words misspelt once each; all of them where it has fewer.

    Words have three letters or more; those of the label list and of protected spans are not hit.
    """
    texts = [part.text for part in parts]
    words = [
        (index, *found.span())
        for index, part in enumerate(parts)
        if part.kind != "labels"
        for found in WORDS.finditer(part.text)
        if found.lastgroup
    ]
    change = OPERATORS[operator]
    # From the end, so that the places of the words before stay right.
    for index, start, end in sorted(rng.sample(words, min(strength, len(words))), reverse=True):
        text = texts[index]
        texts[index] = text[:start] + change(text[start:end], rng) + text[end:]
    return "".join(texts)


def _as(model: str, letter: str) -> str:
    return letter.upper() if model.isupper() else letter
