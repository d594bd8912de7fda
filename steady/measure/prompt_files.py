"""Read a user's file of prompts: JSON Lines, each with a text and the id of its group."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.prepare.readers.json_lines import json_lines
from steady.records import Asked, Message, Prompt, Rejected, content_id
from steady.scoring.groups import PromptGroup

SAMPLE = '{"group_id": "capital-peru", "prompt": "What is the capital of Peru?", "output": "Lima"}'
KEYS = ("prompt", "instruction", "input", "group_id", "output", "wording")
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
    """Prompts in file order with their lines; `digest` is that of the content that they were read from."""

    path: Path
    prompts: tuple[AskedPrompt, ...]
    lines: dict[str, int]
    digest: str

    def place(self, prompt_id: str) -> str:
        """The file and the line of a prompt."""
        return f"{self.path}:{self.lines[prompt_id]}"

    def skipped(self, prompt_id: str, code: str, reason: str) -> Rejected:
        """A prompt that is not scored, with its line."""
        text = next(prompt.prompt for prompt in self.prompts if prompt.id == prompt_id)
        return Rejected(source=self.path.name, line=self.lines[prompt_id], code=code, reason=reason, raw=text)


def read_prompt_file(path: Path) -> PromptFile:
    """Read `{"group_id": …, "prompt": …}` rows; `instruction` (and `input` below it) stands for `prompt`, `output` is optional.

    Raises:
        SteadyError: the file is missing, or rows are wrong (every one is named with its line), or no group has two prompts.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Each line is one prompt, such as {SAMPLE}")
    prompts: list[AskedPrompt] = []
    lines: dict[str, int] = {}
    faults: list[str] = []
    seen: Counter[tuple[str, str]] = Counter()
    with path.open("rb") as handle:
        for line, value, _ in json_lines(handle):
            found = _row_faults(value)
            if found:
                faults += [f"{path}:{line}: {fault}" for fault in found]
                continue
            prompt = _prompt(value, seen)
            prompts.append(prompt)
            lines[prompt.id] = line
    _refuse(path, faults, prompts)
    digest = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    return PromptFile(path, tuple(prompts), lines, digest)


def _refuse(path: Path, faults: Sequence[str], prompts: Sequence[Prompt]) -> None:
    if faults:
        more = [f"… and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise SteadyError("\n".join([*faults[:MAX_FAULTS], *more]))
    sizes = Counter(prompt.group_id for prompt in prompts)
    if not any(size > 1 for size in sizes.values()):
        raise SteadyError(
            f"{path}: {len(prompts)} prompts in {len(sizes)} groups, and no group has two: there are no variants to compare. "
            "Give the prompts that ask for the same thing the same `group_id`."
        )


def _row_faults(value: Any) -> list[str]:
    if isinstance(value, list):
        return [f"{finding.code}: {finding.reason}" for finding in value]
    if not isinstance(value, dict):
        return [f"not_object: expected an object such as {SAMPLE}"]
    faults = [
        f"wrong_type: `{key}` is {value[key]!r:.60}; it must be a text."
        for key in KEYS
        if value.get(key) is not None
        and not isinstance(value[key], str)
        and not (key == "group_id" and type(value[key]) is int)
    ]
    if value.get("group_id") in {None, ""}:
        faults.append(f"missing: `group_id`: prompts that ask for the same thing share one, such as {SAMPLE}")
    if not any(isinstance(value.get(key), str) and value[key].strip() for key in ("prompt", "instruction")):
        faults.append("missing: `prompt` (or `instruction`) is missing or blank.")
    return faults


def _prompt(value: dict[str, Any], seen: Counter[tuple[str, str]]) -> AskedPrompt:
    text = value.get("prompt") or "\n\n".join(filter(None, [value["instruction"], value.get("input")]))
    group = str(value["group_id"])
    identity = content_id(group, text, occurrence=seen[group, text])
    seen[group, text] += 1
    return AskedPrompt(
        id=identity,
        group_id=group,
        example_id=group,
        wording=value.get("wording") or "",
        prompt=text,
        completion=value.get("output") or "",
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
