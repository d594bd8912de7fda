"""The noise floor of a measure."""

import math

import numpy as np
import pytest

from steady.metrics.answers import read_answers
from steady.metrics.cells import find_cells
from steady.metrics.noise import noise_floor, noise_floors, pair_tables
from steady.records import Wording

WORDINGS = [Wording(id=f"spelling/{n}", family="spelling", operator="omit", level="L2") for n in range(6)]


def measured(prompt, prediction, labels, given):
    asked = [prompt(f"g{row}", wording.id, "cat") for row in range(len(given)) for wording in WORDINGS]
    flat = [answer for row in given for answer in row]
    answers = read_answers(asked, [prediction(p, answer) for p, answer in zip(asked, flat, strict=True)], labels)
    return answers, next(
        cell for cell in find_cells(asked, WORDINGS) if (cell.level, cell.family) == ("L2", "spelling")
    )


def test_a_model_blind_to_the_wording_has_a_floor_of_zero(prompt, prediction, labels):
    answers, cell = measured(prompt, prediction, labels, [["cat"] * 6, ["dog"] * 6])
    assert noise_floors(answers, cell, 200, seed=0) == {"agreement": 0.0, "mean_accuracy": 0.0, "posix": 0.0}


def test_pairs_are_counted_by_hand(prompt, prediction, labels):
    answers, cell = measured(prompt, prediction, labels, [["cat", "dog", "cat", "cat", None, None]])
    tables = pair_tables(answers, cell)
    assert tables.equal[0].tolist() == [1, 0, 1, 1, 0, 0]
    assert tables.equal[4, 5] == 0
    assert tables.correct[0, 1] == 0.5
    assert tables.answered.tolist() == np.ones((6, 6)).tolist()
    assert tables.log_ratios[0, 1] == pytest.approx(np.log(8))


def test_the_floor_of_four_wordings_by_hand():
    # one wording disagrees with the three others, which agree: one half has agreement 1, the other 0
    sums = np.ones((4, 4))
    sums[0], sums[:, 0] = 0, 0
    assert noise_floor(sums, np.ones((4, 4)), 500, seed=0) == 1.0


def test_with_fewer_than_four_wordings_there_is_no_floor():
    assert math.isnan(noise_floor(np.ones((3, 3)), np.ones((3, 3)), 100, seed=0))


def test_the_floor_grows_with_the_noise_of_the_wordings():
    generator = np.random.default_rng(0)
    floors = []
    for noise in (0.01, 0.2):
        sums = 0.5 + noise * generator.normal(size=(8, 8))
        floors.append(noise_floor(sums, np.ones((8, 8)), 500, seed=0))
    assert floors[1] > 5 * floors[0]
