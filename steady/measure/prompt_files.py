"""Read a user's file of prompts, whatever kind of file it is, and choose the groups that can be compared."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import msgspec

from steady.errors import SteadyError
from steady.measure.prompt_rows import SAMPLE, Draft, Faulty, row_drafts
from steady.prepare.readers.files import KNOWN, File, records
from steady.prepare.readers.opening import UnreadableError, data_suffix
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import listed
from steady.records import Asked, Message, Prompt, Rejected, content_id
from steady.scoring.groups import PromptGroup

MAX_FAULTS = 20
ONE_PROMPT, TOO_LONG, EMPTY_PROMPT = "one_prompt", "too_long", "empty_prompt"


class AskedPrompt(Prompt, frozen=True, kw_only=True):
    """A prompt of a user's file: `completion` is the output, "" where none is given, and `references` all outputs that are right.

    Of a conversation `messages` are the turns and `prompt` shows them as text.
    """

    messages: tuple[Message, ...] = ()

    @property
    def outputs(self) -> list[str]:
        """All outputs that are right; none where the file has none."""
        return self.references or [self.completion] * bool(self.completion)

    @property
    def asked(self) -> Asked:
        """What a model is asked."""
        return self.messages or self.prompt


@dataclass(frozen=True)
class PromptFile:
    """Prompts in file order with their lines."""

    path: Path
    prompts: tuple[AskedPrompt, ...]
    lines: dict[str, int]

    @property
    def digest(self) -> str:
        """A digest of the prompts, whatever kind of file they were read from."""
        digest = hashlib.blake2b(digest_size=16)
        for prompt in self.prompts:
            digest.update(msgspec.json.encode(prompt) + b"\n")
        return digest.hexdigest()

    def place(self, prompt_id: str) -> str:
        """The file and the line of a prompt."""
        return f"{self.path}:{self.lines[prompt_id]}"

    def skipped(self, prompt_id: str, code: str, reason: str) -> Rejected:
        """A prompt that is not scored, with its line."""
        text = self._texts[prompt_id]
        return Rejected(source=self.path.name, line=self.lines[prompt_id], code=code, reason=reason, raw=text)

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {prompt.id: prompt.prompt for prompt in self.prompts}


def read_prompt_file(path: Path, columns: Mapping[str, str] | None = None) -> PromptFile:
    """Read a file of prompts: JSON Lines, a JSON document, CSV, TSV, Parquet or Arrow, compressed or not; see `row_drafts`.

    Args:
        columns: what the file calls keys: `{"prompt": "question"}`.

    Raises:
        SteadyError: the file is missing or unreadable, or rows are wrong (every one is named with its line; in Parquet lines are
            numbers of rows), or no group has two prompts.
    """
    found = Collected(path)
    for line, value in file_rows(path):
        found.add(line, partial(_drafts, value, columns or {}))
    file = found.file()
    sizes = Counter(prompt.group_id for prompt in file.prompts)
    if not any(size > 1 for size in sizes.values()):
        raise SteadyError(
            f"{path}: {len(file.prompts)} prompts in {len(sizes)} groups, and no group has two: there are no variants to compare. "
            "Give the prompts that ask for the same thing the same `group_id`, or let --items word them."
        )
    return file


def _drafts(value: Any, columns: Mapping[str, str]) -> list[Draft]:
    return row_drafts(renamed(value, columns))


def file_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Rows of a file of data with their lines.

    Raises:
        SteadyError: it is missing, of an unknown kind, or cannot be read to its end.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Each line is one prompt, such as {SAMPLE}")
    source = SourceParams.model_validate(
        {"path": str(path), "format": "alpaca"}
    )  # the kind of file goes by its name alone
    if data_suffix(path) not in KNOWN:
        raise SteadyError(f"{path}: a kind of file that is not known. Allowed: {', '.join(KNOWN)}, compressed or not.")
    try:
        yield from ((line, value) for line, value, _ in records(File(path, str(path)), source))
    except UnreadableError as error:
        raise SteadyError(f"{path}:{error.line}: {error.finding.code}: {error.finding.reason}") from error


def renamed(value: Any, columns: Mapping[str, str]) -> Any:
    """A row with the keys that are looked for.

    Raises:
        Faulty: the row has no such key.
    """
    if not columns or not isinstance(value, dict):
        return value
    if missing := [name for name in columns.values() if name not in value]:
        raise Faulty([f"missing: there is no `{name}` (--column); the row has {listed(value)}." for name in missing])
    return {**value, **{key: value[name] for key, name in columns.items()}}


class Collected:
    """Prompts and faults of a file, as its rows are read."""

    def __init__(self, path: Path) -> None:
        """Begin with no row."""
        self._path = path
        self._prompts: list[AskedPrompt] = []
        self._lines: dict[str, int] = {}
        self._faults: list[str] = []
        self._seen: Counter[tuple[str, str]] = Counter()

    def add(self, line: int, drafts: Callable[[], Sequence[Draft]]) -> None:
        """Add the prompts of a row, or what is wrong with it."""
        try:
            for draft in drafts():
                prompt = self._prompt(draft, line)
                self._prompts.append(prompt)
                self._lines[prompt.id] = line
        except Faulty as error:
            self._faults += [f"{self._path}:{line}: {fault}" for fault in error.faults]

    def file(self) -> PromptFile:
        """All prompts.

        Raises:
            SteadyError: something is wrong, or there is no row.
        """
        if self._faults:
            left = len(self._faults) - MAX_FAULTS
            more = [f"… and {left} more"] if left > 0 else []
            raise SteadyError("\n".join([*self._faults[:MAX_FAULTS], *more]))
        if not self._prompts:
            raise SteadyError(f"{self._path}: there is nothing in it. Each line is one prompt, such as {SAMPLE}")
        return PromptFile(self._path, tuple(self._prompts), self._lines)

    def _prompt(self, draft: Draft, line: int) -> AskedPrompt:
        group = f"line {line}" if draft.group is None else draft.group
        occurrence = self._seen[group, draft.text]
        self._seen[group, draft.text] += 1
        return AskedPrompt(
            id=content_id(group, draft.text, occurrence=occurrence),
            group_id=group,
            example_id=group,
            wording=draft.wording,
            prompt=draft.text,
            completion=draft.outputs[0] if draft.outputs else "",
            references=list(draft.outputs),
            messages=draft.turns,
        )


def comparable(file: PromptFile, skipped: Mapping[str, Rejected]) -> tuple[list[PromptGroup], list[Rejected]]:
    """The groups of at least two prompts that are left, and what is skipped: the prompts named, and those left alone.

    Args:
        skipped: by prompt id, what cannot be scored.
    """
    members: dict[str, list[AskedPrompt]] = {}
    for prompt in file.prompts:
        if prompt.id not in skipped:
            members.setdefault(prompt.group_id, []).append(prompt)
    # a group that lost its other prompts has no variants left to compare
    lone = [
        file.skipped(found[0].id, ONE_PROMPT, f"group {name} has no second prompt")
        for name, found in members.items()
        if len(found) == 1
    ]
    groups = [
        PromptGroup(name, tuple(item.id for item in found), tuple(item.asked for item in found))
        for name, found in members.items()
        if len(found) > 1
    ]
    return groups, [*skipped.values(), *lone]


def fitting(
    file: PromptFile, lengths: Mapping[str, int], context: int | None, room: int
) -> tuple[list[PromptGroup], list[Rejected]]:
    """The groups that a model with so many positions can be asked, and every prompt that it cannot, by name.

    Args:
        lengths: tokens of each prompt by id.
        context: positions that the model has, None for no limit; `room` of them are for the response.
    """
    skipped: dict[str, Rejected] = {}
    for name, length in lengths.items():
        if length == 0:
            skipped[name] = file.skipped(name, EMPTY_PROMPT, "the tokenizer makes no token of it")
        elif context is not None and length + room > context:
            reason = f"{length} tokens and {room} for the response; the model has {context} positions"
            skipped[name] = file.skipped(name, TOO_LONG, reason)
    return comparable(file, skipped)
