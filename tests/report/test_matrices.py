"""Matrices as tables: what is folded, what is written in a cell, which groups are shown in which order."""

from dataclasses import replace

import numpy as np
import pytest

from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction
from steady.report import matrix_browser
from steady.report.markup import Markup
from steady.report.matrices import Row, folded, matrix_table, nats, psi, shade
from steady.report.matrix_browser import matrix_groups, ranking


def _group(texts, matrix, lengths=None, sampled=None):
    predictions = tuple(Prediction(prompt_id=str(n), text=text) for n, text in enumerate(texts))
    lengths = np.ones(len(texts)) if lengths is None else np.asarray(lengths, dtype=float)
    return ScoredGroup("g", np.asarray(matrix, dtype=float), lengths, predictions, sampled)


def test_equal_answers_share_a_column_and_long_answers_count_by_token():
    group = _group(["no", "yes", "no"], [[-1, -4, -1], [-2, -0.5, -2], [-3, -6, -3]], [1, 2, 1])
    found = folded(group)
    assert found.answers == ["no", "yes"] and found.own == [0, 1, 0] and found.others == 0
    assert found.values.tolist() == [[-1, -2], [-2, -0.25], [-3, -3]]


def test_psi_beside_a_matrix_is_that_of_posix_by_hand():
    # |M01 - M11| = 3.5 over 2 tokens, |M10 - M00| = 1: (1.75 + 1) / 2
    assert psi(_group(["no", "yes"], [[-1, -4], [-2, -0.5]], [1, 2])) == pytest.approx(1.375)
    assert psi(_group(["no"], [[-1]])) is None


def test_a_column_takes_what_was_scored_of_a_sample_and_says_what_was_not():
    nan = float("nan")
    sampled = np.array([[False, False, True], [True, False, False], [False, False, False]])
    found = folded(_group(["no", "yes", "no"], [[-1, nan, -1], [-2, -0.5, nan], [nan, nan, -3]], sampled=sampled))
    assert found.values[:, 0].tolist() == [-1, -2, -3]
    assert nats(found.values[0, 1]) == "–" and shade(found.values[0, 1]) == 0


def test_only_the_commonest_answers_have_columns_and_the_others_are_counted():
    texts = ["a", "b", "b", "c"]
    found = folded(_group(texts, -np.ones((4, 4))), most=2)
    assert found.answers == ["b", "a"] and found.own == [1, 0, 0, None] and found.others == 1


def test_cells_are_short_and_the_shade_follows_the_probability():
    assert [nats(value) for value in (0.0, -0.004, -0.25, -2.34, -12.6)] == ["0", "0", "−0.25", "−2.3", "−13"]
    assert [shade(value) for value in (0.0, -3.0, -6.0, -50.0)] == [9, 4, 0, 0]


def test_the_table_frames_the_own_answer_and_escapes_what_a_model_said():
    group = _group(["<b>", "yes"], [[-1, -4], [-2, -0.5]])
    found = matrix_table("Group", [Row(Markup("1"), Markup("p1")), Row(Markup("2"), Markup("p2"))], [("M", group)])
    assert found.count(" own") == 2 and "&lt;b&gt;" in found and "<b>" not in found
    assert "ψ 2.25" in found  # (|−4 + 0.5| + |−2 + 1|) / 2


def test_groups_come_from_worst_to_best_in_the_last_arm_and_training_groups_are_left_out(found):
    ranked, faults = ranking(found)
    values = [group.psis[-1] for group in ranked]
    assert values == sorted(values, reverse=True) and [group.rank for group in ranked] == list(range(1, 13))
    assert not faults
    train = [prompt for prompt in found.sensitivity if prompt.group_id != "g0"]
    seen = [replace_split(prompt) for prompt in found.sensitivity if prompt.group_id == "g0"]
    assert len(ranking(replace(found, sensitivity=[*seen, *train]))[0]) == 11


def replace_split(prompt):
    import msgspec

    return msgspec.structs.replace(prompt, split="train")


def with_groups(arm, groups):
    changed = replace(arm)
    vars(changed)["groups"] = groups  # in place of what the files hold
    return changed


def test_a_group_that_could_not_be_scored_is_counted_and_named(found):
    broken = found.arms[-1].groups[0]
    groups = [replace(broken, matrix=np.full_like(broken.matrix, np.nan)), *found.arms[-1].groups[1:]]
    arms = [*found.arms[:-1], with_groups(found.arms[-1], groups)]
    page = matrix_groups(replace(found, arms=arms))
    assert "1 could not be scored: not finite." in page and page.count('class="matrix"') == 11


def test_long_prompts_leave_out_groups_and_not_the_size_of_the_page(found, monkeypatch):
    monkeypatch.setattr(matrix_browser, "MOST_CHARACTERS", 10_000)
    page = matrix_groups(found)
    assert 1 < page.count('class="matrix"') < 12
    assert 'id="matrix-1"' in page and 'id="matrix-12"' in page
    assert "between them are left out" in page


def test_a_run_without_matrices_has_no_such_section(found):
    arms = [with_groups(arm, []) for arm in found.arms]
    assert matrix_groups(replace(found, arms=arms)) == ""
