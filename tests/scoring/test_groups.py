"""Samples of pairs, estimates from them, and the bundles in which groups are scored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steady.metrics.matrices import ScoredGroup, sensitivity
from steady.metrics.posix import prompt_sensitivity
from steady.records import Prediction
from steady.scoring.groups import bundles, half_width, is_precise, sample_pairs

RNG = np.random.default_rng(0)
MATRIX = -RNG.uniform(1, 9, (6, 6))
LENGTHS = np.asarray([1, 2, 3, 1, 2, 3], dtype=float)
TOKENS = [[1], [2, 3], [4, 5, 6], [1], [2, 3], [7, 8, 9]]


def group(matrix=MATRIX, sampled=None) -> ScoredGroup:
    predictions = tuple(Prediction(prompt_id=str(n), text="a", token_ids=ids) for n, ids in enumerate(TOKENS))
    return ScoredGroup("g", matrix, LENGTHS, predictions, sampled)


def test_without_a_sample_it_is_the_definition():
    assert sensitivity(group()) == prompt_sensitivity(MATRIX, LENGTHS, [tuple(ids) for ids in TOKENS])


@pytest.mark.parametrize("pairs", [4, 12])
def test_estimates_from_samples_are_unbiased(pairs):
    exact = sensitivity(group())
    draws = [sensitivity(group(sampled=sample_pairs(6, pairs, seed, "g"))) for seed in range(1500)]
    error = np.std([draw.psi for draw in draws]) / np.sqrt(len(draws))
    assert np.mean([draw.psi for draw in draws]) == pytest.approx(exact.psi, abs=4 * error)
    assert np.mean([draw.same for draw in draws]) == pytest.approx(exact.same, abs=5 * error)
    assert all(draw.psi == pytest.approx(draw.same + draw.different) for draw in draws)


def test_a_sample_of_one_pair_by_hand():
    sampled = np.zeros((6, 6), dtype=bool)
    sampled[0, 2] = True
    assert sensitivity(group(sampled=sampled)).psi == pytest.approx(abs(MATRIX[0, 2] - MATRIX[2, 2]) / 3)


def test_what_a_sample_leaves_out_is_no_fault_and_what_it_needs_is():
    sampled = sample_pairs(6, 3, 0, "g")
    sparse = np.where(sampled | np.eye(6, dtype=bool), MATRIX, np.nan)
    assert group(sparse, sampled).fault is None
    row, column = np.argwhere(sampled)[0]
    sparse[row, column] = np.nan
    assert group(sparse, sampled).fault == "not_finite"
    with pytest.raises(ValueError, match="not_finite"):
        sensitivity(group(sparse, sampled))


@given(st.integers(2, 9), st.integers(1, 80), st.integers(0, 99))
def test_a_sample_has_as_many_pairs_as_asked_for_and_none_of_the_diagonal(prompts, pairs, seed):
    sampled = sample_pairs(prompts, pairs, seed, "g")
    if pairs >= prompts * (prompts - 1):
        assert sampled is None
    else:
        assert sampled.sum() == pairs
        assert not sampled.diagonal().any()


def test_the_sample_of_a_group_depends_on_its_id_alone():
    assert (sample_pairs(6, 9, 0, "one") == sample_pairs(6, 9, 0, "one")).all()
    assert (sample_pairs(6, 9, 0, "one") != sample_pairs(6, 9, 0, "two")).any()


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 400)), max_size=150), st.integers(50, 9000))
def test_bundles_hold_every_group_once_and_fit(sizes, positions):
    made = bundles(sizes, positions, 5)
    assert sorted(place for bundle in made for place in bundle) == list(range(len(sizes)))
    for bundle in made:
        held = sum(sizes[place][0] for place in bundle) * (max(sizes[place][1] for place in bundle) + 5)
        assert len(bundle) == 1 or held <= positions


def test_bundles_follow_the_order_that_is_given():
    sizes = [(2, 10)] * 130
    order = list(reversed(range(130)))
    assert set(bundles(sizes, 10**6, 5, order)[0]) == set(order[:64])


def test_the_half_width_is_that_of_the_t_interval():
    assert half_width([1.0, 2.0, 3.0]) == pytest.approx(4.302653 * 1.0 / np.sqrt(3), abs=1e-5)
    assert half_width([1.0]) == np.inf


def test_a_run_is_precise_after_enough_groups_that_vary_little():
    assert not is_precise([1.0, 1.1] * 9, 0.5)
    assert is_precise([1.0, 1.1] * 10, 0.05)
    assert not is_precise([0.1, 2.0] * 10, 0.05)
