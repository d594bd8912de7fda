"""What a model is, looked up before it is measured or trained: its head, classes, positions, end tokens, padding, chat template."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from steady.errors import SteadyError
from steady.models.tokenizer import Task, end_ids

NO_LIMIT = 10**6  # tokenizers without a limit carry 10 ** 30
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
"""Where the configurations of transformers keep the number of positions."""
UNBOUNDED = {"bloom", "mamba", "mamba2", "falcon_mamba", "rwkv", "recurrent_gemma", "mpt", "xlnet"}
UNBOUNDED |= {"t5", "mt5", "umt5", "longt5", "switch_transformers", "udop"}
"""Kinds of model whose attention knows distances alone, or that have none: the number in their configuration is no limit."""


NO_CHOICE = (
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id", "stop_strings"),
    *("max_length", "max_new_tokens", "use_cache", "cache_implementation", "transformers_version"),
)
"""Generation settings that do not choose between tokens, or that are followed."""


@dataclass(frozen=True)
class Description:
    """A model as its configuration, generation settings and tokenizer describe it; no weights are needed.

    `task` is the kind of its head, None for an encoder without one; `labels` are the classes of a SEQ_CLS head, and `exclusive`
    says that exactly one of them is the answer; `positions` is the most tokens at a time, None where there is no limit;
    `end_ids` end a response, none: every response runs to the limit.
    """

    task: Task | None
    labels: tuple[str, ...]
    exclusive: bool
    positions: int | None
    end_ids: tuple[int, ...]


def describe(config: Any, tokenizer: Any, generation_config: Any = None, model: Any = None) -> Description:
    """Describe a model from its `PretrainedConfig`, tokenizer and `GenerationConfig`; the table of positions of the loaded `model` may
    hold fewer places than the configuration says.
    """
    task = task_of(config)
    # In the order of the columns of the logits; `id2label` may list them in any.
    names = [config.id2label[place] for place in range(config.num_labels)] if task == "SEQ_CLS" else []
    return Description(
        task=task,
        labels=tuple(names),
        exclusive=len(names) > 1 and config.problem_type in (None, "single_label_classification"),
        positions=_positions(config, tokenizer, model),
        end_ids=end_ids(tokenizer, generation_config),
    )


def task_of(config: Any) -> Task | None:
    """The kind of head that the saved model has, by the architectures that its configuration names."""
    heads = " ".join(config.architectures or [])
    if "ForSequenceClassification" in heads:
        return "SEQ_CLS"
    if config.is_encoder_decoder:
        return "SEQ_2_SEQ_LM"
    return "CAUSAL_LM" if "LMHead" in heads or "ForCausalLM" in heads else None


def check_task(model_id: str, task: Task, config: Any) -> None:
    """Refuse to load a model as one of another family. Any encoder takes a new head; an untrained decoder is no writer.
    SteadyError where an encoder-decoder is to be a causal model, or the other way round.
    """
    family = "SEQ_2_SEQ_LM" if config.is_encoder_decoder else "CAUSAL_LM"
    if task not in ("SEQ_CLS", family):
        raise SteadyError(
            f"model.task: {model_id!r} is a {config.model_type} model, which is not of {task}. Set it to {family}."
        )


def check_classes(model_id: str, known: Description) -> None:
    """SteadyError where a head gives one score, several numbers, or labels that do not exclude each other."""
    if known.task != "SEQ_CLS" or known.exclusive:
        return
    if len(known.labels) == 1:
        what = "gives one score (num_labels 1), as reward models, cross-encoders and regressions do: there is nothing to choose from"
    else:
        number = len(known.labels)
        what = f"gives {number} numbers that are no choice between classes (problem_type of its configuration)"
    raise SteadyError(
        f"{model_id}: its head {what}. One label of two or more is measured here (problem_type single_label_classification). "
        "Give a classifier of two classes or more, or a model that generates."
    )


def not_followed(generation_config: Any) -> list[str]:
    """The generation settings of a model that greedy responses do not follow, such as `temperature=0.6`."""
    changed = {} if generation_config is None else generation_config.to_diff_dict()
    return [
        f"{name}={value!r}"
        for name, value in sorted(changed.items())
        if name not in NO_CHOICE and not name.startswith(("_", "output_", "return_"))
        # temperatures, penalties and beams of 1 change nothing
        if value is True or (value is not None and value is not False and value != 1)
    ]


def check_own_labels(model_id: str, config: Any, labels: Sequence[str]) -> None:
    """SteadyError where the head that a model came with has other labels, or the same ones in another order."""
    own = [config.id2label[place] for place in range(config.num_labels)]
    # Heads that were saved without names are called LABEL_0 …, and are taken in the order of `data.labels`.
    named = any(not str(name).startswith("LABEL_") for name in own)
    if not named and not any("SequenceClassification" in name for name in config.architectures or []):
        return  # a base without a head of its own gets an untrained one: the baseline of published fine-tunings
    if (named and own != list(labels)) or len(own) != len(labels):
        raise SteadyError(
            f"model.id {model_id!r}: its head has the classes {own}, in this order; `data.labels` are {list(labels)}. "
            "With method `none` the head stays as it is: make `data.labels` equal to it, or choose `lora` or `full`."
        )


def check_positions(model: Any, tokenizer: Any, max_length: int) -> None:
    """SteadyError where `format.max_length` passes the positions of the model: it would end in an index out of its table."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    positions = describe(base.config, tokenizer, None, base).positions
    if positions is not None and max_length > positions:
        raise SteadyError(
            f"format.max_length is {max_length}, and the model ({base.config.model_type}) has {positions} positions for tokens. Lower "
            f"it to {positions}, or choose a model for longer texts."
        )


