"""What a model is, looked up before it is measured or trained: its head, classes, positions, end tokens, padding, chat template."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from steady.errors import SteadyError
from steady.models.tokenizer import Task, end_ids

NO_LIMIT = 10**6  # tokenizers without a limit carry 10 ** 30
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
"""Where the configurations of transformers keep the number of positions."""


NO_CHOICE = (
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id", "stop_strings"),
    *("max_length", "max_new_tokens", "use_cache", "cache_implementation", "transformers_version"),
)
"""Generation settings that do not choose between tokens, or that are followed."""


@dataclass(frozen=True)
class Description:
    """A model as its configuration, generation settings and tokenizer describe it; no weights are needed.

    `task` is the kind of its head, None for an encoder without one; `labels` are the classes of a SEQ_CLS head; `positions` is
    the most tokens at a time, None where nothing says; `end_ids` end a response, none: every response runs to the limit.
    """

    task: Task | None
    labels: tuple[str, ...]
    positions: int | None
    end_ids: tuple[int, ...]
    has_padding: bool
    has_chat_template: bool


def describe(config: Any, tokenizer: Any, generation_config: Any = None) -> Description:
    """Describe a model from what transformers reads of it: `PretrainedConfig`, tokenizer and `GenerationConfig`."""
    task = task_of(config)
    names = [config.id2label[place] for place in range(config.num_labels)] if task == "SEQ_CLS" else []
    return Description(
        task=task,
        labels=tuple(names),
        positions=_positions(config, tokenizer),
        end_ids=end_ids(tokenizer, generation_config),
        has_padding=tokenizer.pad_token is not None,
        has_chat_template=isinstance(tokenizer.chat_template, str),
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

    Raises:
        SteadyError: an encoder-decoder is to be a causal model, or the other way round.
    """
    family = "SEQ_2_SEQ_LM" if config.is_encoder_decoder else "CAUSAL_LM"
    if task not in ("SEQ_CLS", family):
        raise SteadyError(
            f"model.task: {model_id!r} is a {config.model_type} model, which is not of {task}. Set it to {family}."
        )


def not_followed(generation_config: Any) -> list[str]:
    """The generation settings of a model that greedy responses do not follow, such as `temperature=0.6`."""
    changed = {} if generation_config is None else generation_config.to_diff_dict()
    return [
        f"{name}={value!r}"
        for name, value in sorted(changed.items())
        if name not in NO_CHOICE and not name.startswith(("_", "output_", "return_")) and not _neutral(value)
    ]


def _neutral(value: Any) -> bool:
    """Whether a setting is off: temperatures, penalties and beams of 1 change nothing."""
    return value is None or value is False or (value is not True and value == 1)


def _positions(config: Any, tokenizer: Any) -> int | None:
    return next(_limits(config, tokenizer), None)


def _limits(config: Any, tokenizer: Any) -> Iterator[int]:
    text = config.get_text_config(decoder=True)
    for limit in (*(getattr(text, name, None) for name in POSITIONS), getattr(tokenizer, "model_max_length", None)):
        if isinstance(limit, int) and 0 < limit < NO_LIMIT:
            yield limit
