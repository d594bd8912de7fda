"""Adapters of PEFT on a base model, checked when they are loaded: PEFT loads a damaged file with at most a warning."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.models.checksums import folder_digest

WEIGHTS = "adapter_model.safetensors"
LIBRARIES = ("transformers", "sentence_transformers", "peft")
"""Where the classes of bases come from; another library would be imported by whoever loads the adapter automatically."""


def attach_adapter(model: Any, folder: Path, public_id: str, *, same_base: bool = False) -> Any:
    """The base with the adapter in `folder`, merged into its weights where that is possible (see `is_mergeable`).

    The sum is computed in float32 and rounded once to the dtype of the base: logits of float32 move by less than 1e-5, those of
    16 bits by no more than the rounding of the base's own weights moves them. Where the adapter carries embeddings of a larger
    vocabulary, the base gets as many rows first.

    Args:
        public_id: the id, or the folder, of the base.
        same_base: take the adapter for one of this base, whatever name it was saved under.

    Raises:
        SteadyError: there is no adapter, it was made for another base, is of a kind that changes the prompt, or its tensors are
            not finite or not the model's.
    """
    from peft import PeftModel
    from safetensors import safe_open

    config = _read_config(folder)
    # PEFT loads an adapter on any base whose modules have the same names and shapes.
    if not same_base and not _names_base(config.base_model_name_or_path, public_id):
        raise SteadyError(
            f"{folder}: the adapter was trained on {config.base_model_name_or_path!r}, but model.id is {public_id!r}. Retrain it, or "
            "set model.id back. Where the two are the same model under two names, `measure --same-base` takes it."
        )
    if config.is_prompt_learning:
        raise SteadyError(
            f"{folder}: an adapter of type {config.peft_type.value} puts learned tokens before the prompt, which is not scored here. "
            "Give one that changes layers: LORA, DORA, IA3 and their like."
        )
    try:
        # The header says the shapes, so that no tensor is read from disk for them.
        with safe_open(folder / WEIGHTS, "pt") as file:
            rows = [file.get_slice(key).get_shape()[0] for key in _of_embeddings(model, file.keys())]
        if rows and max(rows) > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(max(rows))
        adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    except Exception as error:  # a file that somebody else wrote may raise anything
        raise SteadyError(f"{folder}: the adapter does not fit the base: {error}") from error
    _check_tensors(adapted, folder)
    return (adapted.merge_and_unload() if is_mergeable(adapted) else adapted).eval()


def _read_config(folder: Path) -> Any:
    """The configuration of an adapter whose two files are there."""
    from peft import PeftConfig

    if not (folder / WEIGHTS).is_file() and (folder / "adapter_model.bin").is_file():
        raise SteadyError(
            f"{folder}: the adapter is saved as adapter_model.bin, a pickle, which can run code when it is opened; {WEIGHTS} alone is "
            "read. If you trust it, convert it once: `PeftModel.from_pretrained(BASE, FOLDER).save_pretrained(FOLDER)`."
        )
    for name in ("adapter_config.json", WEIGHTS):
        if not (folder / name).is_file():
            raise SteadyError(
                f"{folder}: no adapter ({name} is missing). Run `dvc repro` to train it or `dvc pull` to fetch it."
            )
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (ValueError, TypeError, KeyError, AttributeError, OSError, RecursionError) as error:
        raise SteadyError(
            f"{folder / 'adapter_config.json'}: not the configuration of an adapter: {error}. Fetch it again."
        ) from error
    # JSON as Python reads it has NaN and Infinity, and PEFT scales by whatever it is given.
    library = str((config.auto_mapping or {}).get("parent_library") or "transformers")
    scale = getattr(config, "lora_alpha", 1)
    finite = isinstance(scale, int | float) and math.isfinite(scale)
    if library.split(".", maxsplit=1)[0] not in LIBRARIES or not finite:
        raise SteadyError(
            f"{folder / 'adapter_config.json'}: `auto_mapping` names the library {library!r}, `lora_alpha` is {scale!r}; allowed are "
            f"{', '.join(LIBRARIES)} and a finite number. Fetch the adapter from where you trust it."
        )
    return config


def _names_base(made_for: str | None, public_id: str) -> bool:
    """Whether the name that an adapter was saved with is that of the base: the same text, or two paths to the same model."""
    if made_for == public_id:
        return True
    one, other = Path(made_for or ""), Path(public_id)
    if not made_for or not (one.is_dir() and other.is_dir()):
        return False
    return one.resolve() == other.resolve() or folder_digest(one) == folder_digest(other)


def _of_embeddings(model: Any, keys: Iterable[str]) -> list[str]:
    """The keys of a file of weights that are the input embeddings or the output layer."""
    wanted = [model.get_input_embeddings(), model.get_output_embeddings()]
    names = (name for name, module in model.named_modules() if any(module is one for one in wanted))
    ends = tuple(f".{name}.weight" for name in names)
    return [key for key in keys if key.endswith(ends)]


def is_mergeable(adapted: Any) -> bool:
    """Whether an adapter can be added to the weights of its base.

    Not where PEFT refuses, nor where the base is quantised, whose few bits cannot hold the sum, nor where its output layer would
    change with adapted embeddings. In 16 bits plain LoRA alone is merged: PEFT multiplies the weights of DoRA in the wrong dtype,
    and modules that are trained whole keep a dtype of their own.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    base, head = adapted.get_base_model(), adapted.get_output_embeddings()
    layers = [module.get_base_layer() for module in adapted.modules() if isinstance(module, BaseTunerLayer)]
    embeddings = [layer for layer in layers if isinstance(layer, torch.nn.Embedding)]
    # Embeddings that are adapted leave the output layer as it is, though the two share weights.
    tied = head is not None and any(layer.weight is head.weight for layer in embeddings)
    if getattr(base, "quantization_method", None) is not None or tied:
        return False
    try:
        # PEFT's own veto: some kinds of adapter cannot be added to weights, or not to layers that share theirs.
        adapted.base_model._check_merge_allowed()
    except ValueError:
        return False
    return base.dtype == torch.float32 or is_plain_lora(adapted)


def is_plain_lora(adapted: Any) -> bool:
    """Whether an adapter is LoRA alone: no DoRA, and no module or token that is trained whole."""
    from peft.utils.other import AuxiliaryTrainingWrapper

    modules = list(adapted.modules())
    whole = any(isinstance(module, AuxiliaryTrainingWrapper) for module in modules)
    return not whole and not any(getattr(module, "lora_variant", None) for module in modules)


def _check_tensors(adapted: Any, folder: Path) -> None:
    """PEFT loads a file that lacks tensors, or holds NaN, with at most a warning; the base would be scored in its name."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    saved = load_file(folder / WEIGHTS)
    # By default PEFT asks the Hub for the configuration of the base, to see whether the vocabulary grew.
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if lacking := sorted(wanted - set(saved)):
        raise SteadyError(
            f"{folder}: the adapter lacks {len(lacking)} of {len(wanted)} tensors, such as {lacking[0]}. Retrain it."
        )
    # PEFT keeps embeddings of a grown vocabulary beside the matrices.
    if strange := sorted(set(saved) - wanted - set(_of_embeddings(adapted.get_base_model(), saved))):
        raise SteadyError(
            f"{folder}: the adapter holds {len(strange)} tensors that the model has not, such as {strange[0]}. Retrain it."
        )
    # One NaN in a matrix makes every logit of every prompt NaN.
    for name, tensor in saved.items():
        if not bool(torch.isfinite(tensor).all()):
            raise SteadyError(f"{folder}: the tensor {name} is not finite. Retrain the adapter.")
