"""Read a user's file of prompts, whatever kind of file it is, and choose the groups that can be compared."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from pydantic import ValidationError

from steady.errors import SteadyError
from steady.measure.prompt_rows import SAMPLE, Draft, Faulty, row_drafts
from steady.prepare.readers.files import HUB, KNOWN, find_files, records
from steady.prepare.readers.opening import UnreadableError, data_suffix
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Finding, listed
from steady.records import Asked, Message, Prompt, Rejected, content_id
from steady.scoring.groups import PromptGroup

MAX_FAULTS = 20
LINES_SHOWN = 5
# Settings of a data source that say how its files are read, and nothing of what is done with the rows
READ = ("encoding", "delimiter", "quoting", "header", "records", "config", "revision", "hub_split")
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


def read_prompt_file(
    path: Path, columns: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None
) -> PromptFile:
    """Read prompts; see `file_rows` for the kinds of files, and `row_drafts` for those of rows.

    `columns` is what the file calls keys, `{"prompt": "question"}`; `settings` say how it is read, by the keys of `READ`. SteadyError
    where it is missing or unreadable, rows are wrong (every one is named with its line; in Parquet lines are numbers of rows), or
    no group has two prompts.
    """
    file = collect(path, file_rows(path, SAMPLE, settings), lambda row: row_drafts(renamed(row, columns or {})))
    # one group with two prompts is enough: the others are left out by name later
    sizes = Counter(prompt.group_id for prompt in file.prompts)
    if not any(size > 1 for size in sizes.values()):
        raise SteadyError(
            f"{path}: {len(file.prompts)} prompts in {len(sizes)} groups, and no group has two: there are no variants to compare. "
            "Give the prompts that ask for the same thing the same `group_id`, or let --items word them."
        )
    return file


def file_rows(path: Path, sample: str = SAMPLE, settings: Mapping[str, str] | None = None) -> Iterator[tuple[int, Any]]:
    """Rows of a file of data with their lines: JSON Lines, a JSON document, CSV, TSV, Parquet or Arrow, compressed or not.

    `path` may also be `hub:OWNER/NAME`, a folder that is laid out as a data set of the Hub is, or one of `save_to_disk`; their lines
    are numbers of rows.

    SteadyError where a setting is wrong, or the file is missing, of an unknown kind, or cannot be read to its end.
    """
    source = _source(path, settings or {})
    if not (source.path.startswith(HUB) or path.exists()):
        raise SteadyError(f"{path}: no such file. Each line is one prompt, such as {sample}")
    if path.is_file() and data_suffix(path) not in KNOWN:
        raise SteadyError(f"{path}: a kind of file that is not known. Allowed: {', '.join(KNOWN)}, compressed or not.")
    before = 0
    try:
        for file in find_files(source):
            line = 0
            for line, value, _ in records(file, source):
                # what a reader found in a row, or the row
                yield before + line, [_hinted(one, settings) for one in value] if isinstance(value, list) else value
            # several files are those of `save_to_disk`, whose rows are numbered on
            before += line
    except UnreadableError as error:
        finding = _hinted(error.finding, settings)
        raise SteadyError(f"{path}:{before + error.line}: {finding.code}: {finding.reason}") from error


def _hinted(finding: Finding, settings: Mapping[str, str] | None) -> Finding:
    """A finding that says how a setting that it advises is given, where it can be."""
    if settings is None or not any(f"`{key}" in finding.reason for key in READ):
        return finding
    return finding._replace(reason=f"{finding.reason} Settings are given by --source KEY=VALUE.")


def _source(path: Path, settings: Mapping[str, str]) -> SourceParams:
    if strange := [key for key in settings if key not in READ]:
        raise SteadyError(f"--source {strange[0]}: unknown. Allowed: {', '.join(READ)}.")
    # what `datasets` wrote for itself it does not load by name
    named = path.is_dir() and not (path / "dataset_info.json").is_file()
    # any format: the kind of file goes by its name alone
    given = {"path": f"{HUB}{path}" if named else str(path), "format": "alpaca", **settings}
    try:
        return SourceParams.model_validate(given)
    except ValidationError as error:
        # the check of the whole section names its key itself
        places = (": ".join(["--source", *map(str, item["loc"])]) for item in error.errors())
        reasons = (item["msg"].removeprefix("Value error, ") for item in error.errors())
        raise SteadyError("\n".join(map(": ".join, zip(places, reasons, strict=True)))) from error


def renamed(value: Any, columns: Mapping[str, str]) -> Any:
    """A row with the keys that are looked for; Faulty where the row has no such key."""
    if not columns or not isinstance(value, dict):
        return value
    if missing := [name for name in columns.values() if name not in value]:
        raise Faulty([f"missing: there is no `{name}` (--column); the row has {listed(value)}." for name in missing])
    return {**value, **{key: value[name] for key, name in columns.items()}}


def checked_rows(path: Path, rows: Iterable[tuple[int, Any]], read: Callable[[Any], Read]) -> list[tuple[int, Read]]:
    """What `read` makes of each row, with its line; SteadyError where rows are `Faulty`, named with their lines by fault."""
    found: list[tuple[int, Read]] = []
    faults: dict[str, list[int]] = {}
    for line, value in rows:
        try:
            found.append((line, read(value)))
        except Faulty as error:
            for fault in error.faults:
                faults.setdefault(fault, []).append(line)
    named = []
    # a column that is missing is missing in every row, which is one fault
    for fault, (first, *lines) in faults.items():
        more = f" and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
        also = f" (also in {', '.join(map(str, lines[:LINES_SHOWN]))}{more})" if lines else ""
        named.append(f"{path}:{first}: {fault}{also}")
    refuse(named)
    return found


def refuse(faults: Sequence[str]) -> None:
    """Raise a `SteadyError` with the first faults of a file, and how many more there are; nothing where there is none."""
    more = [f"… and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
    if faults:
        raise SteadyError("\n".join([*faults[:MAX_FAULTS], *more]))


def collect(path: Path, rows: Iterable[tuple[int, Any]], read: Callable[[Any], Sequence[Draft]]) -> PromptFile:
    """The prompts that `read` makes of rows, which come with their lines; SteadyError names every `Faulty` one, or there is none."""
    prompts: dict[str, AskedPrompt] = {}
    lines: dict[str, int] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for line, drafts in checked_rows(path, rows, read):
        for draft in drafts:
            group = f"line {line}" if draft.group is None else draft.group
            # the same prompt may stand in a group twice, and each has an id
            name = content_id(group, draft.text, occurrence=seen[group, draft.text])
            seen[group, draft.text] += 1
            lines[name] = line
            prompts[name] = AskedPrompt(
                id=name,
                group_id=group,
                example_id=group,
                wording=draft.wording,
                prompt=draft.text,
                completion="".join(draft.outputs[:1]),
                references=list(draft.outputs),
                messages=draft.turns,
            )
    if not prompts:
        raise SteadyError(f"{path}: there is nothing in it. Each line is one prompt, such as {SAMPLE}")
    return PromptFile(path, tuple(prompts.values()), lines)


def comparable(file: PromptFile, skipped: Mapping[str, Rejected]) -> tuple[list[PromptGroup], list[Rejected]]:
    """The groups of at least two prompts that are left, and what is skipped: the prompts named by id, and those left alone."""
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
