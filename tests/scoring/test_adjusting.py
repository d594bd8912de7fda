"""Calibration by wording and averages over wordings: by hand, and as an arm answers with them."""

import numpy as np
import pytest

from steady.errors import SteadyError
from steady.models.arm import ArmManifest, write_manifest
from steady.records import Prediction, Prompt
from steady.scoring.adjusting import FEWEST_PROMPTS, adjusted, averaged, calibrated
from steady.serve.arms import read_arm

HALVES = FEWEST_PROMPTS // 2


def test_a_wording_that_favours_a_label_is_put_right_and_one_with_few_prompts_is_left_alone():
    tilted = np.log([[0.9, 0.1], [0.6, 0.4]] * HALVES + [[0.7, 0.3]])
    found = np.exp(calibrated(tilted, ["w"] * FEWEST_PROMPTS + ["rare"]))
    # The mean under w is (.75, .25): .9/.75 = 1.2 to .1/.25 = .4, and .6/.75 = .8 to .4/.25 = 1.6.
    assert found[0] == pytest.approx([0.75, 0.25]) and found[1] == pytest.approx([1 / 3, 2 / 3])
    assert found[-1] == pytest.approx([0.7, 0.3])


def test_an_answer_is_averaged_over_the_next_wordings_of_its_item_in_a_circle():
    chances = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.6, 0.4]])
    found = np.exp(averaged(np.log(chances), ["a", "a", "a", "b"], 2))
    assert found == pytest.approx(np.array([[0.7, 0.3], [0.35, 0.65], [0.55, 0.45], [0.6, 0.4]]))
    whole = averaged(np.log(chances), ["a"] * 4, 9)
    assert whole == pytest.approx(np.tile(np.log(chances.mean(axis=0)), (4, 1)))


def test_one_wording_without_calibration_changes_no_number():
    logprobs = np.log([[0.9, 0.1]])
    assert averaged(logprobs, ["a"], 1) is logprobs


def test_the_answer_is_the_label_that_comes_out_and_it_is_judged_anew():
    prompts = [
        Prompt(id=str(n), group_id="g", example_id="e", wording=f"w{n}", prompt="p", completion="blue")
        for n in range(3)
    ]
    chances = [[0.6, 0.4], [0.1, 0.9], [0.3, 0.7]]
    given = [
        Prediction(
            prompt_id=str(n),
            text="red, I say",
            token_ids=[1, 2],
            parsed="red",
            label_logprobs=np.log(row).tolist(),
            logprob=-3.0,
            correct=False,
        )
        for n, row in enumerate(chances)
    ]
    manifest = ArmManifest(
        method="none",
        base="b",
        revision=None,
        labels=["red", "blue"],
        max_length=9,
        seed=0,
        training={},
        averaged_wordings=3,
    )
    found = adjusted(given, prompts, manifest)
    assert manifest.adjusted and {one.text for one in found} == {"blue"}
    assert all(one.correct and one.parsed == "blue" and one.token_ids == [] for one in found)
    assert found[0].logprob == pytest.approx(np.log(2 / 3), abs=1e-6)


def test_an_arm_that_answers_from_many_prompts_together_is_not_asked_one_at_a_time(tmp_path):
    manifest = ArmManifest(
        method="none", base="b", revision=None, labels=["a"], max_length=9, seed=0, training={}, calibrated=True
    )
    (tmp_path / "few").mkdir()
    write_manifest(tmp_path / "few", manifest)
    with pytest.raises(SteadyError, match=r"arm 'few' answers from many prompts together .* Ask the others with --arm"):
        read_arm(tmp_path / "few", None)
