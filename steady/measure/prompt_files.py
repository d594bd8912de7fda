"""Read a user's file of prompts, whatever kind of file it is, and choose the groups that can be compared."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

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
Read = TypeVar("Read")
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
    file = collect(path, file_rows(path), lambda row: row_drafts(renamed(row, columns or {})))
    # one group with two prompts is enough: the others are left out by name later
    sizes = Counter(prompt.group_id for prompt in file.prompts)
    if not any(size > 1 for size in sizes.values()):
        raise SteadyError(
            f"{path}: {len(file.prompts)} prompts in {len(sizes)} groups, and no group has two: there are no variants to compare. "
            "Give the prompts that ask for the same thing the same `group_id`, or let --items word them."
        )
    return file


def file_rows(path: Path, sample: str = SAMPLE) -> Iterator[tuple[int, Any]]:
    """Rows of a file of data with their lines; SteadyError where it is missing, of an unknown kind, or cannot be read to its end."""
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Each line is one prompt, such as {sample}")
    # any format: the kind of file goes by its name alone
    source = SourceParams.model_validate({"path": str(path), "format": "alpaca"})
    if data_suffix(path) not in KNOWN:
        raise SteadyError(f"{path}: a kind of file that is not known. Allowed: {', '.join(KNOWN)}, compressed or not.")
    try:
        yield from ((line, value) for line, value, _ in records(File(path, str(path)), source))
    except UnreadableError as error:
        raise SteadyError(f"{path}:{error.line}: {error.finding.code}: {error.finding.reason}") from error


def renamed(value: Any, columns: Mapping[str, str]) -> Any:
    """A row with the keys that are looked for; Faulty where the row has no such key."""
    if not columns or not isinstance(value, dict):
        return value
    if missing := [name for name in columns.values() if name not in value]:
        raise Faulty([f"missing: there is no `{name}` (--column); the row has {listed(value)}." for name in missing])
    return {**value, **{key: value[name] for key, name in columns.items()}}


def checked_rows(path: Path, rows: Iterable[tuple[int, Any]], read: Callable[[Any], Read]) -> list[tuple[int, Read]]:
    """What `read` makes of each row, with its line; SteadyError where rows are `Faulty`, each named with its line."""
    found, faults = [], []
    for line, value in rows:
        try:
            found.append((line, read(value)))
        except Faulty as error:
            faults += [f"{path}:{line}: {fault}" for fault in error.faults]
    refuse(faults)
    return found


def refuse(faults: Sequence[str]) -> None:
    """Raise a `SteadyError` with the first faults of a file, and how many more there are; nothing where there is none."""
    more = [f"… and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
    if faults:
        raise SteadyError("\n".join([*faults[:MAX_FAULTS], *more]))


def collect(path: Path, rows: Iterable[tuple[int, Any]], read: Callable[[Any], Sequence[Draft]]) -> PromptFile:
    """The prompts that `read` makes of the rows of a file, which come with their lines.

    Raises:
        SteadyError: rows are `Faulty`, each of which is named with its line, or there is none.
    """
    prompts: dict[str, AskedPrompt] = {}
    lines: dict[str, int] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for line, drafts in checked_rows(path, rows, read):
        for draft in drafts:
            group = f"line {line}" if draft.group is None else draft.group
            # the same prompt may stand in a group twice, and each has an id
            name = content_id(group, draft.text, occurrence=seen[group, draft.text])
            seen[group, draft.text] += 1
            prompts[name], lines[name] = _prompt(name, group, draft), line
    if not prompts:
        raise SteadyError(f"{path}: there is nothing in it. Each line is one prompt, such as {SAMPLE}")
    return PromptFile(path, tuple(prompts.values()), lines)


def _prompt(name: str, group: str, draft: Draft) -> AskedPrompt:
    return AskedPrompt(
        id=name,
        group_id=group,
        example_id=group,
        wording=draft.wording,
        prompt=draft.text,
        completion="".join(draft.outputs[:1]),
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
    groups, left_out = [], list(skipped.values())
    for name, found in members.items():
        if len(found) > 1:
            groups.append(PromptGroup(name, tuple(item.id for item in found), tuple(item.asked for item in found)))
        else:
            # a group that lost its other prompts has no variants left to compare
            left_out.append(file.skipped(found[0].id, ONE_PROMPT, f"group {name} has no second prompt"))
    return groups, left_out


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
        # cut prompts would be other prompts, so they are left out and named
        elif context is not None and length + room > context:
            reason = f"{length} tokens and {room} for the response; the model has {context} positions"
            skipped[name] = file.skipped(name, TOO_LONG, reason)
    return comparable(file, skipped)
