"""Answers drawn from a model, and what they are worth: the reward of a short answer that still says what was to be said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from steady.finetune.preference.rows import Encode
from steady.metrics.text import chrf, is_short, word_count
from steady.models.tokenizer import declared_ends

BATCH = 32


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn: at a temperature, None for the most probable token each time; both bounds count tokens.
    `max_length` bounds prompt and answer together, `max_new_tokens` the answer.
    """

    temperature: float | None
    max_length: int | None = None
    max_new_tokens: int | None = None


@torch.no_grad()
def draw_answers(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], sampling: Sampling, seed: int, times: int = 1
) -> list[list[str]]:
    """`times` answers to each prompt (token ids), without special tokens; the same for the same seed and order."""
    torch.manual_seed(seed)  # the state of the generator depends on whether training was resumed
    was_training = model.training
    model.eval()
    # The tokenizer's own end token first: it pads where there is no padding token.
    ends = list(dict.fromkeys([tokenizer.eos_token_id, *declared_ends(model.generation_config)]))
    pad = ends[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    chance = {} if sampling.temperature is None else {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
    size = max(1, BATCH // times)
    drawn: list[str] = []
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        # Padded at the left: every answer begins in the same column, right after its prompt.
        width = max(map(len, batch))
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in batch], device=model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch], device=model.device)
        settings = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens
            if sampling.max_length is None
            else max(1, sampling.max_length - width),
            do_sample=bool(chance),
            num_return_sequences=times,
            eos_token_id=ends,
            pad_token_id=pad,
            **chance,
        )
        found = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
        texts = tokenizer.batch_decode(found[:, width:], skip_special_tokens=True)
        drawn += [text.strip() for text in texts]
    model.train(was_training)
    return [drawn[place : place + times] for place in range(0, len(drawn), times)]


def length_factor(words: int, limit: int) -> float:
    """1 up to the limit, from there in a straight line down to 0 at twice the limit."""
    return min(1.0, max(0.0, 2.0 - words / limit))


def concise_reward(answer: str, references: Sequence[str], limit: int) -> float:
    """`chrf` × `length_factor`, 0 to 1: 1 is a reference itself, if it has at most `limit` words.

    A product, so that neither an empty answer nor a long one is worth anything; and a slope past the limit, so that of two
    answers that are both too long the shorter one is better.
    """
    return chrf(answer, references) * length_factor(word_count(answer), limit)


def best_and_worst(answers: Sequence[str], rewards: Sequence[float]) -> tuple[str, str] | None:
    """The answers with the highest and the lowest reward (the first of equals); None where all are worth the same."""
    best, worst = (rewards.index(pick(rewards)) for pick in (max, min))
    return None if rewards[best] == rewards[worst] else (answers[best], answers[worst])


def measure_answers(
    model: Any,
    tokenizer: Any,
    encode: Encode,
    asked: Sequence[tuple[str, Sequence[str]]],
    sampling: Sampling,
    limit: int,
) -> dict[str, float]:
    """Greedy answers to prompts with their references: mean reward, mean chrF, rate within the limit, mean words."""
    rows = [encode(prompt) for prompt, _ in asked]
    answers = [texts[0] for texts in draw_answers(model, tokenizer, rows, sampling, seed=0)]
    judged = list(zip(answers, [references for _, references in asked], strict=True))
    figures = {
        "reward": [concise_reward(text, references, limit) for text, references in judged],
        "chrf": [chrf(text, references) for text, references in judged],
        "within_words": [float(is_short(word_count(text), limit)) for text in answers],
        "words": [float(word_count(text)) for text in answers],
    }
    return {name: round(sum(values) / len(values), 6) for name, values in figures.items()}
