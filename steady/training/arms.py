"""The arms of a run, and the settings of the methods that train them."""

from typing import Literal

from pydantic import Field

from steady.parameters import Section

Method = Literal["none", "probe", "lora", "full"]


class Arm(Section):
    """One entry of `arms`.

    `wordings` names the training schedule; `settings` and `schedule` name the sections of `params.yaml` whose change makes
    the arm stale (`dvc.yaml` reads them), so that a change of `lora.r` leaves a probe alone.
    """

    method: Method
    wordings: Literal["canonical", "variants"]
    settings: Literal["probe", "lora", "train"]
    schedule: Literal["probe", "train"]


class ProbeParams(Section):
    """Section `probe`: logistic regression on frozen features; `C` lists the inverse regularisation strengths to try."""

    C: list[float] = Field(min_length=1)


class LoraParams(Section):
    """Section `lora`: keys of `peft.LoraConfig`."""

    r: int = Field(ge=1)
    lora_alpha: int = Field(ge=1)
    lora_dropout: float = Field(ge=0, lt=1)
    target_modules: str | list[str]
    modules_to_save: list[str] | None
    use_rslora: bool
    use_dora: bool


class TrainParams(Section):
    """Section `train`: keys of `transformers.TrainingArguments`, the patience of its `EarlyStoppingCallback` in epochs, and
    `base_dropout`, the dropout inside the base while it trains (null keeps its own; on a CPU, 0 trains about twice as fast).
    """

    num_train_epochs: int = Field(ge=1)
    per_device_train_batch_size: int = Field(ge=1)
    gradient_accumulation_steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"]
    warmup_steps: float = Field(ge=0)
    weight_decay: float = Field(ge=0)
    max_grad_norm: float = Field(gt=0)
    label_smoothing_factor: float = Field(ge=0, lt=1)
    early_stopping_patience: int = Field(ge=1)
    base_dropout: float | None = Field(ge=0, lt=1)
