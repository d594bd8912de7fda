"""Exact match on classification rows: own definition, swapped definitions, majority."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pretrain.corpus import Row, Task
from pretrain.generation import LoadedModel, answer_prompts, render_prompt


@dataclass(frozen=True)
class Question:
    """A row and the task whose definition and labels its prompt shows."""

    row: Row
    shown: Task


def draw_classification_rows(rows: Sequence[Row], tasks: dict[str, Task], count: int, seed: int) -> list[Row]:
    """Held-out rows of classification tasks, drawn at random without replacement."""
    chosen = [row for row in rows if tasks[row.task].is_classification]
    return random.Random(seed).sample(chosen, min(count, len(chosen)))


def swap_definitions(rows: Sequence[Row], tasks: dict[str, Task], seed: int, *, same_labels: bool) -> list[Question]:
    """Each row under the definition of another classification task drawn at random.

    With ``same_labels`` the other task has the same set of labels, so that only the meaning of
    the instruction differs; rows without such a task are left out.
    """
    generator = random.Random(seed)
    by_labels: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    names = sorted(name for name, task in tasks.items() if task.is_classification)
    for name in names:
        by_labels[frozenset(tasks[name].labels)].append(name)
    questions = []
    for row in rows:
        pool = by_labels[frozenset(tasks[row.task].labels)] if same_labels else names
        others = [name for name in pool if name != row.task]
        if others:
            questions.append(Question(row, tasks[generator.choice(others)]))
    return questions


def match_answers(
    loaded: LoadedModel,
    questions: Sequence[Question],
    definition_characters: int,
    max_new_tokens: int,
) -> list[bool]:
    """Whether each greedy answer equals the row's output exactly, outer white space aside."""
    prompts = [render_prompt(q.row, q.shown.definition, q.shown.labels, definition_characters) for q in questions]
    answers = answer_prompts(loaded, prompts, max_new_tokens)
    return [a == q.row.output for a, q in zip(answers, questions, strict=True)]


def match_majority(rows: Sequence[Row], tasks: dict[str, Task]) -> list[bool]:
    """Whether the most frequent label of the task's training rows is the row's output."""
    return [tasks[row.task].labels[0] == row.output for row in rows]


def compare(first: Sequence[bool], second: Sequence[bool], seed: int) -> dict[str, float]:
    """Difference of two shares over the same rows in points, with a 95 % bootstrap interval."""
    difference = 100.0 * (np.array(first, dtype=float) - np.array(second, dtype=float))
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(difference), (2000, len(difference)))
    low, high = np.percentile(difference[draws].mean(axis=1), [2.5, 97.5])
    return {
        "points": round(float(difference.mean()), 1),
        "low": round(float(low), 1),
        "high": round(float(high), 1),
    }


def percent(matches: Sequence[bool]) -> float:
    """Share of true values in percent."""
    return round(100.0 * sum(matches) / max(1, len(matches)), 1)
