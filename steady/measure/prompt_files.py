"""Read a user's file of prompts: JSON Lines, each with a text and the id of its group."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.prepare.readers.json_lines import json_lines
from steady.prepare.readers.rows import Row
from steady.prepare.turns import read_turns, turns_field
from steady.records import Message, Prompt, Rejected, content_id, conversation
from steady.scoring.groups import PromptGroup, prompt_groups

SAMPLE = '{"group_id": "capital-peru", "prompt": "What is the capital of Peru?", "output": "Lima"}'
KEYS = ("prompt", "instruction", "input", "group_id", "output", "wording")
MAX_FAULTS = 20
ONE_PROMPT, TOO_LONG, EMPTY_PROMPT = "one_prompt", "too_long", "empty_prompt"


@dataclass(frozen=True)
class PromptFile:
    """Prompts in file order with their lines; `completion` is the output, "" where none is given."""

    path: Path
    prompts: tuple[Prompt, ...]
    lines: dict[str, int]

    def skipped(self, prompt_id: str, code: str, reason: str) -> Rejected:
        """A prompt that is not scored, with its line."""
        text = next(prompt.prompt for prompt in self.prompts if prompt.id == prompt_id)
        return Rejected(source=self.path.name, line=self.lines[prompt_id], code=code, reason=reason, raw=text)


def read_prompt_file(path: Path) -> PromptFile:
    """Read `{"group_id": …, "prompt": …}` rows; `instruction` (and `input` below it) stands for `prompt`, `output` is optional.

    A conversation stands for it too: `messages` (or `conversations`), whose last turn is asked; where that is the assistant's, it
    is the output.

    Raises:
        SteadyError: the file is missing, or rows are wrong (every one is named with its line), or no group has two prompts.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Each line is one prompt, such as {SAMPLE}")
    prompts: list[Prompt] = []
    lines: dict[str, int] = {}
    faults: list[str] = []
    seen: Counter[tuple[str, str]] = Counter()
    with path.open("rb") as handle:
        for line, value, _ in json_lines(handle):
            turns, found = _turns(value, line)
            found = found or _row_faults(value, turns)
            if found:
                faults += [f"{path}:{line}: {fault}" for fault in found]
                continue
            prompt = _prompt(value, turns, seen)
            prompts.append(prompt)
            lines[prompt.id] = line
    _refuse(path, faults, prompts)
    return PromptFile(path, tuple(prompts), lines)


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


def _turns(value: Any, line: int) -> tuple[list[Message], list[str]]:
    """The conversation of a row, as the format `messages` reads it, and what is wrong with it."""
    name = turns_field(value) if isinstance(value, dict) else None
    if name is None:
        return [], []
    row = Row(value, line)
    turns = read_turns(row, name)
    return turns, [f"{finding.code}: {finding.reason}" for finding in row.findings]


def _row_faults(value: Any, turns: Sequence[Message]) -> list[str]:
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
    if not turns and not any(
        isinstance(value.get(key), str) and value[key].strip() for key in ("prompt", "instruction")
    ):
        faults.append("missing: `prompt` (or `instruction`, or a conversation as `messages`) is missing or blank.")
    if [turn.role for turn in turns[-1:]] == ["assistant"] and len(turns) == 1:
        faults.append("no_question: the conversation is an answer alone; something must be asked before it.")
    return faults


def _prompt(value: dict[str, Any], turns: list[Message], seen: Counter[tuple[str, str]]) -> Prompt:
    output = value.get("output") or ""
    if turns and turns[-1].role == "assistant":
        output = output or turns[-1].content
        turns = turns[:-1]
    text = (
        conversation(turns)
        if turns
        else value.get("prompt") or "\n\n".join(filter(None, [value["instruction"], value.get("input")]))
    )
    group = str(value["group_id"])
    identity = content_id(group, text, occurrence=seen[group, text])
    seen[group, text] += 1
    return Prompt(
        id=identity,
        group_id=group,
        example_id=group,
        wording=value.get("wording") or "",
        prompt=text,
        completion=output,
    )


def fitting(
    file: PromptFile, lengths: dict[str, int], context: int | None, room: int
) -> tuple[list[PromptGroup], list[Rejected]]:
    """The groups that can be scored, and every prompt that cannot, by name.

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
    # a group that lost its other prompts has no variants left to compare
    groups = prompt_groups([prompt for prompt in file.prompts if prompt.id not in skipped])
    alone = [group for group in groups if len(group.prompts) < 2]
    lone = [file.skipped(group.prompt_ids[0], ONE_PROMPT, f"group {group.id} has no second prompt") for group in alone]
    return [group for group in groups if len(group.prompts) > 1], [*skipped.values(), *lone]
