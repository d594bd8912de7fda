"""Preference tuning of an arm: DPO or GRPO from the adapter that supervised training left, in the same stage."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steady.encoding import answer_ids, cut_prompt, prompt_ids
from steady.errors import SteadyError
from steady.training.checkpoints import Checkpoints
from steady.training.preference_rows import Encode, Pair, count_pairs, encode_pairs, questions

if TYPE_CHECKING:
    from steady.training.finetune import FinetuneParams, Material

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
    objective = params.arms[name].objective

    def encode(prompt: str) -> list[int]:
        task, framed = params.model.task, params.model.chat_template
        return cut_prompt(prompt_ids(tokenizer, task, prompt, framed), task, params.format.max_length)

    before = _validation(model, tokenizer, encode, objective, params, material)
    train = _dpo if objective == "dpo" else _grpo
    own = Checkpoints(saved.folder / "preference") if saved else None
    record, history = train(model, tokenizer, encode, params, material, curves / "preference", own)
    after = _validation(model, tokenizer, encode, objective, params, material)
    measured = {"validation_before": before, "validation_after": after} if before else {}
    return {"objective": objective, **record, **_summary(history, objective), **measured}


def _dpo(
    model: Any,
    tokenizer: Any,
    encode: Encode,
    params: "FinetuneParams",
    material: "Material",
    curves: Path,
    saved: Checkpoints | None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from steady.training.preference_trainers import train_pairs

    task, framed = params.model.task, params.model.chat_template
    sampled = params.dpo.pairs == "sampled"
    pairs = _sampled_pairs(model, tokenizer, encode, params, material) if sampled else _data_pairs(params, material)
    encoded = encode_pairs(
        pairs, encode, lambda answer, prompt: answer_ids(tokenizer, task, answer, prompt, framed), params.dpo.max_length
    )
    if not encoded.rows:
        raise SteadyError(
            f"dpo: no pair is left of {len(pairs)}; {encoded.dropped} prompts are as long as dpo.max_length: "
            f"{params.dpo.max_length} tokens. Raise it, or with `pairs: sampled` num_samples or temperature."
        )
    history = train_pairs(
        model,
        tokenizer,
        encoded.rows,
        params.dpo,
        params.train,
        seed=params.seed,
        curves=curves,
        progress=params.runtime.progress,
        saved=saved,
    )
    counts = {"pairs": len(encoded.rows), "cut_pairs": encoded.cut, "dropped_pairs": encoded.dropped}
    return {"pairs_from": params.dpo.pairs, **counts}, history


def _data_pairs(params: "FinetuneParams", material: "Material") -> list[Pair]:
    """The pairs of the data, every epoch in another order and, where the arm has them, other wordings."""
    wanted = params.dpo.num_train_epochs * count_pairs(material.prompts)
    asked = itertools.islice(questions(material.prompts, params.seed, paired=True), wanted)
    return [Pair(question.prompt, question.chosen, question.rejected or "") for question in asked]


def _sampled_pairs(
    model: Any, tokenizer: Any, encode: Encode, params: "FinetuneParams", material: "Material"
) -> list[Pair]:
    from steady.training.preference_sampling import Sampling, draw_answers, rank_samples

    wanted = params.dpo.num_train_epochs * len(material.prompts)
    asked = list(itertools.islice(questions(material.prompts, params.seed), wanted))
    rows = [encode(question.prompt) for question in asked]
    sampling = Sampling(params.dpo.temperature, max_length=params.dpo.max_length)
    answers = draw_answers(model, tokenizer, rows, sampling, params.seed, params.dpo.num_samples)
    return rank_samples(asked, answers, params.dpo.within_words)


def _grpo(
    model: Any,
    tokenizer: Any,
    encode: Encode,
    params: "FinetuneParams",
    material: "Material",
    curves: Path,
    saved: Checkpoints | None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from steady.training.preference_trainers import train_rewards

    grpo = params.grpo
    together = grpo.per_device_train_batch_size * params.train.gradient_accumulation_steps
    wanted = grpo.max_steps * together // grpo.num_generations
    asked = list(itertools.islice(questions(material.prompts, params.seed), wanted))
    history = train_rewards(
        model,
        tokenizer,
        encode,
        asked,
        grpo,
        params.train,
        seed=params.seed,
        curves=curves,
        progress=params.runtime.progress,
        saved=saved,
    )
    return {"prompts": len(asked), "completions": wanted * grpo.num_generations}, history


def _validation(
    model: Any, tokenizer: Any, encode: Encode, objective: str, params: "FinetuneParams", material: "Material"
) -> dict[str, float]:
    from steady.training.preference_sampling import Sampling, measure_answers

    prompts = material.validation[: params.sft.generate_rows]
    if not prompts:
        return {}
    asked: Sequence[tuple[str, Sequence[str]]] = [
        (prompt.prompt, prompt.references or [prompt.completion]) for prompt in prompts
    ]
    if objective == "dpo":
        return measure_answers(
            model, tokenizer, encode, asked, Sampling(None, max_length=params.dpo.max_length), params.dpo.within_words
        )
    sampling = Sampling(None, max_new_tokens=params.grpo.max_completion_length)
    return measure_answers(model, tokenizer, encode, asked, sampling, params.grpo.within_words)


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
