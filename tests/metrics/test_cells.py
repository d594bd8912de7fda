"""Which prompts are measured together, and what an arm did on them."""

from dataclasses import replace

import numpy as np
import pytest

from steady.errors import SteadyError
from steady.metrics.answers import read_answers
from steady.metrics.cells import cell_values, find_cells
from steady.metrics.matrices import ScoredGroup
from steady.records import Wording


def rows_of(cells):
    return {(cell.level, cell.family): cell.rows.tolist() for cell in cells}


@pytest.fixture
def asked(prompt, wordings):
    test = [prompt("g1", wording.id, "cat") for wording in wordings]
    seen = [prompt("t1", wording.id, "dog", split="train") for wording in wordings]
    return test + seen


def cell_of(asked, wordings, level, family):
    return next(cell for cell in find_cells(asked, wordings) if (cell.level, cell.family) == (level, family))


def test_cells_never_mix_levels_and_leave_the_canonical_wording_out(asked, wordings):
    assert rows_of(find_cells(asked, wordings)) == {
        ("held_out", "all"): [2, 3, 4, 5],
        ("L0", "all"): [7],
        ("L0", "surface"): [7],
        ("L1", "all"): [1, 2],
        ("L1", "surface"): [1, 2],
        ("L2", "all"): [3, 4, 5],
        ("L2", "spelling"): [3, 4, 5],
    }


def test_a_family_without_prompts_is_a_cell_without_rows(asked, wordings):
    order = Wording(id="order/a", family="order", operator="permute", level="L2")
    assert rows_of(find_cells(asked, [*wordings, order]))["L2", "order"] == []


def test_an_unknown_wording_is_refused(prompt, wordings):
    with pytest.raises(SteadyError, match="unknown wording 'surface/z'"):
        find_cells([prompt("g1", "surface/z", "cat")], wordings)


def test_values_of_a_group_by_hand(asked, wordings, prediction, labels):
    # canonical cat; spelling: cat (right), cat (right), dog (wrong)
    given = ["cat", "cat", "cat", "cat", "cat", "dog", *["dog"] * 6]
    answers = read_answers(asked, [prediction(p, answer) for p, answer in zip(asked, given, strict=True)], labels)
    found = cell_values(answers, cell_of(asked, wordings, "L2", "spelling"), temperature=1.0)
    assert found.groups == ("g1",)
    assert found.wordings == ("spelling/a", "spelling/b", "spelling/c")
    assert found.scores.tolist() == [[1.0, 1.0, 0.0]]
    assert (found.equal.tolist(), found.pairs.tolist()) == ([1.0], [3.0])
    assert (found.canonical.tolist(), found.canonical_equal.tolist()) == ([1.0], [2.0])
    assert found.consistent.tolist() == [0.0]
    assert found.entropy == pytest.approx([-(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) / np.log(3)])
    # confidence .8 in one's own label, .1 in another's: four of six pairs differ, by log 8
    assert found.psi == pytest.approx([4 * np.log(8) / 6])
    assert found.psi_same == pytest.approx([0.0])
    assert found.psi_scaled == pytest.approx(found.psi)


def test_two_failures_are_no_agreement_and_the_canonical_answer_is_not_met_by_them(asked, wordings, prediction, labels):
    given = [None] * 6 + ["dog"] * 6
    answers = read_answers(asked, [prediction(p, answer) for p, answer in zip(asked, given, strict=True)], labels)
    found = cell_values(answers, cell_of(asked, wordings, "L2", "spelling"), temperature=None)
    assert found.equal.tolist() == [0.0]
    assert found.canonical_equal.tolist() == [0.0]
    assert found.unparsed.tolist() == [3.0]
    assert np.isnan(found.psi_scaled).all()


def test_a_group_of_one_has_scores_but_no_agreement_and_is_counted(asked, wordings, prediction, labels):
    answers = read_answers(asked, [prediction(p, "cat") for p in asked], labels)
    found = cell_values(answers, cell_of(asked, wordings, "L0", "surface"), temperature=1.0)
    assert found.scores.tolist() == [[0.0]]
    assert found.pairs.tolist() == [0.0]
    assert np.isnan([found.consistent, found.entropy, found.psi]).all()
    assert found.skipped == {"one_prompt": 1, "empty_response": 0, "not_finite": 0}


def test_ragged_groups_leave_gaps(prompt, prediction, wordings, labels):
    asked = [prompt("g1", "spelling/a", "cat"), prompt("g2", "spelling/b", "dog"), prompt("g2", "spelling/a", "dog")]
    answers = read_answers(asked, [prediction(p, "cat") for p in asked], labels)
    found = cell_values(answers, cell_of(asked, wordings, "L2", "spelling"), temperature=1.0)
    assert found.scores == pytest.approx(np.array([[1.0, np.nan], [0.0, 0.0]]), nan_ok=True)
    assert np.isnan(found.canonical).all()
    assert found.skipped["one_prompt"] == 1


def test_an_arm_without_probabilities_has_no_posix_and_skips_nothing(prompt, wordings, labels):
    from steady.records import Prediction

    asked = [prompt("g1", "spelling/a", "cat"), prompt("g1", "spelling/b", "cat")]
    answers = read_answers(asked, [Prediction(prompt_id=p.id, text="cat", parsed="cat") for p in asked], labels)
    found = cell_values(answers, cell_of(asked, wordings, "L2", "spelling"), temperature=1.0)
    assert np.isnan(found.psi).all()
    assert set(found.skipped.values()) == {0}
    assert found.equal.tolist() == [1.0]


def test_saved_matrices_are_cut_to_the_prompts_of_the_cell(prompt, wordings):
    from steady.records import Prediction

    asked = [prompt("g1", name, "x") for name in ("canonical", "spelling/a", "surface/b", "spelling/b")]
    answers = read_answers(asked, [Prediction(prompt_id=p.id, text=p.wording) for p in asked], [])
    matrix = np.full((4, 4), -9.0)
    matrix[np.ix_([1, 3], [1, 3])] = [[-1, -4], [-3, -2]]
    said = tuple(Prediction(prompt_id=p.id, text=text) for p, text in zip(asked, "casb", strict=True))
    saved = {"g1": ScoredGroup("g1", matrix, np.array([9.0, 2, 9, 4]), said)}
    found = cell_values(answers, cell_of(asked, wordings, "L2", "spelling"), temperature=None, matrices=saved)
    assert found.psi == pytest.approx([0.75])
    assert np.isnan(found.psi_scaled).all()
    halved = {"g1": replace(saved["g1"], scaled=matrix / 2)}
    found = cell_values(answers, cell_of(asked, wordings, "L2", "spelling"), temperature=2.0, matrices=halved)
    assert (found.psi, found.psi_scaled) == (pytest.approx([0.75]), pytest.approx([0.375]))
    with pytest.raises(SteadyError, match="group g1: no saved matrix"):
        cell_values(answers, cell_of(asked, wordings, "L2", "spelling"), temperature=None, matrices={})
