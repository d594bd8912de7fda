"""Preference tuning of an arm: DPO or GRPO from the adapter that supervised training left, in the same stage."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steady.errors import SteadyError
from steady.finetune.checkpoints.checkpoints import Checkpoints
from steady.finetune.preference.rows import Pair, count_pairs, encode_pairs, questions
from steady.models.tokenizer import answer_ids, cut_prompt, prompt_ids

if TYPE_CHECKING:
    from steady.finetune.finetune import FinetuneParams, Material
    from steady.finetune.preference.trainers import Run

OBJECTIVES = ("dpo", "grpo")
SHOWN = {
    "dpo": (
        "rewards/chosen",
        "rewards/rejected",
        "rewards/margins",
        "rewards/accuracies",
        "logps/chosen",
        "logps/rejected",
    ),
    "grpo": ("reward", "reward_std", "kl", "entropy", "completions/mean_length", "frac_reward_zero_std"),
}


def check_preference(name: str, params: "FinetuneParams", material: "Material") -> None:
    """Refuse, before a model is loaded, what preference tuning cannot do.

    Raises:
        SteadyError: the model does not generate text causally, the arm has no adapter, the data has no pairs, or the batch does
            not hold whole groups.
    """
    arm = params.arms[name]
    if arm.objective not in OBJECTIVES:
        return
    faults = []
    if params.model.task != "CAUSAL_LM":
        faults.append(f"arms.{name}: objective {arm.objective} needs model.task CAUSAL_LM, got {params.model.task}.")
    if arm.method != "lora":
        faults.append(
            f"arms.{name}: objective {arm.objective} needs method lora, got {arm.method}: the adapter as supervised training "
            "leaves it is the reference."
        )
    if arm.objective == "dpo" and params.dpo.pairs == "data" and not count_pairs(material.prompts):
        faults.append(
            "dpo.pairs: data, but no training example has a losing answer. Use a source with `format: preference`, or "
            "`dpo.pairs: sampled`."
        )
    together = params.grpo.per_device_train_batch_size * params.train.gradient_accumulation_steps
    if arm.objective == "grpo" and together % params.grpo.num_generations:
        faults.append(
            f"grpo.per_device_train_batch_size × train.gradient_accumulation_steps is {together}, which does not hold whole "
            f"groups of grpo.num_generations: {params.grpo.num_generations}."
        )
    if faults:
        raise SteadyError("\n".join(faults))


@dataclass(frozen=True)
class _Job:
    """The tuning of one arm: the PeftModel, the objective, settings and data, and where the curves and the checkpoints go."""

    model: Any
    tokenizer: Any
    objective: str
    params: "FinetuneParams"
    material: "Material"
    curves: Path
    saved: Checkpoints | None

    @property
    def run(self) -> "Run":
        from steady.finetune.preference.trainers import Run

        return Run(self.params.train, self.params.seed, self.curves, self.params.runtime.progress, self.saved)

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a prompt, cut as in supervised training."""
        task, framed = self.params.model.task, self.params.model.chat_template
        return cut_prompt(prompt_ids(self.tokenizer, task, prompt, framed), task, self.params.format.max_length)

    def encode_answer(self, answer: str, prompt: str) -> list[int]:
        """Token ids of an answer that follows a prompt."""
        return answer_ids(self.tokenizer, self.params.model.task, answer, prompt, self.params.model.chat_template)


def prefer(
    model: Any,
    tokenizer: Any,
    name: str,
    params: "FinetuneParams",
    material: "Material",
    curves: Path,
    saved: Checkpoints | None = None,
) -> dict[str, Any]:
    """Train the adapter of `model`, a PeftModel, further in place; its state on entry is the reference.

    Args:
        saved: the checkpoints of the arm, in whose folder those of this training lie; None: a run that is stopped begins anew.

    Returns:
        What the record keeps: where the pairs came from and how many were cut or dropped, TRL's figures at the first and the
        last logged step, and how short and how true greedy answers to `sft.generate_rows` validation prompts were before and
        after (none where that is 0).

    Raises:
        SteadyError: see `check_preference`; or no pair is left; or a loss is not finite.
    """
    check_preference(name, params, material)
    own = Checkpoints(saved.folder / "preference") if saved else None
    job = _Job(model, tokenizer, params.arms[name].objective, params, material, curves / "preference", own)
    before = _validation(job)
    record, history = _dpo(job) if job.objective == "dpo" else _grpo(job)
    after = _validation(job)
    measured = {"validation_before": before, "validation_after": after} if before else {}
    return {"objective": job.objective, **record, **_summary(history, job.objective), **measured}


