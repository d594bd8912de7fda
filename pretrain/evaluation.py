"""The whole evaluation of an exported model, as one JSON-ready record."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pretrain.accuracy import (
    Question,
    compare,
    draw_classification_rows,
    match_answers,
    match_majority,
    percent,
    swap_definitions,
)
from pretrain.architectures import EOS_ID
from pretrain.corpus import Row, Task
from pretrain.generation import LoadedModel, answer_prompts, render_prompt
from pretrain.language import (
    EncodedRow,
    causal_losses,
    encode_row,
    ngram_losses,
    seq2seq_losses,
    summarise,
)
from pretrain.params import EvaluateParams
from pretrain.rendering import Encoder
from pretrain.unseen import UnseenTask, score_unseen_task

LABEL_TOKENS = 16  # longest label of a classification task, in tokens, rounded up
MAX_SHOWN_CHARACTERS = 200
Losses = Callable[[LoadedModel, Sequence[EncodedRow]], list[NDArray[np.float64]]]


@dataclass(frozen=True)
class HeldOut:
    """What an evaluation needs of the prepared corpus.

    Attributes:
        train: training rows, for the n-gram model.
        rows: held-out rows.
        tasks: facts by task name.
    """

    train: list[Row]
    rows: list[Row]
    tasks: dict[str, Task]


def evaluate_language(
    loaded: LoadedModel, data: HeldOut, tokenizer: Tokenizer, params: EvaluateParams
) -> dict[str, Any]:
    """Loss and bits per byte of the model and of the n-gram model on the same held-out rows."""
    encoder = Encoder(tokenizer, EOS_ID)

    def encode(rows: Sequence[Row]) -> list[EncodedRow]:
        bound = params.definition_characters
        return [encode_row(row, data.tasks[row.task], encoder, bound) for row in rows]

    drawn = random.Random(params.seed).sample(data.rows, min(params.language_rows, len(data.rows)))
    rows = encode(drawn)
    baseline = ngram_losses(encode(data.train), rows, params.ngram_order, len(loaded.tokenizer))
    parts = ("answer",) if loaded.is_encoder_decoder else ("input", "answer")
    measure: Losses = seq2seq_losses if loaded.is_encoder_decoder else causal_losses
    return {
        "rows": len(rows),
        "model": summarise(rows, measure(loaded, rows), parts),
        f"{params.ngram_order}-gram": summarise(rows, baseline, parts),
    }


def evaluate_classification(loaded: LoadedModel, data: HeldOut, params: EvaluateParams) -> dict[str, Any]:
    """Exact match against the majority answer, and under other tasks' definitions."""
    tasks, seed = data.tasks, params.seed
    rows = draw_classification_rows(data.rows, tasks, params.classification_rows, seed)

    def match(questions: Sequence[Question]) -> list[bool]:
        return match_answers(loaded, questions, params.definition_characters, LABEL_TOKENS)

    own = match([Question(row, tasks[row.task]) for row in rows])
    majority = match_majority(rows, tasks)
    result: dict[str, Any] = {
        "rows": len(rows),
        "exact_match": percent(own),
        "majority": percent(majority),
        "above_majority": compare(own, majority, seed),
    }
    place = {id(row): index for index, row in enumerate(rows)}
    for name, same_labels in (("any_task", False), ("same_labels", True)):
        questions = swap_definitions(rows, tasks, seed, same_labels=same_labels)
        if not questions:
            continue
        swapped = match(questions)
        before = [own[place[id(question.row)]] for question in questions]
        result[f"swapped_definition_{name}"] = {
            "rows": len(questions),
            "exact_match": percent(swapped),
            "own_definition": percent(before),
            "lost": compare(before, swapped, seed),
        }
    return result


def evaluate_unseen(loaded: LoadedModel, tasks: Sequence[UnseenTask], params: EvaluateParams) -> list[dict[str, Any]]:
    """Figures of each official test task."""
    bound, tokens = params.definition_characters, params.max_new_tokens
    return [score_unseen_task(loaded, task, bound, tokens) for task in tasks]


def generate_samples(loaded: LoadedModel, data: HeldOut, params: EvaluateParams) -> list[dict[str, str]]:
    """Unedited greedy answers to held-out rows, one a task, half of them of open-ended tasks."""
    generator = random.Random(params.seed)
    rows = [row for row in data.rows if len(row.input) <= MAX_SHOWN_CHARACTERS]
    generator.shuffle(rows)
    first = {row.task: row for row in reversed(rows)}
    closed = [row for row in first.values() if data.tasks[row.task].is_classification]
    opened = [row for row in first.values() if not data.tasks[row.task].is_classification]
    half = params.generations // 2
    chosen = [*generator.sample(opened, min(params.generations - half, len(opened)))]
    chosen += generator.sample(closed, min(half, len(closed)))
    prompts = [
        render_prompt(
            row,
            data.tasks[row.task].definition,
            data.tasks[row.task].labels,
            params.definition_characters,
        )
        for row in chosen
    ]
    answers = answer_prompts(loaded, prompts, params.max_new_tokens)
    return [
        {"task": row.task, "input": row.input, "answer": answer} for row, answer in zip(chosen, answers, strict=True)
    ]
