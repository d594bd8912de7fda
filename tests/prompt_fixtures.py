"""A small bank, parameters and examples that the tests of prompts share."""

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steady.prompts.bank import Bank, read_bank
from steady.prompts.params import FormatParams, FormatStage
from steady.prompts.parts import PROTECTED
from steady.records import Example, Split, content_id

BANK = """\
task: pets
labels: [cat, dog, bird]
canonical: plain
instruction: "Say which pet this is: {labels}."
input_name: Story
answer_name: Pet
wordings:
  - id: plain
    kind: labels-first
    split: trained
    template: |-
      Say which pet this is: {labels}.

      Story: {input}
      Pet:
  - {id: ask, kind: question, split: trained, template: "{input} Which of {labels}?"}
  - {id: swap, kind: labels-reordered, split: trained, labels: [bird, cat, dog], template: "Out of {labels}. {input}"}
  - {id: bare, kind: no-list, split: trained, template: "The animal in '{input}' is a"}
  - {id: quiz, kind: quiz, split: held_out, template: "Quiz on {labels}! Clue: {input}"}
  - {id: vet, kind: story-frame, split: held_out, template: "At the vet I said {input} and meant the"}
  - {id: form, kind: form, split: held_out, template: "pet = one of {labels} # {input}"}
"""

FORMAT: dict[str, Any] = {
    "wordings": None,
    "max_length": 64,
    "trained_families": ["paraphrase", "format", "surface"],
    "wordings_per_example": 16,
    "canonical_every": 8,
    "validation_wordings": 1,
    "spelling_strengths": [1, 2, 4, 8],
    "spelling_seeds": 2,
    "formats": 24,
    "orders": 4,
    "seed": 0,
}
SENSITIVITY: dict[str, Any] = {
    "families": ["spelling", "format", "paraphrase", "surface"],
    "split": "test",
    "test_groups": 5,
    "train_groups": 3,
    "wordings_per_family": 3,
    "wordings_per_group": None,
    "seed": 0,
}
PIECES = re.compile(r"\w+|[^\w\s]")


def protected_spans(text: str) -> list[str]:
    """The spans of a text that no rewording may change, in order."""
    return [span.group() for span in PROTECTED.finditer(text)]


@pytest.fixture(scope="session")
def bank_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wordings") / "pets.yaml"
    path.write_text(BANK, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def bank(bank_file: Path) -> Bank:
    return read_bank(bank_file)


@pytest.fixture(scope="session")
def format_params() -> Callable[..., FormatParams]:
    return lambda **changes: FormatParams(**(FORMAT | changes))


@pytest.fixture(scope="session")
def stage_params(bank_file: Path) -> Callable[..., FormatStage]:
    """The view of the format stage; keys of `format` and `sensitivity` are changed by name."""

    def make(labels: Any = ("cat", "dog", "bird"), sensitivity: Any = None, **changes: Any) -> FormatStage:
        return FormatStage.model_validate(
            {
                "data": {"labels": labels},
                "model": {"id": "toy", "revision": None},
                "format": FORMAT | {"wordings": bank_file} | changes,
                "sensitivity": SENSITIVITY | (sensitivity or {}),
            }
        )

    return make


@pytest.fixture(scope="session")
def example() -> Callable[..., Example]:
    def make(item: str = "It barked at me.", *, group: str = "", split: Split = "train", **fields: Any) -> Example:
        name = content_id(item, fields.get("instruction", ""))
        values = {"output": "dog", "references": ["dog"], "labels": ["dog"], "source": "pets.jsonl", "line": 1}
        return Example(id=name, group_id=group or name, input=item, split=split, **(values | fields))

    return make


@pytest.fixture(scope="session")
def encode() -> Callable[[list[str]], list[list[int]]]:
    """Words and punctuation, uncased, blanks dropped: what many a tokenizer sees."""
    return lambda texts: [[zlib.crc32(piece.encode()) for piece in PIECES.findall(text.lower())] for text in texts]


@pytest.fixture(scope="session")
def splits(example: Callable[..., Example]) -> dict[Split, list[Example]]:
    sounds = {"cat": "purred", "dog": "barked", "bird": "sang"}
    sizes: dict[Split, int] = {"train": 12, "validation": 4, "test": 9}
    return {
        split: [
            example(f"In {split} story {number} it {sounds[pet]} twice.", split=split, output=pet, labels=[pet])
            for number in range(size)
            for pet in [list(sounds)[number % 3]]
        ]
        for split, size in sizes.items()
    }
