"""Adapters of PEFT on a base model, checked when they are loaded: PEFT loads a damaged file with at most a warning."""

from pathlib import Path
from typing import Any

from steady.errors import SteadyError


def attach_adapter(model: Any, folder: Path, public_id: str) -> Any:
    """The base with the adapter in `folder`, merged into its weights where that is possible (see `is_mergeable`).

    The sum is computed in float32 and rounded once to the dtype of the base: logits of float32 move by less than 1e-5, those of
    16 bits by no more than the rounding of the base's own weights moves them.

    Raises:
        SteadyError: there is no adapter, it was made for another base, or its tensors are not finite or not the model's.
    """
    from peft import PeftConfig, PeftModel

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise SteadyError(
                f"{folder}: no adapter ({name} is missing). Run `dvc repro` to train it or `dvc pull` to fetch it."
            )
    # PEFT loads an adapter on any base whose modules have the same names and shapes.
    made_for = PeftConfig.from_pretrained(str(folder)).base_model_name_or_path
    if made_for != public_id:
        raise SteadyError(
            f"{folder}: the adapter was trained on {made_for!r}, but model.id is {public_id!r}. Retrain it, or set model.id back."
        )
    try:
        adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    except (RuntimeError, ValueError, OSError) as error:
        raise SteadyError(f"{folder}: the adapter does not fit the base: {error}") from error
    _check_tensors(adapted, folder)
    return (adapted.merge_and_unload() if is_mergeable(adapted) else adapted).eval()


def is_mergeable(adapted: Any) -> bool:
    """Whether an adapter can be added to the weights of its base.

    Not where the base is quantised, whose few bits cannot hold the sum, nor where its output layer would change with adapted
    embeddings. In 16 bits plain LoRA alone is merged: PEFT multiplies the weights of DoRA in the wrong dtype, and modules that
    are trained whole keep a dtype of their own.
    """
    import torch

    base = adapted.get_base_model()
    if getattr(base, "quantization_method", None) is not None or adapts_tied_embeddings(adapted):
        return False
    return base.dtype == torch.float32 or is_plain_lora(adapted)


def is_plain_lora(adapted: Any) -> bool:
    """Whether an adapter is LoRA alone: no DoRA, and no module or token that is trained whole."""
    from peft.utils.other import AuxiliaryTrainingWrapper

    return not any(
        isinstance(module, AuxiliaryTrainingWrapper) or getattr(module, "lora_variant", None)
        for module in adapted.modules()
    )


def adapts_tied_embeddings(adapted: Any) -> bool:
    """Whether the adapter changes embeddings whose weights are the output layer's too: the output layer it leaves as it is."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    head = adapted.get_output_embeddings()
    layers = (module.get_base_layer() for module in adapted.modules() if isinstance(module, BaseTunerLayer))
    return any(
        isinstance(layer, torch.nn.Embedding) and head is not None and layer.weight is head.weight for layer in layers
    )


def _check_tensors(adapted: Any, folder: Path) -> None:
    """PEFT loads a file that lacks tensors, or holds NaN, with at most a warning; the base would be scored in its name."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    saved = load_file(folder / "adapter_model.safetensors")
    # By default PEFT asks the Hub for the configuration of the base, to see whether the vocabulary grew.
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if lacking := sorted(wanted - set(saved)):
        raise SteadyError(
            f"{folder}: the adapter lacks {len(lacking)} of {len(wanted)} tensors, such as {lacking[0]}. Retrain it."
        )
    if strange := sorted(set(saved) - wanted):
        raise SteadyError(
            f"{folder}: the adapter holds {len(strange)} tensors that the model has not, such as {strange[0]}. Retrain it."
        )
    for name, tensor in saved.items():
        if not bool(torch.isfinite(tensor).all()):
            raise SteadyError(f"{folder}: the tensor {name} is not finite. Retrain the adapter.")
