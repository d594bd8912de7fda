"""The small parts: spans, loss, schedule, n-gram model, checkpoints, accuracy."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from pretrain.accuracy import compare, draw_classification_rows, match_majority, swap_definitions
from pretrain.checkpoints import STATE, load_checkpoint, save_checkpoint
from pretrain.corpus import Row, Task
from pretrain.loss import CHUNK_TOKENS, weighted_cross_entropy
from pretrain.ngram import NgramModel
from pretrain.optimization import Schedule
from pretrain.params import read_params
from pretrain.spans import choose_spans, corrupt
from pretrain.unseen import rouge_l


def test_corruption_hides_the_spans_and_the_target_tells_them() -> None:
    source, target = corrupt([10, 11, 12, 13, 14, 15], [(1, 3), (4, 5)], [90, 91, 92])
    assert source == [10, 90, 13, 91, 15]
    assert target == [90, 11, 12, 91, 14]


def test_spans_are_disjoint_and_hide_about_the_density_asked_for() -> None:
    generator = random.Random(0)
    hidden = total = 0
    for length in range(5, 300):
        spans = choose_spans(length, 0.15, 3, generator)
        assert all(0 <= a < b <= length for a, b in spans)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
        hidden += sum(b - a for a, b in spans)
        total += length
    assert 0.10 < hidden / total < 0.20


def test_the_chunked_loss_equals_cross_entropy_in_value_and_gradient() -> None:
    torch.manual_seed(0)
    count = CHUNK_TOKENS + 70
    hidden = torch.randn(count, 8, requires_grad=True)
    head = torch.randn(20, 8, requires_grad=True)
    targets = torch.randint(0, 20, (count,))
    weights = torch.rand(count) * (torch.rand(count) > 0.3)
    weighted_cross_entropy(hidden, head, targets, weights).backward()
    ours = (hidden.grad, head.grad)
    hidden.grad = head.grad = None
    plain = torch.nn.functional.cross_entropy(hidden @ head.T, targets, reduction="none")
    (plain * weights).sum().backward()
    for mine, theirs in zip(ours, (hidden.grad, head.grad), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


def test_the_schedule_rises_stays_and_falls_to_zero() -> None:
    schedule = Schedule(warmup_steps=10, decay_steps=20)
    factors = [schedule.factor(step, decay_start=30) for step in range(51)]
    assert factors[0] == pytest.approx(0.1) and factors[9:31] == [1.0] * 22
    assert factors[40] == pytest.approx(0.5) and factors[50] == 0.0


def test_an_n_gram_model_sums_to_one_after_any_context() -> None:
    generator = random.Random(0)
    rows = [[generator.randint(1, 9) for _ in range(generator.randint(2, 20))] for _ in range(200)]
    model = NgramModel(rows, 3, 12)
    for context in ([], [3], [3, 4], [11, 10], [5, 11]):
        values = [model.log_probabilities([[*context, token]])[0][-1] for token in range(12)]
        assert np.exp(values).sum() == pytest.approx(1.0)


def test_an_n_gram_model_gives_the_probability_computed_by_hand() -> None:
    """Bigrams of 'a b', 'a b', 'a c' with ids 1, 2, 3 in a vocabulary of 4.

    Counts after a: b 2, c 1. Frequencies of frequencies over bigrams (start,a)=3, (a,b)=2, (a,c)=1
    are 1, 1, 1, 0, so D = 1/3, D1 = 1 - 2/3 = 1/3, D2 = 2 - 3/3 = 1, D3 = 2.9 (3 - 0, bounded).
    Unigram continuation counts are 1 each for a, b and c: D = 1, D1 = 0.9 (1, bounded), the freed
    2.7 of 3 spread over 4 tokens, so each of the three has (0.1 + 2.7 / 4) / 3. After a the freed mass is
    1 + 1/3.
    """
    model = NgramModel([[1, 2], [1, 2], [1, 3]], 2, 4)
    unigram = (0.1 + 2.7 / 4) / 3
    found = np.exp(model.log_probabilities([[1, 2]])[0][1])
    assert found == pytest.approx((2 - 1 + (1 + 1 / 3) * unigram) / 3)


def test_a_longer_n_gram_model_beats_a_shorter_one_on_regular_text() -> None:
    rows = [[1 + (i + start) % 7 for i in range(20)] for start in range(7)]
    losses = [-np.mean(NgramModel(rows, order, 9).log_probabilities(rows)[0]) for order in (1, 2, 3)]
    assert losses[0] > losses[1] and losses[0] > losses[2]


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (1, 2, 3):
        path = save_checkpoint(tmp_path, step, {"step": step})
    assert len(list(tmp_path.glob("step-*"))) == 2
    data = bytearray((path / STATE).read_bytes())
    data[-30] ^= 1
    (path / STATE).write_bytes(bytes(data))
    assert load_checkpoint(tmp_path) == {"step": 2}
    assert "step-0000003 is not used: the SHA-256" in caplog.text


def test_a_folder_without_checkpoints_gives_none(tmp_path: Path) -> None:
    (tmp_path / ".step-0000001.77").mkdir()
    assert load_checkpoint(tmp_path) is None


def test_unknown_keys_are_refused(params_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(params_path.read_text(encoding="utf-8") + "\nlearning_rat: 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="learning_rat"):
        read_params(path)


TASKS = {
    "a": Task("a", "A?", "c", "MIT", ("yes", "no")),
    "b": Task("b", "B?", "c", "MIT", ("no", "yes")),
    "c": Task("c", "C?", "c", "MIT", ("up", "down")),
    "d": Task("d", "Write.", "c", "MIT", ()),
}
ROWS = [Row(name, f"{name}{i}", "yes") for name in "abcd" for i in range(5)]


def test_a_swapped_definition_is_another_tasks() -> None:
    labelled = draw_classification_rows(ROWS, TASKS, 100, 0)
    assert {row.task for row in labelled} == {"a", "b", "c"}
    questions = swap_definitions(labelled, TASKS, 0, same_labels=False)
    assert len(questions) == 15 and all(q.shown.name != q.row.task for q in questions)
    same = swap_definitions(labelled, TASKS, 0, same_labels=True)
    assert {(q.row.task, q.shown.name) for q in same} == {("a", "b"), ("b", "a")}


def test_the_majority_answer_is_the_first_label() -> None:
    assert match_majority([Row("a", "x", "yes"), Row("b", "x", "yes")], TASKS) == [True, False]


def test_a_comparison_is_in_points_with_an_interval_around_it() -> None:
    found = compare([True] * 80 + [False] * 20, [False] * 40 + [True] * 60, 0)
    assert found["points"] == 20.0
    assert found["low"] < 20.0 < found["high"]


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    assert rouge_l("the cat sat", "the cat on the mat sat") == pytest.approx(2 * 3 / 9)
    assert rouge_l("", "word") == 0.0