def linear_layers(model: Any) -> tuple[str, ...]:
    """The last names of the layers that `all-linear` adapts, sorted: linear ones and GPT-2's `Conv1D`, without the output layer."""
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    output = next((name for name, one in model.named_modules() if one is head), None)
    names = {name.split(".")[-1] for name in _linear(model) if name != output}
    return tuple(sorted(names - set(not_adapted(model))))


def not_adapted(model: Any) -> tuple[str, ...]:
    """The last names of linear layers that LoRA cannot be put on, sorted: `all-linear` leaves them out."""
    names = {name.split(".")[-1] for name in _linear(model)}
    # PEFT trains the head of a classifier whole, and takes DistilBERT's `pre_classifier` for one by the end of its name.
    found = {name for name in names if name.endswith(("classifier", "score"))} if classifies(model) else set()
    # Mamba's kernels, and Falcon Mamba everywhere, read the weights of these layers and pass by what LoRA adds to their output.
    if model.config.model_type in ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h"):
        found |= names & {"out_proj", "dt_proj"}
    return tuple(sorted(found))


def classifies(model: Any) -> bool:
    """Whether a model has a head of transformers for sequence classification."""
    return type(model).__name__.endswith("ForSequenceClassification")


def _linear(model: Any) -> list[str]:
    """The names of linear layers."""
    import torch
    from transformers.pytorch_utils import Conv1D

    return [name for name, one in model.named_modules() if isinstance(one, torch.nn.Linear | Conv1D)]


def _positions(config: Any, tokenizer: Any, model: Any) -> int | None:
    text = config.get_text_config(decoder=True)
    # ALiBi and DeBERTa's relative attention have no table either.
    biased = getattr(text, "position_biased_input", True)
    if text.model_type in UNBOUNDED or getattr(text, "alibi", False) or biased is False:
        return None
    limits = (*(getattr(text, name, None) for name in POSITIONS), getattr(tokenizer, "model_max_length", None))
    stated = [limit for limit in limits if isinstance(limit, int) and 0 < limit < NO_LIMIT]
    # RoBERTa's kind keeps the rows of its table of positions up to the padding index for no token.
    places = [
        int(table.num_embeddings - table.padding_idx - 1)
        for name, table in (model.named_modules() if model is not None else ())
        if name.endswith("position_embeddings") and getattr(table, "padding_idx", None) is not None
    ]
    return min([*places, *stated[:1]], default=None)
