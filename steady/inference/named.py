"""Open any model that a user names: a causal or sequence-to-sequence model, a classifier, or an arm of a pipeline."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from steady.errors import SteadyError
from steady.inference.classifier import Logits, model_logits
from steady.models.adapters import attach_adapter
from steady.models.arm import MANIFEST, ArmManifest, read_manifest
from steady.models.base import ENCODERS, Base, locate
from steady.models.chat import choose_template, thinks
from steady.models.description import NO_LIMIT, check_classes, describe, not_followed, task_of
from steady.models.load import full_revision, load_base, load_config, load_tokenizer, quiet_libraries
from steady.models.params import ModelParams
from steady.models.tokenizer import unknown_id
from steady.records import Asked

if TYPE_CHECKING:
    from steady.inference.language import LanguageModel

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Encode = Callable[[Sequence[Asked]], list[list[int]]]
Count = Callable[[Sequence[Asked]], list[int]]


@dataclass(frozen=True)
class Named:
    """A model by name: a Hub id, a folder or `package:NAME`, its revision, the adapter on it, and where and how it runs.

    `chat_template`: prompts go through the tokenizer's chat template, None where it has one, a text through the one of that name;
    `system` is the system message of prompts that bring none; `thinking`: a thinking model may think before it answers; a
    response ends behind the first of the texts `stop`.
    `gguf_file` is the file of the folder or repository that the model is read from. `same_base`: the adapter is one of this
    model, whatever name it was saved under.
    """

    id: str
    revision: str | None = None
    adapter: Path | None = None
    dtype: Dtype = "auto"
    device: str = "auto"
    chat_template: bool | str | None = None
    system: str = ""
    gguf_file: str | None = None
    thinking: bool = False
    stop: tuple[str, ...] = ()
    same_base: bool = False


@dataclass(frozen=True)
class LabelScorer:
    """Logits of batches of prompts, and the names of their columns."""

    score: Logits
    labels: tuple[str, ...]
    batch_size: int


@dataclass(frozen=True)
class OpenModel:
    """A loaded model: one of `language` and `labels`; `count` gives the tokens of prompts, `context` how many it takes.

    `template` is the name of the chat template that prompts go through, None for none; `notes` are sentences on what was not
    followed of the model's own settings. `encode` gives the tokens themselves, and `unknown` is the one of what the tokenizer cannot
    write, None where it can write everything.
    """

    language: "LanguageModel | None"
    labels: LabelScorer | None
    context: int | None
    count: Count
    dtype: str
    revision: str | None
    base: Base | None
    template: str | None = None
    notes: tuple[str, ...] = ()
    encode: Encode | None = None
    unknown: int | None = None


BATCH_SIZE = 32  # prompts, of a classifier


def open_model(named: Named) -> OpenModel:
    """Load a model with its tokenizer and adapter; SteadyError where it cannot be found, has no head to measure, the adapter does not
    fit, or a chat template is wanted and there is none.
    """
    import torch

    # a branch moves: what is recorded has to be what was loaded
    revision = full_revision(named.id, named.revision)
    if named.adapter is not None and (named.adapter / MANIFEST).is_file():
        manifest, path = read_manifest(named.adapter), named.adapter / "adapter_config.json"
        adapted = json.loads(path.read_text(encoding="utf-8")) if manifest.labels and path.is_file() else {}
        if manifest.labels and adapted.get("task_type") not in ("CAUSAL_LM", "SEQ_2_SEQ_LM"):
            return _open_classifying_arm(named, named.adapter, manifest, revision)
    # which task it is, only the config says; where it lies does not depend on the task
    base = locate(_params(named, revision, "CAUSAL_LM"))
    config = load_config(base)
    task = task_of(config)
    if task is None:
        raise SteadyError(
            f"--model {named.id}: its config names {' '.join(config.architectures or []) or 'no architecture'}, which neither "
            "generates nor classifies. Give a causal, sequence-to-sequence or sequence-classification model, or an --adapter "
            "that adds a head."
        )
    params = source = _params(named, revision, task, dtype=named.dtype)
    # an adapter may bring a tokenizer of its own, with tokens that the base's has not
    if named.adapter is not None and (named.adapter / "tokenizer_config.json").is_file():
        source = params.model_copy(update={"id": str(named.adapter), "revision": None, "gguf_file": None})
    tokenizer = load_tokenizer(source)
    check_classes(named.id, describe(config, tokenizer))
    model = load_base(params, device=named.device)
    if named.adapter is not None:
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            torch.manual_seed(0)  # the adapter brings what was learned of the new rows
            model.resize_token_embeddings(len(tokenizer))
        model = attach_adapter(model, named.adapter, base.public_id, same_base=named.same_base)
    if task != "SEQ_CLS":
        return open_language(model, tokenizer, named, revision, base)
    _refuse_chat(named)
    known, encode = describe(config, tokenizer, model=model), _encoder(tokenizer)
    # T5 and its kind have no limit, and neither has their tokenizer
    most = min(known.positions or NO_LIMIT, tokenizer.model_max_length)
    limit = most if most < NO_LIMIT else None
    scorer = LabelScorer(model_logits(model, tokenizer, limit), known.labels, BATCH_SIZE)
    found = (scorer, limit, _counter(encode), str(model.dtype).removeprefix("torch."), revision, base)
    return OpenModel(None, *found, encode=encode, unknown=unknown_id(tokenizer))


def _params(
    named: Named, revision: str | None, task: str, pooling: str | None = None, dtype: str = "float32"
) -> ModelParams:
    settings = {"gguf_file": named.gguf_file, "pooling": pooling, "dtype": dtype, "num_threads": None}
    return ModelParams.model_validate({"id": named.id, "revision": revision, "task": task, **settings})


def _open_classifying_arm(named: Named, folder: Path, manifest: ArmManifest, revision: str | None) -> OpenModel:
    if manifest.multi_label:
        raise SteadyError(
            f"{folder}: its answers are sets of labels, and this command measures one label an answer. The pipeline's stage "
            "`sensitivity` measures sets."
        )
    from steady.inference.arm import load_scorer
    from steady.models.pooled import HEAD

    _refuse_chat(named)
    # the manifest does not say how the head reads the encoder; an arm with a head of its own pools
    pooled = (folder / HEAD).is_file() or named.id in ENCODERS
    params = _params(named, revision, "SEQ_CLS", "mean" if pooled else None)
    scorer = LabelScorer(load_scorer(folder, params, named.device), tuple(manifest.labels), BATCH_SIZE)
    count = _counter(_encoder(load_tokenizer(params)))
    return OpenModel(None, scorer, manifest.max_length, count, "float32", revision, locate(params))


def open_language(
    model: Any, tokenizer: Any, named: Named, revision: str | None = None, base: Base | None = None
) -> OpenModel:
    """A loaded model that generates, asked as `named` says; SteadyError where the chat template that is wanted is not there, or
    there is a system message and no template.
    """
    from steady.inference.language import language_model, whole_prompt

    tokenizer = copy.copy(tokenizer)  # the template that is chosen is for this measurement alone
    template = choose_template(tokenizer, named.chat_template)
    if named.system and template is None:
        raise SteadyError(
            f"--system: there is no system message without a chat template, and {named.id} is asked without one. "
            "Write it into the prompts, or choose an instruction-tuned model."
        )
    if "" in named.stop:
        raise SteadyError("--stop: an empty text, which every response has. Leave it out.")
    has_thoughts = template is not None and thinks(tokenizer)
    if named.thinking and not has_thoughts:
        raise SteadyError(f"--thinking: {named.id} is asked without a template that knows thoughts. Leave it out.")
    settings = getattr(model, "generation_config", None)
    made = language_model(model, tokenizer, template is not None, system=named.system)
    stop = named.stop or tuple(getattr(settings, "stop_strings", None) or ())
    language = replace(made, thinking=named.thinking if has_thoughts else None, stop=stop)
    left = ", ".join(not_followed(settings))
    notes = (f"responses are greedy: the model's generation settings {left} are not followed",) if left else ()
    dtype = str(model.dtype).removeprefix("torch.")

    def encode(prompts: Sequence[Asked]) -> list[list[int]]:
        return [whole_prompt(language, prompt) for prompt in prompts]

    found = (language.context, _counter(encode), dtype, revision, base, template, notes)
    return OpenModel(language, None, *found, encode=encode, unknown=unknown_id(tokenizer))


def _refuse_chat(named: Named) -> None:
    if named.chat_template or named.system or named.stop or named.thinking:
        raise SteadyError(
            "--chat-template, --system, --stop, --thinking: a classifier reads the prompt alone. Leave them out."
        )


def _counter(encode: Encode) -> Count:
    return lambda prompts: [len(ids) for ids in encode(prompts)]


def _encoder(tokenizer: Any) -> Encode:
    return lambda texts: list(tokenizer(list(map(str, texts)), truncation=False, padding=False)["input_ids"])


def prepare(threads: int | None) -> None:
    """Keep the model libraries from printing, and set the threads of the CPU."""
    import torch

    quiet_libraries()
    if threads is not None:
        torch.set_num_threads(threads)
