"""Preference tuning of an arm: DPO or GRPO, starting from the adapter of supervised training, in the same stage."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from steady.errors import SteadyError
from steady.finetune.checkpoints.checkpoints import Checkpoints
from steady.finetune.preference.rows import count_pairs, encode_pairs, questions
from steady.finetune.preference.sampling import Sampling, best_and_worst, concise_reward, draw_answers, measure_answers
from steady.finetune.preference.trainers import train_pairs, train_rewards
from steady.finetune.run import Record, TrainingRun
from steady.models.tokenizer import answer_ids, cut_prompt, prompt_ids

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


@dataclass(frozen=True)
class _Job:
    """The PeftModel that is tuned, its tokenizer, and the run with folders of its own for curves and checkpoints."""

    model: Any
    tokenizer: Any
    run: TrainingRun

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a prompt, cut as in supervised training."""
        params = self.run.params
        ids = prompt_ids(self.tokenizer, params.model.task, prompt, params.model.chat_template)
        return cut_prompt(ids, params.model.task, params.format.max_length)

    def encode_answer(self, answer: str, prompt: str) -> list[int]:
        """Token ids of an answer that follows a prompt."""
        settings = self.run.params.model
        return answer_ids(self.tokenizer, settings.task, answer, prompt, settings.chat_template)


def prefer(model: Any, tokenizer: Any, run: TrainingRun) -> Record:
    """Train the adapter of `model`, a PeftModel, further in place; its state on entry is the reference. Curves and checkpoints lie in
    folders `preference` below those of `run`, the run of supervised training.

    Returns:
        The record of the tuning: where the pairs came from and how many were cut or dropped, TRL's figures at the first and
        the last logged step, and how short and how close to the references greedy answers to `sft.generate_rows` validation
        prompts were before and after (none where that is 0).

    Raises:
        SteadyError: no pair is left, or a loss is not finite. `check_settings` has refused what cannot be tuned.
    """
    objective, saved = run.arm.objective, run.checkpoints
    saved = Checkpoints(saved.folder / "preference") if saved else None
    job = _Job(model, tokenizer, replace(run, curves=run.curves / "preference", checkpoints=saved))
    # Measured on validation prompts: the test split is scored by the stage `evaluate` alone.
    before = _validation(job)
    record, history = _dpo(job) if objective == "dpo" else _grpo(job)
    after = _validation(job)
    measured = {"validation_before": before, "validation_after": after} if before else {}
    return {"objective": objective, **record, **_summary(history, objective), **measured}


def _dpo(job: _Job) -> tuple[Record, list[Record]]:
    dpo, prompts, seed = job.run.params.dpo, job.run.data.prompts, job.run.params.seed
    if dpo.pairs == "sampled":
        asked = list(itertools.islice(questions(prompts, seed), dpo.num_train_epochs * len(prompts)))
        encoded = [job.encode(question.prompt) for question in asked]
        sampling = Sampling(dpo.temperature, max_length=dpo.max_length)
        answers = draw_answers(job.model, job.tokenizer, encoded, sampling, seed, dpo.num_samples)
        pairs = []
        for question, texts in zip(asked, answers, strict=True):
            rewards = [concise_reward(text, question.references, dpo.within_words) for text in texts]
            if (found := best_and_worst(texts, rewards)) is not None:
                pairs.append(replace(question, chosen=found[0], rejected=found[1]))
    else:
        # Every epoch in another order and, where the arm has them, other wordings.
        every = questions(prompts, seed, paired=True)
        pairs = list(itertools.islice(every, dpo.num_train_epochs * count_pairs(prompts)))
    rows, counts = encode_pairs(pairs, job.encode, job.encode_answer, dpo.max_length)
    if not rows:
        raise SteadyError(
            f"dpo: no pair is left of {len(pairs)}; {counts['dropped_pairs']} prompts are as long as dpo.max_length: "
            f"{dpo.max_length} tokens. Raise it, or with `pairs: sampled` num_samples or temperature."
        )
    history = train_pairs(job.model, job.tokenizer, rows, job.run)
    return {"pairs_from": dpo.pairs, **counts}, history


def _grpo(job: _Job) -> tuple[Record, list[Record]]:
    grpo = job.run.params.grpo
    together = grpo.per_device_train_batch_size * job.run.params.train.gradient_accumulation_steps
    wanted = grpo.max_steps * together // grpo.num_generations
    asked = list(itertools.islice(questions(job.run.data.prompts, job.run.params.seed), wanted))
    history = train_rewards(job.model, job.tokenizer, job.encode, asked, job.run)
    return {"prompts": len(asked), "completions": wanted * grpo.num_generations}, history


def _validation(job: _Job) -> dict[str, float]:
    prompts = job.run.data.validation[: job.run.params.sft.generate_rows]
    if not prompts:
        return {}
    asked = [(prompt.prompt, prompt.references or [prompt.completion]) for prompt in prompts]
    dpo, grpo = job.run.params.dpo, job.run.params.grpo
    if job.run.arm.objective == "dpo":
        sampling, limit = Sampling(None, max_length=dpo.max_length), dpo.within_words
    else:
        sampling, limit = Sampling(None, max_new_tokens=grpo.max_completion_length), grpo.within_words
    return measure_answers(job.model, job.tokenizer, job.encode, asked, sampling, limit)


def _summary(history: Sequence[Record], objective: str) -> Record:
    """Steps, first and last loss, and TRL's own figures at both ends."""
    logged = [entry for entry in history if "loss" in entry]
    values = [value for entry in logged for value in entry.values() if isinstance(value, float)]
    if not logged or not all(map(math.isfinite, values)):
        raise SteadyError(
            f"{objective}: a logged figure is not finite. Lower {objective}.learning_rate, or raise {objective}.beta."
        )
    ends = {"first": logged[0], "last": logged[-1]}
    losses = {f"{end}_loss": entry["loss"] for end, entry in ends.items()}
    figures = {
        end: {name: entry[name] for name in SHOWN[objective] if entry.get(name) is not None}
        for end, entry in ends.items()
    }
    return {"steps": logged[-1]["step"], **losses, **figures}
