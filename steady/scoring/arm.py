"""An arm on disk: what `finetune` writes beside the weights, and the scorer that reads it back."""

import json
from pathlib import Path
from typing import Any

import msgspec

from steady.errors import SteadyError
from steady.models import ModelParams, attach_adapter, load_classifier, load_tokenizer, locate, pick_device
from steady.pooled import load_head
from steady.records import write_bytes
from steady.scoring.classify import Logits, model_logits
from steady.training.arms import Method

MANIFEST = "steady.json"
PHRASEBOOK = "phrasebook.json"


class ArmManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an arm was made: enough to score with it, and to refuse to score with it under other settings.

    `prompts_sha256` is the fingerprint of the phrasebook that it was trained on, which lies beside the manifest.
    """

    method: Method
    base: str
    revision: str | None
    labels: list[str]
    max_length: int
    seed: int
    training: dict[str, Any]
    prompts_sha256: str = ""


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
    manifest = read_manifest(folder)
    base = locate(params)
    if manifest.base != base.public_id:
        raise SteadyError(
            f"{folder}: the arm was made from {manifest.base!r}, but model.id is {base.public_id!r}. Run `dvc repro`."
        )
    model = _load_model(folder, manifest, params)
    return model_logits(model.to(pick_device(device)).eval(), load_tokenizer(params), manifest.max_length)


def _load_model(folder: Path, manifest: ArmManifest, params: ModelParams) -> Any:
    import torch

    labels = tuple(manifest.labels)
    torch.manual_seed(manifest.seed)
    source = params.model_copy(update={"id": str(folder), "revision": None}) if manifest.method == "full" else params
    model = load_classifier(source, labels)
    public_id = locate(params).public_id
    if params.pooling is None:
        return attach_adapter(model, folder, public_id) if manifest.method == "lora" else model
    if manifest.method == "lora":
        model.encoder = attach_adapter(model.encoder, folder, public_id)
    if manifest.method != "none":
        model.head = load_head(folder, *model.head.weight.shape)
    return model
