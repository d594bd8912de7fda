"""Export an arm as one model: the adapter added to the base's weights, proved to answer as before."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from steady.errors import SteadyError
from steady.models.adapters import attach_adapter
from steady.models.arm import PHRASEBOOK, ArmManifest, checked_manifest, write_manifest
from steady.models.base import locate
from steady.models.card import Card, render_card
from steady.models.load import load_classifier, load_language, load_tokenizer, prepare_torch
from steady.models.params import ModelParams
from steady.models.pooled import PooledClassifier, load_head, save_head
from steady.records import write_bytes

TOLERANCE = 1e-5
PROBES = (
    "Where is my parcel? It was to come on Tuesday.",
    "Question: which planet is the largest?\nAnswer:",
    "1 2 3 4 5 — naïve café, 北京, 12 %",
    "The quick brown fox jumps over the lazy dog, and then the dog, after some thought, walks home alone in the rain.",
)


@dataclass(frozen=True)
class Merged:
    """Where the model lies, and the largest difference of a logit from the adapter beside its base.
    `difference` is a share of the largest logit, or absolute where that is below 1.
    """

    folder: Path
    difference: float
    parameters: int


def merge_arm(folder: Path, out: Path, params: ModelParams, *, full_precision: bool = False) -> Merged:
    """Write the merged model of the LoRA arm in `folder` to `out`, in float32, for plain transformers to load.

    The saved model is read back, and its logits on `PROBES` are compared with those of the base with the adapter beside it.
    `full_precision`: merge the adapter of a quantised base into that base's full weights.

    Raises:
        SteadyError: the arm is none of LoRA or was made from another base; the base is quantised; the adapter is on embeddings
            that are the output layer too; `out` is there already; or a logit differs by more than 1e-5 (of the largest logit,
            where that is above 1).
    """
    from peft import PeftModel

    manifest = checked_manifest(folder, params)
    _check(folder, out, manifest, params, full_precision)
    # In float32, because the sum in fewer bits would round what the adapter adds.
    plain = params.model_copy(update={"quantization": "none", "dtype": "float32"})
    prepare_torch(plain, manifest.seed)
    public_id = locate(plain).public_id
    beside = _load(plain, manifest, folder, lambda base: PeftModel.from_pretrained(base, str(folder)).eval())
    wanted = _logits(beside, plain)
    # On a base that is loaded anew: merging changes its weights in place.
    model = _load(plain, manifest, folder, lambda base: attach_adapter(base, folder, public_id))
    # `attach_adapter` leaves an adapter beside its base where the sum would change more than the adapter did.
    if hasattr(model, "peft_config"):
        raise SteadyError(
            f"{folder}: the adapter changes the embeddings, whose weights are the output layer's too in this base; merged, it would "
            "change both. Use the adapter beside its base, or train one without embeddings in lora.target_modules."
        )
    # Beside `out`, so that the rename stays on one file system: `out` is there whole or not at all.
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        _save(model, plain, folder, temporary)
        own = {"id": str(temporary), "revision": None, "gguf_file": None, "special_tokens": ()}
        again = plain.model_copy(update=own)
        found = _logits(_load(again, manifest, temporary, lambda model: model.eval()), again)
        difference = max(_difference(one, other) for one, other in zip(wanted, found, strict=True))
        if difference > TOLERANCE:
            raise SteadyError(
                f"{folder}: the merged model's logits differ by {difference:.1e}, allowed is {TOLERANCE:.0e}. Nothing was "
                "written: use the adapter beside its base."
            )
        _describe(temporary, out.name, manifest, params, difference)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Merged(out, difference, sum(parameter.numel() for parameter in model.parameters()))


def _check(folder: Path, out: Path, manifest: ArmManifest, params: ModelParams, full_precision: bool) -> None:
    if manifest.method != "lora":
        raise SteadyError(
            f"{folder}: method {manifest.method} has no adapter to merge. Merge an arm of method lora"
            + ("; this folder is a whole model already." if manifest.method == "full" else ".")
        )
    if params.quantization != "none" and not full_precision:
        raise SteadyError(
            f"model.quantization is {params.quantization}: weights of so few bits cannot hold the sum of base and adapter. "
            "Serve the adapter beside the quantised base, or add --full-precision: the adapter is merged into the base's full "
            "weights, whose answers differ a little from those of the quantised base that it was trained on."
        )
    # Checked first: the rename at the end would fail after minutes of work.
    if out.exists():
        raise SteadyError(f"{out}: there already. Name a folder that is not there, or remove it.")


def _load(params: ModelParams, manifest: ArmManifest, folder: Path, attach: Callable[[Any], Any]) -> Any:
    """A model for the task of an arm, its encoder or all of it changed by `attach`, and the head that lies in `folder`."""
    # Heads and embeddings of added tokens are drawn at random when a base is loaded; the seed gives those of the training.
    torch.manual_seed(manifest.seed)
    if params.task != "SEQ_CLS":
        return attach(load_language(params)[0])
    model = load_classifier(params, tuple(manifest.labels))
    if not isinstance(model, PooledClassifier):
        return attach(model)
    model.encoder = attach(model.encoder)
    model.head = load_head(folder, *model.head.weight.shape)
    return model.eval()


def _logits(model: Any, params: ModelParams) -> list[Any]:
    """Logits of the probe prompts, one by one, so that no padding is in them."""
    tokenizer, found = load_tokenizer(params), []
    for probe in PROBES:
        inputs = dict(tokenizer(probe, return_tensors="pt"))
        # some tokenizers give them to models that take none
        inputs.pop("token_type_ids", None)
        if params.task == "SEQ_2_SEQ_LM":
            # a decoder needs an input too; transformers makes one of the labels
            inputs["labels"] = inputs["input_ids"]
        with torch.inference_mode():
            found.append(model(**inputs).logits.float())
    return found


def _difference(wanted: Any, found: Any) -> float:
    if wanted.shape != found.shape:
        return float("inf")
    # in shares of the largest logit: float32 has seven digits of a number, however large it is
    return float((wanted - found).abs().max() / wanted.abs().max().clamp(min=1))


def _save(model: Any, params: ModelParams, folder: Path, out: Path) -> None:
    (model.encoder if isinstance(model, PooledClassifier) else model).save_pretrained(str(out))
    load_tokenizer(params).save_pretrained(str(out))
    if isinstance(model, PooledClassifier):
        save_head(model.head, out)
    if (folder / PHRASEBOOK).is_file():
        shutil.copy(folder / PHRASEBOOK, out / PHRASEBOOK)


def _describe(out: Path, name: str, manifest: ArmManifest, params: ModelParams, difference: float) -> None:
    """The card, and the manifest of a whole model, so that it can be scored as an arm."""
    manifest = msgspec.structs.replace(manifest, method="full")
    write_manifest(out, manifest)
    note = (
        f"## Merging\n\nThe adapter was merged into the weights in float32. On {len(PROBES)} probe prompts the logits differ from "
        f"those of the base with\nthe adapter beside it by at most {difference:.1e} of the largest logit. The card of the adapter "
        "says what it was trained on."
    )
    card = Card(name, "merged", locate(params), params, manifest, example=PROBES[0], note=note)
    write_bytes(out / "README.md", render_card(card).encode())
