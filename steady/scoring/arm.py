"""An arm on disk: what `finetune` writes beside the weights, and the scorer that reads it back."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from steady.adapters import attach_adapter
from steady.checksums import folder_digest
from steady.encoding import answer_ids
from steady.errors import SteadyError
from steady.label_task import LabelTask
from steady.models import Base, ModelParams, load_classifier, load_language, load_tokenizer, locate
from steady.pooled import load_head
from steady.records import write_bytes
from steady.scoring.classify import Logits, model_logits
from steady.training.arms import Method

if TYPE_CHECKING:
    from steady.scoring.language import LanguageModel

MANIFEST = "steady.json"
PHRASEBOOK = "phrasebook.json"


class ArmManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How an arm was made: enough to score with it, and to refuse to score with it under other settings.

    `prompts_sha256` is the fingerprint of the phrasebook that it was trained on, which lies beside the manifest; `base_digest`
    pins a base that is a folder.
    """

    method: Method
    base: str
    revision: str | None
    labels: list[str]
    max_length: int
    seed: int
    training: dict[str, Any]
    prompts_sha256: str = ""
    base_digest: str = ""
    multi_label: bool = False

    @property
    def label_task(self) -> LabelTask:
        """What an answer of the arm is, where it has labels."""
        return LabelTask(tuple(self.labels), self.multi_label)


def write_manifest(folder: Path, manifest: ArmManifest) -> None:
    """Write `steady.json`, indented, keys in field order."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    write_bytes(folder / MANIFEST, text + b"\n")


def read_manifest(folder: Path) -> ArmManifest:
    """Read `steady.json`.

    Raises:
        SteadyError: the arm is missing or its manifest is not one.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise SteadyError(
            f"{folder}: no such arm ({MANIFEST} is missing). Run `dvc repro` to train it or `dvc pull` to fetch it."
        )
    try:
        return msgspec.json.decode(path.read_bytes(), type=ArmManifest)
    except (msgspec.DecodeError, json.JSONDecodeError) as error:
        raise SteadyError(f"{path}: not an arm's manifest: {error}. Run `dvc repro` or `dvc checkout`.") from error


def load_scorer(folder: Path, params: ModelParams, device: str) -> Logits:
    """Logits of the arm in `folder` for batches of prompts.

    Raises:
        SteadyError: the arm is missing, damaged, or made from another base.
    """
    manifest = checked_manifest(folder, params)
    model = _load_classifier(folder, manifest, params, device)
    return model_logits(model.eval(), load_tokenizer(params), manifest.max_length)


def load_arm_language(folder: Path, params: ModelParams, device: str) -> "LanguageModel":
    """The model of the generative arm in `folder` and its tokenizer, for scoring.

    Raises:
        SteadyError: the arm is missing, damaged, or made from another base.
    """
    import torch

    from steady.scoring.language import language_model

    manifest = checked_manifest(folder, params)
    torch.manual_seed(manifest.seed)
    model, tokenizer = load_language(_source(folder, manifest, params), device)
    if manifest.method == "lora":
        model = attach_adapter(model, folder, locate(params).public_id)
    limit = prompt_limit(tokenizer, params, manifest.labels, manifest.max_length)
    return language_model(model, tokenizer, params.chat_template, limit)


def prompt_limit(tokenizer: Any, params: ModelParams, labels: Sequence[str], max_length: int) -> int:
    """The most tokens of a prompt: a causal model's holds the longest label too, where the task has labels."""
    if params.task != "CAUSAL_LM" or not labels:
        return max_length
    longest = max(len(answer_ids(tokenizer, params.task, label, "", params.chat_template)) for label in labels)
    return max_length - longest


def checked_manifest(folder: Path, params: ModelParams) -> ArmManifest:
    """The manifest of an arm that was made from the base of `params`.

    Raises:
        SteadyError: the arm is missing, or was made from another base.
    """
    manifest = read_manifest(folder)
    base = locate(params)
    if manifest.base != base.public_id:
        raise SteadyError(
            f"{folder}: the arm was made from {manifest.base!r}, but model.id is {base.public_id!r}. Run `dvc repro`."
        )
    if manifest.base_digest and manifest.base_digest != digest_of(base):
        raise SteadyError(
            f"{folder}: the model in {base.source} is not the one that the arm was made from. Fetch that one, or run `dvc repro`."
        )
    return manifest


def digest_of(base: Base) -> str:
    """What pins a base that is a folder; empty for one from the Hub or a package, whose revision or SHA-256 is pinned."""
    return folder_digest(Path(base.source)) if base.source == base.public_id and Path(base.source).is_dir() else ""


def _source(folder: Path, manifest: ArmManifest, params: ModelParams) -> ModelParams:
    """Where the weights lie: a fully fine-tuned arm has its own."""
    return params.model_copy(update={"id": str(folder), "revision": None}) if manifest.method == "full" else params


def _load_classifier(folder: Path, manifest: ArmManifest, params: ModelParams, device: str) -> Any:
    import torch

    labels = tuple(manifest.labels)
    torch.manual_seed(manifest.seed)
    model = load_classifier(_source(folder, manifest, params), labels, device)
    public_id = locate(params).public_id
    if params.pooling is None:
        return attach_adapter(model, folder, public_id) if manifest.method == "lora" else model
    if manifest.method == "lora":
        model.encoder = attach_adapter(model.encoder, folder, public_id)
    if manifest.method != "none":
        model.head = load_head(folder, *model.head.weight.shape).to(model.device)
    return model
