"""The records that stages exchange, and the only place that reads and writes them.

Files are JSON Lines, UTF-8, one object a line, keys in the order of the fields below, so the same input gives the same bytes.
"""

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import msgspec

from steady.errors import SteadyError

Split = Literal["train", "validation", "test"]
Level = Literal["L0", "L1", "L2"]
CANONICAL = "canonical"


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a conversation; `role` is "system", "user", "assistant" or "tool"."""

    role: str
    content: str


SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
TURN = "\x1e"
"""The record separator: it begins each turn of a prompt that is a conversation, and no text of the data keeps one."""


def conversation(turns: Sequence[Message]) -> str:
    """A conversation as one prompt: `User: …` lines, each behind an invisible mark; one turn of the user alone is its text."""
    if [turn.role for turn in turns] == ["user"]:
        return turns[0].content
    return "\n\n".join(f"{TURN}{SPEAKERS[turn.role]}: {turn.content.replace(TURN, ' ')}" for turn in turns)


def turns_of(prompt: str) -> list[Message] | None:
    """The turns of a prompt that `conversation` made; None for a plain prompt."""
    if not prompt.startswith(TURN):
        return None
    roles = {name: role for role, name in SPEAKERS.items()}
    # All but the last turn end with the blank line between turns.
    pieces = prompt.removeprefix(TURN).split(f"\n\n{TURN}")
    parts = (piece.partition(": ") for piece in pieces)
    return [Message(role=roles.get(name, "user"), content=content) for name, _, content in parts]


def plain_turns(turns: Sequence[Message]) -> str:
    """A conversation for a model without a chat template: `User: …` paragraphs, and the cue for the assistant's answer."""
    return "".join(f"{SPEAKERS[turn.role]}: {turn.content}\n\n" for turn in turns) + f"{SPEAKERS['assistant']}:"


Asked = str | tuple[Message, ...]
"""What a model is asked: a text, or a conversation whose last turn is the user's."""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One task item: what is asked and its one target answer.

    `group_id` names a set of examples with one intent and one target; an example without one is its own group.
    `references` are all acceptable outputs (`output` first); `labels` the gold labels of a classification row;
    `rejected` the losing answer of a preference pair; `line` counts from 1 in `source` (a path relative to the repository).
    """

    id: str
    group_id: str
    instruction: str = ""
    input: str = ""
    output: str = ""
    references: list[str] = []
    labels: list[str] = []
    messages: list[Message] | None = None
    rejected: str | None = None
    language: str | None = None
    split: Split | None = None
    source: str = ""
    line: int = 0
    meta: dict[str, Any] = {}


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One way to word a prompt, with an id that is stable across items.

    `level` is the level its prompts have on groups not seen in training (L1: a family trained on, L2: a family or format
    component never trained on); prompts of the train split are L0. `trained` says whether the tuned arm may train on it.
    `rule` says in words why the level is what it is. `strength` and `seed` are 0 where the operator has none.
    """

    id: str
    family: str
    operator: str
    strength: int = 0
    seed: int = 0
    level: Level = "L1"
    trained: bool = False
    rule: str = ""


class ScheduleRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The wordings under which an example is shown in training: epoch `e` (from 0) uses `wordings[e % len(wordings)]`."""

    example_id: str
    wordings: list[str]


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rendered prompt to score; `wording` is a `Wording.id`."""

    id: str
    group_id: str
    example_id: str
    wording: str
    prompt: str
    completion: str
    references: list[str] = []
    labels: list[str] = []
    split: Split = "test"


class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer of an arm to one prompt.

    `parsed` is the label the text was read as, null when it is none; `label_logprobs` natural-log probabilities in the
    order of the label list; `logprob` that of the response, summed over its tokens.
    """

    prompt_id: str
    text: str
    token_ids: list[int] = []
    parsed: str | None = None
    label_logprobs: list[float] = []
    logprob: float | None = None
    correct: bool | None = None


class TextScores(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How good the freely generated text of one answer is, by the best of its references.

    `label` is the label the text alone is read as, null when it is none; `rouge_l` and `chrf` lie between 0 and 1;
    `reference_logprob` is the log-probability of the likeliest reference in nats, over its `reference_tokens`.
    """

    prompt_id: str
    label: str | None
    words: int
    exact_match: bool
    rouge_l: float
    chrf: float
    reference_logprob: float
    reference_tokens: int


class OwnAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer of an arm to one of the user's own prompts; `label` is the constrained choice where there are labels."""

    prompt_id: str
    prompt: str
    text: str
    label: str | None = None


class Rejected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A raw row that was not accepted: `code` is stable, `reason` says what was got and what is allowed."""

    source: str
    line: int
    code: str
    reason: str
    raw: str


Record = TypeVar("Record", bound=msgspec.Struct)
_encoder = msgspec.json.Encoder()


def content_id(*parts: str, occurrence: int = 0) -> str:
    """16 hex digits of the content and, for repeated content, of which occurrence it is; they ignore row order."""
    # The unit separator keeps ("ab", "c") and ("a", "bc") apart; raw data may hold half a surrogate pair, which UTF-8 refuses.
    digest = hashlib.blake2b("\x1f".join([*parts, str(occurrence)]).encode("utf-8", "surrogatepass"), digest_size=8)
    return digest.hexdigest()


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A hidden sibling of this process to write into, which is renamed at the end, or removed where its writer fails.

    What processes that were killed have left of the same file is removed.
    """
    import psutil

    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = left.name.removeprefix(f".{path.name}.").removesuffix(".tmp")
        if process.isdigit() and not psutil.pid_exists(int(process)):
            left.unlink(missing_ok=True)
    # Each process has its own, so that two that write the same file do not write into one another's. In the same folder,
    # because a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            yield handle
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary sibling and rename, so that a reader never sees half a file."""
    with _replaced(path) as handle:
        handle.write(content)


def write_records(path: Path, records: Iterable[msgspec.Struct]) -> int:
    """Write JSON Lines atomically and return the number of rows. The folder is made when it is missing."""
    rows = 0
    with _replaced(path) as handle:
        for record in records:
            handle.write(_encoder.encode(record) + b"\n")
            rows += 1
    return rows


def iterate_records(path: Path, kind: type[Record]) -> Iterator[Record]:
    """Stream a JSON Lines file; SteadyError where it is missing, or where a line, named in the message, is not a `kind`."""
    decoder = msgspec.json.Decoder(kind)
    if not path.is_file():
        raise SteadyError(
            f"{path}: no such file. Run `dvc repro` (or `dvc pull`) to make it; in an experiment, is it tracked by Git or DVC?"
        )
    with path.open("rb") as handle:
        # Bytes are parted at \n alone; as text, a line would also end at U+2028, which JSON allows within strings.
        for number, line in enumerate(handle, start=1):
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise SteadyError(f"{path}:{number}: not a {kind.__name__} record: {error}") from error


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """All records of a JSON Lines file; see `iterate_records` for the errors."""
    return list(iterate_records(path, kind))


def write_document(path: Path, value: msgspec.Struct) -> None:
    """Write a struct as one indented JSON document, atomically; the keys are in the order of the fields."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def read_document(path: Path, kind: type[Record], what: str, missing: str) -> Record:
    """Read one JSON document; SteadyError with the words `missing` where it is not there, or where it is not `what`, a `kind`."""
    if not path.is_file():
        raise SteadyError(missing)
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise SteadyError(f"{path}: not {what}: {error}. Run `dvc repro` or `dvc checkout`.") from error


def write_json(path: Path, value: Any) -> None:
    """Write one indented JSON document atomically; NaN and infinities are refused, since they break readers downstream."""
    value = msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
