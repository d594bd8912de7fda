"""The arms of a run, and the settings of the methods that train them."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints, ValidationError, field_validator

from steady.errors import SteadyError
from steady.models.arm import Method
from steady.models.params import ModelParams
from steady.parameters import Runtime, Section, StageParams, faults_of
from steady.prompts.params import LabelNames, PromptLength

PissaIterations = Annotated[str, StringConstraints(pattern=r"^pissa_niter_[1-9][0-9]*$")]
Objective = Literal["none", "sft", "dpo", "grpo", "consistency"]
TRAINING = ("probe", "lora", "train", *get_args(Objective)[1:])  # sections that an arm may have settings of its own of


class ArmScoring(Section):
    """What an arm does when it is asked, beside what it has learned.

    `solved_examples` of the training examples stand before every prompt (few-shot); `calibrated` divides the probability of a
    label by its mean over the prompts of the same wording; `averaged_wordings` is over how many wordings of an item the
    probabilities are averaged, each of which has to be asked.
    """

    solved_examples: int = Field(default=0, ge=0)
    calibrated: bool = False
    averaged_wordings: int = Field(default=1, ge=1)


class Arm(Section):
    """One entry of `arms`.

    `wordings` names the training schedule. `method` and `objective` are also names of sections of `params.yaml`: `dvc.yaml`
    tracks those two for each arm, so that a change of `lora.r` leaves a probe alone. `dpo` and `grpo` begin with `sft`.

    `sampler` puts the batches together: rows at random (`shuffled`), all rows of a step under one wording (`by_wording`), or
    `group_size` wordings of each item in one batch (`grouped`). `settings` are keys of the sections of training, and
    `format.max_length`, that this arm has otherwise than the others: `{lora.r: 8}`. `scoring`: rivals of training.
    """

    method: Method
    wordings: Literal["canonical", "variants"]
    objective: Objective
    sampler: Literal["shuffled", "by_wording", "grouped"] = "shuffled"
    group_size: int = Field(default=2, ge=2)
    settings: dict[str, Any] = Field(default_factory=dict)
    scoring: ArmScoring = ArmScoring()

    def shown(self) -> dict[str, Any]:
        """The keys that are not at their default, and the three that have none."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ProbeParams(Section):
    """Section `probe`: logistic regression on frozen features; `C` lists the inverse regularisation strengths to try."""

    C: list[float] = Field(min_length=1)


class LoraParams(Section):
    """Section `lora`: keys of `peft.LoraConfig`, and `loraplus_lr_ratio`, by how much the learning rate of the B matrices is
    above that of the A matrices (LoRA+, Hayou et al. 2024, arXiv 2402.12354; null: the same for both).
    """

    r: int
    lora_alpha: int = Field(ge=1)
    lora_dropout: float = Field(ge=0, lt=1)
    target_modules: str | list[str]
    modules_to_save: list[str] | None
    use_rslora: bool
    use_dora: bool
    init_lora_weights: bool | Literal["gaussian", "olora", "orthogonal", "pissa"] | PissaIterations = True
    loraplus_lr_ratio: float | None = Field(default=None, gt=0)

    @field_validator("r")
    @classmethod
    def _trains_something(cls, r: int) -> int:
        if r < 1:
            raise ValueError(f"a rank of {r} trains nothing: give at least 1, or choose the method `none` or `probe`")
        return r


