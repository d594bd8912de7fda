"""Load any model that a user names, to measure it: a causal or sequence-to-sequence model, a classifier, or an arm of a pipeline."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from steady.errors import SteadyError
from steady.inference.classifier import model_logits
from steady.models.adapters import attach_adapter
from steady.models.base import ENCODERS, Base, locate
from steady.models.load import load_base, load_tokenizer, quiet_libraries
from steady.models.params import COMMIT_LENGTH, ModelParams, is_hub_id
from steady.scoring.classifying import LabelScorer

if TYPE_CHECKING:
    from steady.inference.language import LanguageModel

ARM = "steady.json"
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES: tuple[Dtype, ...] = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Named:
    """A model by name: a Hub id, a folder or `package:NAME`, its revision, the adapter on it, where and how it runs, and the GGUF
    file of the folder or repository that it is read from.
    """

    id: str
    revision: str | None = None
    adapter: Path | None = None
    dtype: Dtype = "auto"
    device: str = "auto"
    batch_size: int = 32
    gguf_file: str | None = None


@dataclass(frozen=True)
class Measured:
    """A loaded model: one of `language` and `labels`; `count` gives the tokens of prompts, `context` how many it takes."""

    language: "LanguageModel | None"
    labels: LabelScorer | None
    context: int | None
    count: Callable[[list[str]], list[int]]
    dtype: str
    revision: str | None
    base: Base


def full_revision(model_id: str, revision: str | None) -> str | None:
    """The full commit of a Hub model, so that a run can be repeated; None for a folder or a package.

    Raises:
        SteadyError: the Hub does not know the model or the revision, or cannot be reached.
    """
    if not is_hub_id(model_id) or len(revision or "") == COMMIT_LENGTH:
        return revision
    from huggingface_hub import HfApi

    with _load_errors(model_id, revision):
        return str(HfApi().model_info(model_id, revision=revision).sha)


def load_measured(named: Named) -> Measured:
    """Load a model with its tokenizer and adapter.

    Raises:
        SteadyError: it cannot be found, has no head to measure, or the adapter does not fit.
    """
    revision = full_revision(named.id, named.revision)
    if named.adapter is not None and (named.adapter / ARM).is_file():
        arm = _load_arm(named, revision)
        if arm is not None:
            return arm
    return _load_model(named, revision)


def _params(
    named: Named, revision: str | None, task: str, pooling: str | None = None, dtype: str = "float32"
) -> ModelParams:
    settings = {"gguf_file": named.gguf_file, "pooling": pooling, "dtype": dtype, "num_threads": None}
    return ModelParams.model_validate({"id": named.id, "revision": revision, "task": task, **settings})


def _load_arm(named: Named, revision: str | None) -> Measured | None:
    """A classifying arm of a pipeline; None where the arm is no classifier."""
    from steady.inference.arm import load_scorer
    from steady.models.arm import read_manifest
    from steady.models.pooled import HEAD

    assert named.adapter is not None
    manifest = read_manifest(named.adapter)
    if not manifest.labels or _writes(named.adapter):
        return None
    if manifest.multi_label:
        raise SteadyError(
            f"{named.adapter}: its answers are sets of labels, and this command measures one label an answer. The pipeline's "
            "stage `sensitivity` measures sets."
        )
    pooled = (named.adapter / HEAD).is_file() or named.id in ENCODERS
    params = _params(named, revision, "SEQ_CLS", "mean" if pooled else None)
    tokenizer = load_tokenizer(params)
    scorer = LabelScorer(load_scorer(named.adapter, params, named.device), tuple(manifest.labels), named.batch_size)
    return Measured(None, scorer, manifest.max_length, _counter(tokenizer), "float32", revision, locate(params))


def _writes(adapter: Path) -> bool:
    """Whether an adapter is one of a model that generates, as PEFT recorded it."""
    path = adapter / "adapter_config.json"
    return path.is_file() and json.loads(path.read_text(encoding="utf-8")).get("task_type") in {
        "CAUSAL_LM",
        "SEQ_2_SEQ_LM",
    }


def _load_model(named: Named, revision: str | None) -> Measured:
    from transformers import AutoConfig

    base = locate(_params(named, revision, "CAUSAL_LM"))
    with _load_errors(named.id, revision):
        config = AutoConfig.from_pretrained(base.source, revision=revision, trust_remote_code=False)
        params = _params(named, revision, _task(named, config), dtype=named.dtype)
        model = load_base(params, device=named.device)
    if params.task == "SEQ_CLS":
        return _measured_classifier(named, model, base, revision)
    return _measured_language(named, model, base, revision)


def _task(named: Named, config: Any) -> str:
    heads = " ".join(config.architectures or [])
    if "ForSequenceClassification" in heads:
        return "SEQ_CLS"
    if config.is_encoder_decoder:
        return "SEQ_2_SEQ_LM"
    if "LMHead" in heads or "ForCausalLM" in heads:
        return "CAUSAL_LM"
    raise SteadyError(
        f"--model {named.id}: its config names {heads or 'no architecture'}, which neither generates nor classifies. "
        "Give a causal, sequence-to-sequence or sequence-classification model, or an --adapter that adds a head."
    )


def _measured_classifier(named: Named, model: Any, base: Base, revision: str | None) -> Measured:
    if named.adapter is not None:
        model = attach_adapter(model, named.adapter, base.public_id)
    tokenizer = load_tokenizer(_params(named, revision, "SEQ_CLS"))
    names = tuple(model.config.id2label[place] for place in range(model.config.num_labels))
    limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or 10**9)
    batch_size = named.batch_size if tokenizer.pad_token else 1  # without a padding token, one prompt at a time
    scorer = LabelScorer(model_logits(model, tokenizer, limit), names, batch_size)
    return Measured(None, scorer, limit, _counter(tokenizer), str(model.dtype).removeprefix("torch."), revision, base)


def _measured_language(named: Named, model: Any, base: Base, revision: str | None) -> Measured:
    from steady.inference.language import language_model

    if named.adapter is not None:
        model = attach_adapter(model, named.adapter, base.public_id)
    tokenizer = load_tokenizer(_params(named, revision, "CAUSAL_LM"))
    language = language_model(model, tokenizer)
    dtype = str(model.dtype).removeprefix("torch.")
    return Measured(language, None, language.context, _counter(tokenizer), dtype, revision, base)


def _counter(tokenizer: Any) -> Callable[[list[str]], list[int]]:
    def count(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, truncation=False, padding=False)["input_ids"]]

    return count


@contextmanager
def _load_errors(model_id: str, revision: str | None) -> Iterator[None]:
    """Turn what the libraries raise for a model that is not there into one clear message."""
    from huggingface_hub.errors import HfHubHTTPError

    # The first base of HfHubHTTPError is any fault of the connection, whichever HTTP library the Hub's client uses.
    faults: tuple[Any, ...] = (OSError, ValueError, KeyError, *HfHubHTTPError.__bases__)
    try:
        yield
    except faults as error:
        raise SteadyError(
            f"--model {model_id} (revision {revision}): cannot be loaded: {error}\n"
            "Give a folder, a Hub id, or `package:NAME`; a gated model needs `hf auth login`."
        ) from error


def quiet(threads: int | None) -> None:
    """Keep the model libraries from talking, and set the threads of the CPU."""
    import torch

    quiet_libraries()
    if threads is not None:
        torch.set_num_threads(threads)