def _dpo(job: _Job) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from steady.finetune.preference.trainers import train_pairs

    dpo = job.params.dpo
    pairs = _sampled_pairs(job) if dpo.pairs == "sampled" else _data_pairs(job)
    encoded = encode_pairs(pairs, job.encode, job.encode_answer, dpo.max_length)
    if not encoded.rows:
        raise SteadyError(
            f"dpo: no pair is left of {len(pairs)}; {encoded.dropped} prompts are as long as dpo.max_length: "
            f"{dpo.max_length} tokens. Raise it, or with `pairs: sampled` num_samples or temperature."
        )
    history = train_pairs(job.model, job.tokenizer, encoded.rows, dpo, job.run)
    counts = {"pairs": len(encoded.rows), "cut_pairs": encoded.cut, "dropped_pairs": encoded.dropped}
    return {"pairs_from": dpo.pairs, **counts}, history


def _data_pairs(job: _Job) -> list[Pair]:
    """The pairs of the data, every epoch in another order and, where the arm has them, other wordings."""
    prompts = job.material.prompts
    wanted = job.params.dpo.num_train_epochs * count_pairs(prompts)
    asked = itertools.islice(questions(prompts, job.params.seed, paired=True), wanted)
    return [Pair(question.prompt, question.chosen, question.rejected or "") for question in asked]


def _sampled_pairs(job: _Job) -> list[Pair]:
    from steady.finetune.preference.sampling import Sampling, draw_answers, rank_samples

    dpo, prompts, seed = job.params.dpo, job.material.prompts, job.params.seed
    asked = list(itertools.islice(questions(prompts, seed), dpo.num_train_epochs * len(prompts)))
    rows = [job.encode(question.prompt) for question in asked]
    sampling = Sampling(dpo.temperature, max_length=dpo.max_length)
    answers = draw_answers(job.model, job.tokenizer, rows, sampling, seed, dpo.num_samples)
    return rank_samples(asked, answers, dpo.within_words)


def _grpo(job: _Job) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from steady.finetune.preference.trainers import train_rewards

    grpo = job.params.grpo
    together = grpo.per_device_train_batch_size * job.params.train.gradient_accumulation_steps
    wanted = grpo.max_steps * together // grpo.num_generations
    asked = list(itertools.islice(questions(job.material.prompts, job.params.seed), wanted))
    history = train_rewards(job.model, job.tokenizer, job.encode, asked, grpo, job.run)
    return {"prompts": len(asked), "completions": wanted * grpo.num_generations}, history


def _validation(job: _Job) -> dict[str, float]:
    from steady.finetune.preference.sampling import Sampling, measure_answers

    prompts = job.material.validation[: job.params.sft.generate_rows]
    if not prompts:
        return {}
    asked = [(prompt.prompt, prompt.references or [prompt.completion]) for prompt in prompts]
    dpo, grpo = job.params.dpo, job.params.grpo
    if job.objective == "dpo":
        sampling, limit = Sampling(None, max_length=dpo.max_length), dpo.within_words
    else:
        sampling, limit = Sampling(None, max_new_tokens=grpo.max_completion_length), grpo.within_words
    return measure_answers(job.model, job.tokenizer, job.encode, asked, sampling, limit)


def _summary(history: Sequence[dict[str, Any]], objective: str) -> dict[str, Any]:
    """Steps, first and last loss, and TRL's own figures at both ends."""
    logged = [entry for entry in history if "loss" in entry]
    values = [value for entry in logged for value in entry.values() if isinstance(value, float)]
    if not logged or not all(map(math.isfinite, values)):
        raise SteadyError(
            f"{objective}: a logged figure is not finite. Lower {objective}.learning_rate, or raise {objective}.beta."
        )
    first, last = (
        {name: entry[name] for name in SHOWN[objective] if entry.get(name) is not None}
        for entry in (logged[0], logged[-1])
    )
    return {
        "steps": logged[-1]["step"],
        "first_loss": logged[0]["loss"],
        "last_loss": logged[-1]["loss"],
        "first": first,
        "last": last,
    }
