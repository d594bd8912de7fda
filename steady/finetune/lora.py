"""LoRA through PEFT, with every key of its config that a recipe sets; settings that PEFT would ignore are refused."""

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.finetune.params import LoraParams, TrainParams
from steady.models.base import Base
from steady.models.description import linear_layers, not_adapted


def add_lora(model: Any, params: LoraParams, base: Base, task: str, new_tokens: Sequence[int] = ()) -> Any:
    """Add trainable LoRA matrices to a model of transformers; SteadyError where modules are named that it has not, or PEFT refuses.

    Args:
        task: of `peft.TaskType`.
        new_tokens: ids whose embeddings are trained too (and their rows of an output layer of its own).
    """
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

    # Of several names PEFT refuses only if none matches; one that was misspelt would silently train nothing.
    names = [name for name, _ in model.named_modules()]
    layers = f"Linear layers of this model: {', '.join(linear_layers(model))}; or `all-linear`."
    wanted = [params.target_modules] if isinstance(params.target_modules, str) else params.target_modules
    faults = [
        f"lora.{key}: {module!r} matches no module of this model."
        for key, modules in (("target_modules", wanted), ("modules_to_save", params.modules_to_save or []))
        for module in modules
        if module != "all-linear" and not any(name == module or name.endswith(f".{module}") for name in names)
    ]
    if faults:
        raise SteadyError("\n".join([*faults, layers]))
    settings = params.model_dump(exclude={"loraplus_lr_ratio"})
    if params.target_modules == "all-linear":
        settings["exclude_modules"] = list(not_adapted(model)) or None
    if new_tokens:
        # Tied weights are trained through the input embeddings alone; twice, PEFT would hold two copies of the same rows.
        layers_of_tokens = [model.get_input_embeddings()]
        head = model.get_output_embeddings()
        if head is not None and head.weight is not layers_of_tokens[0].weight:
            layers_of_tokens.append(head)
        settings["trainable_token_indices"] = {
            name: list(new_tokens)
            for name, module in model.named_modules()
            if any(module is one for one in layers_of_tokens)
        }
    config = LoraConfig(task_type=task, base_model_name_or_path=base.public_id, revision=base.revision, **settings)
    try:
        adapted = get_peft_model(model, config)
    except (ValueError, TypeError, RuntimeError, KeyError, ImportError) as error:
        raise SteadyError(f"lora: {error}\n{layers}") from error
    # PiSSA and OLoRA take what they put into the adapter out of the base: the adapter as it begins is needed to save one that fits
    # the published base (`save_adapter`).
    if str(params.init_lora_weights).startswith(("pissa", "olora")):
        state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
        adapted.initial_adapter = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
    return adapted


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter so that it fits the published base: one that began by changing the base is saved as the difference of
    what it became and what it was, which has twice the rank.
    """
    from safetensors.torch import save_file

    # By default PEFT asks the Hub for the base's configuration, to see whether the vocabulary grew.
    offline = {"save_embedding_layers": False}
    if not hasattr(model, "initial_adapter"):
        model.save_pretrained(str(folder), **offline)
        return
    # PEFT subtracts the initial adapter itself, and reads it from a folder.
    with tempfile.TemporaryDirectory(prefix="steady-initial-") as place:
        initial = Path(place) / "initial"
        initial.mkdir()
        config = copy.deepcopy(model.peft_config["default"])
        config.init_lora_weights = True
        config.save_pretrained(str(initial))
        save_file(model.initial_adapter, initial / "adapter_model.safetensors", metadata={"format": "pt"})
        model.save_pretrained(str(folder), path_initial_model_for_weight_conversion=str(initial), **offline)


def loraplus_optimizer(model: Any, lora: LoraParams, train: TrainParams) -> Any:
    """The optimizer of LoRA+ (Hayou et al. 2024, arXiv 2402.12354), or None where `loraplus_lr_ratio` is null."""
    if lora.loraplus_lr_ratio is None:
        return None
    from peft.optimizers import create_loraplus_optimizer
    from transformers import Trainer, TrainingArguments

    rate = train.learning_rate
    arguments = TrainingArguments(output_dir="unused", optim=train.optim, learning_rate=rate, report_to="none")
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments)
    settings.pop("lr")  # LoRA+ sets one for each group of parameters
    return create_loraplus_optimizer(
        model=model,
        optimizer_cls=kind,
        lr=rate,
        loraplus_lr_ratio=lora.loraplus_lr_ratio,
        loraplus_weight_decay=train.weight_decay,
        **settings,
    )
