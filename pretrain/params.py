"""Typed parameters of ``pretrain/params.yaml``; unknown keys are refused, all faults at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A part of the params file that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CorpusParams(Section):
    """Where the corpus comes from and what is kept of it; paths count from the repository root.

    Exactly one of ``checkout`` and the pair ``rows``, ``tasks`` is set.
    """

    checkout: Path | None
    rows: Path | None
    tasks: Path | None
    max_file_bytes: Count
    max_characters: Count
    max_task_rows: Count
    max_labels: Count
    min_rows_per_label: Count
    held_out_percent: Annotated[float, Field(gt=0, lt=100)]
    seed: int


class TokenizerParams(Section):
    """The tokenizer: entries, and how many of them are sentinels."""

    vocab_size: Count
    sentinels: Count


class MixtureParams(Section):
    """Field by field ``pretrain.sampling.Mixture``."""

    other_share: Share
    max_group_rows: Count
    canonical_share: Share
    definition_last_share: Share
    examples_share: Share
    definition_characters: Count


class LossParams(Section):
    """Field by field ``pretrain.rendering.LossWeights``."""

    label: float
    answer: float
    input: float
    input_share: Share


class TrainParams(Section):
    """One training run; names of ``transformers.TrainingArguments`` where they exist.

    Attributes:
        micro_batch_tokens: tokens of one forward pass on one device.
        gradient_accumulation_steps: micro-batches of one update, over all devices together.
        short_length: sequence length of most micro-batches, in tokens.
        long_length: sequence length of every ``long_every``-th micro-batch.
        max_short_characters: rows with longer inputs go to the long sequences.
        span_corruption_share: share of rows that become span corruption (T5 only).
        target_length: decoder length of a packed sequence (T5 only).
        decay_steps: last steps, in which the learning rate falls to zero.
    """

    seed: int
    bf16: bool
    micro_batch_tokens: Count
    gradient_accumulation_steps: Count
    short_length: Count
    long_length: Count
    long_every: Count
    max_short_characters: Count
    span_corruption_share: Share
    target_length: Count
    max_steps: Count
    warmup_steps: int
    decay_steps: Count
    learning_rate: float
    muon_learning_rate: float
    weight_decay: float
    adam_beta1: float
    adam_beta2: float
    max_grad_norm: float
    mixture: MixtureParams
    loss: LossParams


class ArchitectureParams(Section):
    """Names of ``transformers.LlamaConfig`` (``llama``) or ``T5Config`` (``t5``)."""

    model_type: Literal["llama", "t5"]
    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Count
    num_decoder_layers: Count
    num_attention_heads: Count
    max_position_embeddings: Count
    rope_theta: float


class ModelParams(Section):
    """One model: its architecture and its training."""

    architecture: ArchitectureParams
    train: TrainParams


class EvaluateParams(Section):
    """What the evaluation measures and on how many rows."""

    seed: int
    classification_rows: Count
    language_rows: Count
    unseen_rows_per_task: Count
    generations: Count
    max_new_tokens: Count
    definition_characters: Count
    ngram_order: Count
    unseen_tasks: Path


class Params(Section):
    """The whole file."""

    corpus: CorpusParams
    tokenizer: TokenizerParams
    models: dict[str, ModelParams]
    evaluate: EvaluateParams


def read_params(path: Path) -> Params:
    """Read and check a params file (YAML 1.2, so ``1e-4`` is a number).

    Raises:
        pydantic.ValidationError: naming every fault.
    """
    return Params.model_validate(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
