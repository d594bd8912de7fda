"""How the weights of a model are held: dtype, quantisation by bitsandbytes, attention, devices."""

from typing import TYPE_CHECKING, Any

from steady.errors import SteadyError

if TYPE_CHECKING:
    import torch

    from steady.models.params import ModelParams


def weight_settings(
    params: "ModelParams", config: Any, device: "torch.device", device_map: str | None
) -> dict[str, Any]:
    """How weights are held: precision, quantisation, attention, devices."""
    import torch
    from transformers import BitsAndBytesConfig

    settings: dict[str, Any] = {"dtype": getattr(torch, pick_dtype(params, config, device))}
    if params.attn_implementation:
        settings["attn_implementation"] = params.attn_implementation
    if params.quantization == "int8":
        settings["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    elif params.quantization == "nf4":
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=params.bnb_4bit_use_double_quant,
            bnb_4bit_compute_dtype=getattr(torch, params.bnb_4bit_compute_dtype),
        )
    # bitsandbytes quantises while it loads, so the device has to be known by then.
    if device_map or params.quantization != "none":
        settings["device_map"] = device_map or {"": str(device)}
    return settings


def pick_dtype(params: "ModelParams", config: Any, device: "torch.device") -> str:
    """The name of the dtype that `model.dtype` stands for; SteadyError: float16 for a T5, whose activations pass its range.

    `auto` is bfloat16 on a CPU with instructions for it and float32 on another one. On a GPU it is the 16-bit dtype of the
    model's config (never float16 for a T5), else bfloat16 where the GPU has it.
    """
    import torch

    is_t5 = "t5" in config.model_type
    halves = {params.dtype, params.bnb_4bit_compute_dtype if params.quantization == "nf4" else params.dtype}
    if is_t5 and "float16" in halves:
        raise SteadyError(
            "model.dtype: T5 models overflow in float16 and train to NaN. Use bfloat16 or float32 (the compute dtype too)."
        )
    if params.dtype != "auto":
        return params.dtype
    if device.type != "cuda":
        # AMX or AVX-512 BF16 multiply bfloat16 matrices; other CPUs emulate it, slower than float32
        found = torch.cpu.get_capabilities()
        return "bfloat16" if found.get("amx_bf16") or found.get("avx512_bf16") else "float32"
    # what a model was trained in fits its activations
    if config.dtype == torch.float16 and not is_t5:
        return "float16"
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bfloat16"
    return "float32" if is_t5 else "float16"


def keep_packing(model: Any) -> None:
    """Keep 4-bit weights as they were loaded.

    On a CPU with bf16 instructions bitsandbytes repacks them at the first pass in evaluation mode, for good and with scales of
    16 bits: training would go on from other weights than it began with, and another CPU would compute other numbers.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
