"""Answers that are there already: a file of prompts, each with the answer that it got. No model is needed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from steady.measure.prompt_files import PromptFile, collect, file_rows, renamed
from steady.measure.prompt_rows import Draft, Faulty, got, row_drafts
from steady.measure.subject import GivenAnswers

SAMPLE = '{"group_id": "capital-peru", "prompt": "What is the capital of Peru?", "answer": "Lima"}'
# All answers by group and prompt
Given = dict[tuple[str | None, str], list[str]]


def read_answer_file(
    path: Path, columns: Mapping[str, str], settings: Mapping[str, str] | None = None
) -> tuple[PromptFile, GivenAnswers]:
    """The prompts of a file and their answers: rows as `row_drafts` takes them, with one prompt and an `answer`.

    The first answer to a prompt is measured; further ones are its repeats. Arguments and errors are those of `read_prompt_file`.
    """
    given = Given()
    file = collect(path, file_rows(path, SAMPLE, settings), lambda row: _drafts(renamed(row, columns), given))
    answers = {prompt.id: given[prompt.group_id, prompt.prompt] for prompt in file.prompts}
    digest = hashlib.blake2b(msgspec.json.encode(answers, order="deterministic"), digest_size=16).hexdigest()
    several = {name: texts for name, texts in answers.items() if len(texts) > 1}
    # one answer a prompt is measured, as of a model that is asked once
    first = {name: texts[0] for name, texts in answers.items()}
    return file, GivenAnswers(path.name, {"answers": digest}, first, several=several)


def _drafts(row: Any, given: Given) -> list[Draft]:
    """The prompt of a row the first time that it comes; its answer goes to `given`."""
    drafts = row_drafts(row)
    if len(drafts) != 1:
        raise Faulty([f"several: a row with an answer has one prompt, this one has {len(drafts)}, such as {SAMPLE}"])
    answer = row.get("answer")
    if not isinstance(answer, str):
        fault = f"is {got(answer)}" if "answer" in row else "is missing"
        raise Faulty([f"answer: `answer` {fault}; it must be a text, empty where there was none, such as {SAMPLE}"])
    known = given.setdefault((drafts[0].group, drafts[0].text), [])
    known.append(answer)
    return drafts if len(known) == 1 else []