class TrainParams(Section):
    """Section `train`: keys of `transformers.TrainingArguments`, the patience of its `EarlyStoppingCallback` in evaluations,
    and `base_dropout`, the dropout inside the base while it trains (null keeps its own; on a CPU, 0 trains about twice as
    fast). It evaluates every `eval_steps` optimizer steps; null: after each epoch.
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
    optim: str = "adamw_torch_fused"
    max_steps: int = Field(default=-1, ge=-1)
    eval_steps: int | None = Field(default=None, ge=1)
    gradient_checkpointing: bool = False

    def arguments(self) -> dict[str, Any]:
        """The keys of `transformers.TrainingArguments`; transformers 5.23 warns of the old name of gradient checkpointing."""
        # Keys of callbacks and of the base, or that are named otherwise.
        others = {"early_stopping_patience", "base_dropout", "eval_steps", "gradient_checkpointing"}
        return self.model_dump(exclude=others) | {"activation_checkpointing": self.gradient_checkpointing}


class SftParams(Section):
    """Section `sft`: supervised fine-tuning of a model that generates.

    The loss is on the answer alone (`completion_only_loss`) or on prompt and answer. `packing` puts several rows into one
    sequence. Before the first step and every `preview_steps` optimizer steps the prompts of the file `preview_prompts` (null: a
    few of the validation split) are answered and kept; `generate_rows` validation rows are answered and scored at each
    evaluation.
    """

    completion_only_loss: bool
    packing: bool
    preview_steps: int | None = Field(ge=1)
    preview_prompts: str | None
    generate_rows: int = Field(ge=0)


DpoLoss = Literal["sigmoid", "sigmoid_norm", "hinge", "ipo", "robust", "apo_zero", "apo_down", "sft"]


class DpoParams(Section):
    """Section `dpo`: keys of `trl.DPOConfig` (of several losses in `loss_type` the sum), and where the pairs come from.

    `pairs: data` takes the rejected answers of the data; `sampled` draws `num_samples` answers for each prompt at `temperature`
    and takes the best and the worst of them, by chrF and at most `within_words` words.
    """

    beta: float = Field(gt=0)
    loss_type: DpoLoss | list[DpoLoss]
    learning_rate: float = Field(gt=0)
    num_train_epochs: int = Field(ge=1)
    per_device_train_batch_size: int = Field(ge=1)
    pairs: Literal["data", "sampled"]
    num_samples: int = Field(ge=2)
    temperature: float = Field(gt=0)
    within_words: int = Field(ge=1)
    max_length: int = Field(ge=1)


class GrpoParams(Section):
    """Section `grpo`: keys of `trl.GRPOConfig`, and the words of an answer that is rewarded as short."""

    beta: float = Field(ge=0)
    learning_rate: float = Field(gt=0)
    max_steps: int = Field(ge=1)
    per_device_train_batch_size: int = Field(ge=1)
    num_generations: int = Field(ge=2)
    max_completion_length: int = Field(ge=1)
    temperature: float = Field(gt=0)
    within_words: int = Field(ge=1)


class ConsistencyParams(Section):
    """Section `consistency`; every key has a default, so that `consistency: {}` is a whole section.

    From the share `start` of the optimizer steps on, `penalty` is weighed in, with a weight that rises to `lambda_max` within the
    share `ramp`: `jsd` is the Jensen-Shannon divergence between the wordings of an item, as a share of its largest value, of
    vocabularies with the `top_tokens` likeliest tokens told apart; `consensus` the cross-entropy to the answer that most wordings
    give. `placebo` compares different items of one label in place of wordings of one item. `tilt` is the eta of a tilted loss over
    the wordings of an item (0: their mean).
    """

    lambda_max: float = Field(default=1.0, ge=0)
    start: float = Field(default=0.2, ge=0, lt=1)
    ramp: float = Field(default=0.3, gt=0, le=1)
    penalty: Literal["jsd", "consensus"] = "jsd"
    placebo: bool = False
    tilt: float = Field(default=0.0, ge=0)
    top_tokens: int = Field(default=64, ge=1)


class FinetuneParams(StageParams):
    """The view of `params.yaml` that the finetune stage has; a section that no arm uses is checked all the same."""

    seed: int
    model: ModelParams
    data: LabelNames
    format: PromptLength
    arms: dict[str, Arm] = Field(min_length=1)
    probe: ProbeParams
    lora: LoraParams
    train: TrainParams
    sft: SftParams
    dpo: DpoParams
    grpo: GrpoParams
    consistency: ConsistencyParams = ConsistencyParams()
    runtime: Runtime

    def of_arm(self, name: str) -> "FinetuneParams":
        """The parameters with the arm's own `settings` in place; SteadyError where arm, key or value is none that is allowed."""
        if name not in self.arms:
            raise SteadyError(f"arms: no arm {name!r}. There are: {', '.join(self.arms)}.")
        values = self.model_dump()
        for key, value in self.arms[name].settings.items():
            section, _, last = key.partition(".")
            if key != "format.max_length" and (section not in TRAINING or last not in values[section]):
                raise SteadyError(
                    f"arms.{name}.settings: no key {key!r}. Allowed: format.max_length, and KEY of {', '.join(TRAINING)} as "
                    "SECTION.KEY, such as lora.r."
                )
            values[section][last] = value
        try:
            return FinetuneParams.model_validate(values)
        except ValidationError as error:
            found = faults_of(error, FinetuneParams)
            raise SteadyError("\n".join(f"arms.{name}.settings: {fault}" for fault in found)) from error
