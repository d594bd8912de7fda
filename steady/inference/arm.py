"""Load an arm for scoring: its base with its adapter, its head or its own weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from steady.inference.classifier import Logits, model_logits
from steady.models.adapters import attach_adapter
from steady.models.arm import ArmManifest, checked_manifest
from steady.models.base import locate
from steady.models.description import check_own_labels
from steady.models.load import load_classifier, load_config, load_language, load_tokenizer
from steady.models.params import ModelParams
from steady.models.pooled import load_head
from steady.models.tokenizer import answer_ids

if TYPE_CHECKING:
    from steady.inference.language import LanguageModel


def load_scorer(folder: Path, params: ModelParams, device: str) -> Logits:
    """Logits of the arm in `folder` for batches of prompts; SteadyError where it is missing, damaged or made from another base."""
    manifest = checked_manifest(folder, params)
    labels, public_id = tuple(manifest.labels), locate(params).public_id
    torch.manual_seed(manifest.seed)
    if manifest.method == "none" and params.pooling is None:
        check_own_labels(params.id, load_config(locate(params)), labels)
    model = load_classifier(_source(folder, manifest, params), labels, device)
    if manifest.method == "lora" and params.pooling is None:
        model = attach_adapter(model, folder, public_id)
    elif manifest.method == "lora":
        model.encoder = attach_adapter(model.encoder, folder, public_id)
    if manifest.method != "none" and params.pooling is not None:
        model.head = load_head(folder, *model.head.weight.shape).to(model.device)
    return model_logits(model.eval(), load_tokenizer(params), manifest.max_length)


def load_arm_language(folder: Path, params: ModelParams, device: str) -> "LanguageModel":
    """The generative arm in `folder` and its tokenizer, for scoring; SteadyError where it is missing, damaged or of another base."""
    from steady.inference.language import language_model

    manifest = checked_manifest(folder, params)
    torch.manual_seed(manifest.seed)
    model, tokenizer = load_language(_source(folder, manifest, params), device)
    if manifest.method == "lora":
        model = attach_adapter(model, folder, locate(params).public_id)
    limit = prompt_limit(tokenizer, params, manifest.labels, manifest.max_length)
    return language_model(model, tokenizer, params.chat_template, limit, solved=manifest.solved)


def prompt_limit(tokenizer: Any, params: ModelParams, labels: Sequence[str], max_length: int) -> int:
    """The most tokens of a prompt: a causal model's holds the longest label too, where the task has labels."""
    if params.task != "CAUSAL_LM" or not labels:
        return max_length
    longest = max(len(answer_ids(tokenizer, params.task, label, "", params.chat_template)) for label in labels)
    return max_length - longest


def _source(folder: Path, manifest: ArmManifest, params: ModelParams) -> ModelParams:
    """Where the weights lie: a fully fine-tuned arm has its own."""
    whole = {"id": str(folder), "revision": None, "gguf_file": None}
    return params.model_copy(update=whole) if manifest.method == "full" else params
