"""The budget, by hand."""

from steady.inference.budget import budget_lines, minutes, plan_budget


def test_passes_when_responses_are_equal_and_when_all_differ():
    budget = plan_budget([[10, 20], [5, 5, 5]], max_new_tokens=4)
    assert (budget.groups, budget.prompts, budget.prompt_tokens) == (2, 5, 45)
    assert budget.fewest_passes == 45 + 5 * 3 + 5 * 3
    assert budget.most_passes == 45 + 5 * 3 + (4 + 9) * 3


def test_a_sample_of_pairs_bounds_the_passes():
    assert plan_budget([[5] * 10], 2, max_pairs=7).most_passes == 50 + 10 + 17


def test_minutes_follow_from_a_timed_sample():
    budget = plan_budget([[10, 20]], 1)
    assert minutes(budget, passes=10, seconds=60) == (3, 3)


def test_the_budget_is_said_in_words():
    text = "\n".join(budget_lines(plan_budget([[10, 20]], 3), 3, "12 MB"))
    for word in ("1 groups", "2 different prompts", "30 tokens", "2 unique responses", "12 MB"):
        assert word in text
