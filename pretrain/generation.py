"""Greedy answers from a saved model folder, with nothing but transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
)

from pretrain.corpus import Row
from pretrain.layouts import CANONICAL, Layout, shorten


@dataclass(frozen=True)
class LoadedModel:
    """A model folder in memory.

    Attributes:
        model: in float32, in evaluation mode.
        tokenizer: of the folder.
        is_encoder_decoder: whether the answer is decoded apart from the prompt.
    """

    model: Any
    tokenizer: Any
    is_encoder_decoder: bool


def load_model(folder: Path) -> LoadedModel:
    """Load a folder as any user would."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    return LoadedModel(model, AutoTokenizer.from_pretrained(folder, trust_remote_code=False), config.is_encoder_decoder)


def render_prompt(
    row: Row,
    definition: str,
    labels: tuple[str, ...],
    definition_characters: int,
    layout: Layout = CANONICAL,
) -> str:
    """The prompt of one row, up to and with the heading of the answer."""
    instruction = layout.instruct(shorten(definition, definition_characters), labels)
    question = "".join(piece.text for piece in layout.ask(row.input, lead=layout.separator))
    return instruction + question + layout.answer("")[0].text


def answer_prompts(loaded: LoadedModel, prompts: Sequence[str], max_new_tokens: int, batch_size: int = 32) -> list[str]:
    """Greedy answers, outer white space stripped, in the order of the prompts.

    Prompts are run in order of length, so that little is padded.
    """
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers = [""] * len(prompts)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        texts = answer_batch(loaded, [prompts[index] for index in chosen], max_new_tokens)
        for index, text in zip(chosen, texts, strict=True):
            answers[index] = text
    return answers


@torch.inference_mode()
def answer_batch(loaded: LoadedModel, prompts: list[str], max_new_tokens: int) -> list[str]:
    """Greedy answers of one batch; prompts longer than the context lose their beginning."""
    tokenizer = loaded.tokenizer
    tokenizer.truncation_side = "left"
    room = tokenizer.model_max_length - (0 if loaded.is_encoder_decoder else max_new_tokens)
    encoded = tokenizer(prompts, return_tensors="pt", padding=True, truncation=True, max_length=room)
    encoded.pop("token_type_ids", None)
    output = loaded.model.generate(**encoded, do_sample=False, max_new_tokens=max_new_tokens)
    skip = 0 if loaded.is_encoder_decoder else encoded["input_ids"].shape[1]
    texts = tokenizer.batch_decode(output[:, skip:], skip_special_tokens=True)
    return [text.strip() for text in texts]
