"""What a run will cost, said before it starts: prompts, responses, tokens, memory, and minutes after a short calibration."""

from collections.abc import Sequence
from typing import NamedTuple

CALIBRATION_PROMPTS = 4


class Budget(NamedTuple):
    """The size of a run; token passes lie between `fewest` (the responses of a group are equal) and `most` (all differ)."""

    groups: int
    prompts: int
    prompt_tokens: int
    fewest_passes: int
    most_passes: int


def plan_budget(lengths: Sequence[Sequence[int]], max_new_tokens: int, max_pairs: int | None = None) -> Budget:
    """The budget of groups of unique prompts, of which `lengths` are the tokens; `max_pairs` as in `sample_pairs`. A response of T
    tokens costs T - 1 passes when it is generated, and T - 1 under each prompt: its first token comes from the prefill.
    """
    prompts = sum(map(len, lengths))
    tokens = sum(map(sum, lengths))
    step = max_new_tokens - 1
    # entries of a matrix to score when all responses differ: the diagonal and the pairs
    pairs = [len(group) * (len(group) - 1) for group in lengths]
    cells = prompts + sum(pairs if max_pairs is None else (min(each, max_pairs) for each in pairs))
    return Budget(
        groups=len(lengths),
        prompts=prompts,
        prompt_tokens=tokens,
        fewest_passes=tokens + 2 * prompts * step,
        most_passes=tokens + (prompts + cells) * step,
    )


def budget_lines(budget: Budget, max_new_tokens: int, memory: str) -> list[str]:
    """The budget in words."""
    return [
        f"{budget.groups} groups, {budget.prompts} different prompts ({budget.prompt_tokens} tokens), "
        f"at most {budget.prompts} unique responses of at most {max_new_tokens} tokens",
        f"{budget.fewest_passes:,} token passes if the responses of a group are equal, {budget.most_passes:,} if all differ",
        f"memory beside the model: {memory}",
    ]


def minutes(budget: Budget, passes: int, seconds: float) -> tuple[float, float]:
    """Expected minutes at best and at worst, from `passes` that took `seconds`."""
    rate = seconds / max(1, passes) / 60
    return budget.fewest_passes * rate, budget.most_passes * rate
