"""Sampled text from a model."""

import copy
from dataclasses import dataclass
from typing import Any

import torch

from steady.errors import SteadyError
from steady.inference.language import LanguageModel, decode, encode


@dataclass(frozen=True)
class Nucleus:
    """How samples are drawn: so many of each prompt, at a temperature, from the likeliest tokens that make up `top_p`."""

    samples: int
    temperature: float
    top_p: float
    max_new_tokens: int


@dataclass(frozen=True)
class Text:
    """A text without special tokens; `finished`: the model ended it, it was not cut at the limit."""

    text: str
    finished: bool


def sampled_texts(language: LanguageModel, prompt: str, nucleus: Nucleus, seed: int) -> list[Text]:
    """Samples of one prompt, in one batch under a seed of its own, whatever was drawn before.
    SteadyError where the prompt leaves no room for a token.
    """
    (ids,) = encode(language, [prompt])
    room = None if language.encodes or language.context is None else language.context - len(ids)
    if room is not None and room < 1:
        raise SteadyError(
            f"a prompt of {len(ids)} tokens: the model has {language.context} positions. Text: {prompt!r:.80}"
        )
    limit = nucleus.max_new_tokens if room is None else min(room, nucleus.max_new_tokens)
    inputs = torch.tensor([ids], device=language.device)
    devices = [language.device] if language.device.type == "cuda" else []
    # the state of the generators is put back afterwards: a training that samples goes on as if it had not
    with torch.random.fork_rng(devices), torch.inference_mode():
        torch.manual_seed(seed)
        given = {"input_ids": inputs, "attention_mask": torch.ones_like(inputs)}
        rows = language.model.generate(**given, generation_config=_settings(language, nucleus, limit))
    start = len(language.prefix) if language.encodes else len(ids)  # what a decoder begins with is no text
    texts = []
    for tokens in rows[:, start:].tolist():
        # behind the first token that ends a response `generate` pads
        stop = next((place for place, token in enumerate(tokens) if token in language.end_ids), len(tokens))
        # a lone surrogate could not be written to a file
        text = decode(language, tuple(tokens[:stop])).encode("utf-8", "replace").decode().strip()
        texts.append(Text(text, finished=stop < len(tokens)))
    return texts


def _settings(language: LanguageModel, nucleus: Nucleus, limit: int) -> Any:
    """The model's own generation settings, but for how it samples and stops."""
    settings = copy.deepcopy(language.model.generation_config)
    ends, padding = sorted(language.end_ids), language.tokenizer.pad_token_id
    settings.update(
        do_sample=True,
        num_beams=1,
        temperature=nucleus.temperature,
        top_p=nucleus.top_p,
        top_k=0,  # transformers' default of 50 would cut the nucleus
        num_return_sequences=nucleus.samples,
        max_new_tokens=limit,
        max_length=None,  # a checkpoint's own setting of it would be in conflict with max_new_tokens
        eos_token_id=ends or None,
        pad_token_id=padding if padding is not None else [*ends, 0][0],
    )
    return settings
