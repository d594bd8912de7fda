"""DPO and GRPO through TRL, on the adapter that supervised training left: trained in place, everything else put back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer

from steady.finetune.callbacks import LiveCurves, TrainingBar
from steady.finetune.checkpoints.checkpoints import kept_in
from steady.finetune.checkpoints.trainer import Resumable
from steady.finetune.preference.rows import Encode, PairRow, Question
from steady.finetune.preference.sampling import concise_reward
from steady.finetune.run import Record, TrainingRun
from steady.finetune.training import reporting
from steady.models.ranks import rank

ADAPTER, REFERENCE = "default", "ref"
SAVES = 10  # checkpoints of a run
OF_DPO = {"beta", "loss_type", "max_length", "learning_rate", "per_device_train_batch_size"}  # keys of trl.DPOConfig


class ResumableAdapter(Resumable):
    """Saves the adapter that is trained; the reference is made again, from the adapter that supervised training left."""

    def _save_weights(self: Any, folder: Path) -> None:
        self.model.save_pretrained(str(folder), save_embedding_layers=False, selected_adapters=[ADAPTER])


class PairTrainer(ResumableAdapter, DPOTrainer):
    """DPO on rows that are token ids already."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        # TRL would apply a template of its own, and prompts would be other ones than those that are scored.
        return dataset


class RewardTrainer(ResumableAdapter, GRPOTrainer):
    """GRPO whose prompts are tokenised as they are when an arm is scored."""

    def __init__(self, *arguments: Any, encode: Encode, **named: Any) -> None:
        self.encode = encode
        super().__init__(*arguments, **named)

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, object]]:
        return [self.encode(prompt) for prompt in prompts], None, {}


class PreferenceCurves(LiveCurves):
    """DVCLive curves of every figure that TRL logs, over optimizer steps; run times are left out."""

    LEFT_OUT = ("runtime", "per_second", "total_flos", "step_time", "profiling", "num_tokens", "epoch", "train_loss")

    def values(self, logs: Mapping[str, float]) -> Iterable[tuple[str, float]]:
        """What equal runs have in common, sorted by name, for a checkpoint sorts the log."""
        for name, value in sorted(logs.items()):
            if value is not None and name != "step" and not any(part in name for part in self.LEFT_OUT):
                yield name, float(value)


def train_pairs(model: Any, tokenizer: Any, rows: Sequence[PairRow], run: TrainingRun) -> list[Record]:
    """Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) against a frozen copy of the adapter as it came.
    The rows are taken in their order, once. Returns what was logged, an entry for each point of the curves.
    """
    params = run.params.dpo
    steps = -(-len(rows) // (params.per_device_train_batch_size * run.params.train.gradient_accumulation_steps))
    settings = params.model_dump(include=OF_DPO) | {
        "num_train_epochs": 1,  # `rows` holds the pairs of all epochs, each with the wording of its epoch
        "train_sampling_strategy": "sequential",  # the rows are shuffled already, once for each epoch
    }
    given = {"train_dataset": Dataset.from_list(list(rows)), "processing_class": tokenizer}
    return _history(PairTrainer, DPOConfig, settings | _shared(run, steps), run, model=model, **given)


def train_rewards(
    model: Any, tokenizer: Any, encode: Encode, asked: Sequence[Question], run: TrainingRun
) -> list[Record]:
    """Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300) of `concise_reward`; returns what was logged.
    The questions are taken in their order; with `beta` above 0 a frozen copy of the adapter as it came is the reference.
    """
    params = run.params.grpo

    def conciseness(completions: list[str], references: list[list[str]], **_: Any) -> list[float]:
        judged = zip(completions, references, strict=True)
        return [concise_reward(text, right, params.within_words) for text, right in judged]

    rows = [{"prompt": question.prompt, "references": list(question.references)} for question in asked]
    settings = params.model_dump(exclude={"within_words"}) | {"shuffle_dataset": False}
    given = {"train_dataset": Dataset.from_list(rows), "processing_class": tokenizer, "encode": encode}
    shared = _shared(run, params.max_steps)
    return _history(RewardTrainer, GRPOConfig, settings | shared, run, model=model, reward_funcs=conciseness, **given)


def _history(kind: Any, config: Any, settings: Record, run: TrainingRun, model: Any, **given: Any) -> list[Record]:
    """Train, or go on from the last good checkpoint; returns what was logged from the start."""
    with kept_in(run.checkpoints) as kept, restored(model):
        arguments = config(**settings, output_dir=str(kept.folder))
        callbacks = [TrainingBar(run.params.runtime.progress and rank() == 0), PreferenceCurves(run.curves)]
        # TRL copies the adapter as it is now: that copy is the reference.
        with undisturbed(model):
            trainer = kind(model=model, args=arguments, callbacks=callbacks, **given)
        trainer.checkpoints = kept
        trainer.train_or_resume()
        return list(trainer.state.log_history)


def _shared(run: TrainingRun, steps: int) -> Record:
    """Arguments of both trainers; what their own sections do not name is as in supervised training."""
    train = run.params.train
    names = ("gradient_accumulation_steps", "lr_scheduler_type", "warmup_steps", "weight_decay", "max_grad_norm")
    return {name: getattr(train, name) for name in (*names, "optim")} | {
        "activation_checkpointing": train.gradient_checkpointing,
        "disable_dropout": True,
        "save_strategy": "steps",
        "save_steps": max(1, steps // SAVES),
        "restore_callback_states_from_checkpoint": True,
        "logging_steps": max(1, steps // 50),  # so many points of a curve
        "bf16": False,  # the model has its dtype already; TRL would run it under autocast
        "seed": run.params.seed,
        "data_seed": run.params.seed,
        "dataloader_pin_memory": False,
        **reporting(run),
    }


@contextmanager
def restored(model: Any) -> Iterator[None]:
    """Put back what TRL changes beside the adapter: the patched forward, the reference adapter, dropout, padding tokens."""
    base = model.get_base_model()
    config, generation = base.config.get_text_config(), base.generation_config
    pads = config.pad_token_id, generation.pad_token_id
    patched = base.__dict__.get("forward")
    dropouts = [(module, module.p) for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        yield
    finally:
        if REFERENCE in model.peft_config:
            model.delete_adapter(REFERENCE)
        model.set_adapter(ADAPTER)
        for parameter in trained:
            parameter.requires_grad_(True)
        for module, probability in dropouts:
            module.p = probability
        config.pad_token_id, generation.pad_token_id = pads
        base.__dict__.pop("forward", None)
        if patched is not None:
            base.__dict__["forward"] = patched


@contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """While a trainer is made: what TRL and PEFT would do to the adapter that is trained or copied does not happen to it."""
    config = model.peft_config[ADAPTER]
    # The copy that is the reference is initialised: from the base's weights (PiSSA …) that would change the base again.
    before, config.init_lora_weights = config.init_lora_weights, True
    # TRL casts the adapter of a quantised model to bfloat16, in which small steps are lost.
    weights = {name: parameter.data for name, parameter in model.named_parameters() if parameter.requires_grad}
    try:
        yield
    finally:
        config.init_lora_weights = before
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.data = weights[name]
