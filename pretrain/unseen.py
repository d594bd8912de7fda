"""Figures on official test tasks, none of which is ever trained on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretrain.corpus import Row, find_labels, is_english, read_test_tasks
from pretrain.generation import LoadedModel, answer_prompts, render_prompt


@dataclass(frozen=True)
class UnseenTask:
    """A test task: its first instances, with all references of each.

    Attributes:
        name: file name without ending.
        definition: the instruction.
        labels: of a classification task, else empty.
        rows: the first instances with the first reference.
        references: all references of each row.
    """

    name: str
    definition: str
    labels: tuple[str, ...]
    rows: list[Row]
    references: list[list[str]]


def read_unseen_tasks(folder: Path, rows_per_task: int, max_labels: int) -> list[UnseenTask]:
    """English tasks of the official default test split that the folder holds, in name order."""
    found = []
    for name in sorted(read_test_tasks(folder)):
        path = folder / "tasks" / f"{name}.json"
        if not path.is_file():
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        if is_english(document):
            found.append(read_unseen_task(name, document, rows_per_task, max_labels))
    return found


def read_unseen_task(name: str, document: dict[str, Any], rows_per_task: int, max_labels: int) -> UnseenTask:
    """One test task; its labels are found from all of its instances."""
    instances = document["Instances"]
    first = instances[:rows_per_task]
    return UnseenTask(
        name=name,
        definition=document["Definition"][0].strip(),
        labels=find_labels((i["output"][0].strip() for i in instances), max_labels, 10),
        rows=[Row(name, i["input"].strip(), i["output"][0].strip()) for i in first],
        references=[[text.strip() for text in i["output"]] for i in first],
    )


def score_unseen_task(
    loaded: LoadedModel, task: UnseenTask, definition_characters: int, max_new_tokens: int
) -> dict[str, Any]:
    """Exact match and ROUGE-L of the greedy answers; majority's exact match for label tasks."""
    prompts = [render_prompt(row, task.definition, task.labels, definition_characters) for row in task.rows]
    answers = answer_prompts(loaded, prompts, max_new_tokens)
    pairs = list(zip(answers, task.references, strict=True))
    exact = sum(answer in references for answer, references in pairs)
    overlap = sum(max(rouge_l(answer, r) for r in references) for answer, references in pairs)
    common = Counter(row.output for row in task.rows).most_common(1)[0][1]
    return {
        "task": task.name,
        "rows": len(task.rows),
        "labels": len(task.labels),
        "exact_match": round(100 * exact / len(pairs), 1),
        "majority": round(100 * common / len(pairs), 1) if task.labels else None,
        "rouge_l": round(100 * overlap / len(pairs), 1),
    }


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L F1 over lower-case words (Lin 2004): longest common subsequence."""
    first, second = answer.lower().split(), reference.lower().split()
    if not first or not second:
        return 0.0
    shared = longest_common_subsequence(first, second)
    return 2 * shared / (len(first) + len(second))


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence of two lists of words."""
    previous = [0] * (len(second) + 1)
    for word in first:
        current = [0]
        for place, other in enumerate(second):
            best = max(previous[place + 1], current[place])
            current.append(previous[place] + 1 if word == other else best)
        previous = current
    return previous[-1]
