"""What comes of a claim."""

import json

import pytest

from steady.compare.claims import ENDPOINTS, Claim
from steady.compare.verdicts import judge_claims, verdict, verdict_text
from steady.metrics.files import plain


def claim(endpoint="accuracy", arm="tuned", against="control", direction="higher", name="it"):
    return Claim(
        id=name,
        statement="It is so.",
        endpoint=endpoint,
        arm=arm,
        against=against,
        direction=direction,
        test=ENDPOINTS[endpoint].test,
    )


@pytest.fixture
def judge(make_run, results_of, testing):
    def judged(*claims, names=("baseline", "control", "tuned"), arms=None):
        run = make_run(arms) if arms else make_run()
        return plain(judge_claims(claims, results_of(run, list(names)).by_name, testing))

    return judged


@pytest.mark.parametrize(
    ("difference", "p", "direction", "expected"),
    [
        (0.1, 0.01, "higher", "supported"),
        (-0.1, 0.01, "lower", "supported"),
        (-0.1, 0.01, "higher", "contrary"),
        (0.1, 0.01, "lower", "contrary"),
        (0.1, 0.05, "higher", "not supported"),
        (0.0, 0.0, "higher", "not supported"),
        (0.1, float("nan"), "higher", "not supported"),
    ],
)
def test_a_verdict_needs_a_small_p_and_the_right_direction(difference, p, direction, expected):
    assert verdict(difference, p, direction, alpha=0.05) == expected


def test_supported_and_contrary(judge):
    up, down = judge(claim(name="up"), claim(name="down", direction="lower"))
    assert (up["verdict"], down["verdict"]) == ("supported", "contrary")
    assert up["difference"]["value"] == pytest.approx(10 / 60)
    assert (up["status"], up["n"]) == ("primary", 60)


def test_a_measure_of_wordings_and_a_family_of_a_level_are_claimed_as_others_are(judge):
    worst, family, absent = judge(
        claim("held_out_worst_wording_accuracy"),
        claim("l1_surface_accuracy", name="b"),
        claim("l1_paraphrase_accuracy", name="c"),
    )
    assert worst["verdict"] != "not tested" and worst["smallest_detectable"] is not None
    assert family["verdict"] != "not tested"
    assert absent["reason"] == "no L1 paraphrase prompts in this run"


def test_p_values_are_corrected_over_the_claims_tested(judge):
    (alone,) = judge(claim())
    first, second, absent = judge(
        claim(), claim("l2_agreement", against="baseline", name="b"), claim(arm="full", name="c")
    )
    assert alone["p_holm"] == alone["p"] == first["p"] == 2 / 1024
    assert first["p_holm"] == 2 * first["p"]
    assert second["p_holm"] == pytest.approx(second["p"])
    assert first["smallest_detectable"] > alone["smallest_detectable"]
    assert (absent["verdict"], absent["reason"]) == ("not tested", "no arm full in this run")


def test_no_difference_is_not_supported_and_says_what_could_have_been_seen(judge, arms):
    arms["tuned"] = lambda prompt: arms["control"](prompt) != (prompt.group_id in ("e1", "e4"))
    (found,) = judge(claim(), arms=arms)
    assert found["verdict"] == "not supported"
    assert found["difference"]["value"] == 0
    assert found["smallest_detectable"] == pytest.approx(6 / 60)


def test_sensitivity_claims_are_about_their_cell(judge):
    (accuracy, agreement, posix) = judge(
        claim("held_out_accuracy", arm="control", against="baseline", name="a"),
        claim("l2_agreement", arm="control", against="baseline", name="b"),
        claim("l2_posix", arm="control", against="baseline", direction="lower", name="c"),
    )
    # held out: surface/2 and surface/3 and four spellings, of which baseline misses /0 and twice /3 in 18 of 24 groups
    assert (accuracy["from"], accuracy["to"]) == (pytest.approx(0.375), 0.75)
    assert [entry["verdict"] for entry in (accuracy, agreement, posix)] == ["supported"] * 3
    assert [entry["n"] for entry in (accuracy, agreement, posix)] == [24] * 3


def test_a_recipe_without_the_control_tests_the_rest(judge, arms):
    del arms["control"]
    first, second = judge(claim(against="baseline"), claim(name="c"), names=("baseline", "tuned"), arms=arms)
    assert first["verdict"] == "supported"
    assert second == {
        **claim(name="c").model_dump(),
        "status": "primary",
        "verdict": "not tested",
        "reason": second["reason"],
    }
    assert second["reason"] == "no arm control in this run"


def test_an_arm_that_gives_one_answer_to_everything_is_not_praised_for_agreeing(make_run, results_of, testing):
    asked = [claim("l2_agreement", against="baseline", name="steady"), claim(name="right")]
    run = make_run()
    before = judge_claims(asked, results_of(run, ["baseline", "control", "tuned"]).by_name, testing)
    path = run / "metrics/arms/tuned/sensitivity.json"
    found = json.loads(path.read_text())
    found["degeneracy"]["degenerate"] = True
    path.write_text(json.dumps(found))
    after = judge_claims(asked, results_of(run, ["baseline", "control", "tuned"]).by_name, testing)
    assert [one.verdict for one in before] == ["supported", "supported"]
    assert [one.verdict for one in after] == ["not supported", "supported"]
    assert after[0].reason == "tuned gives one answer to nearly everything"


def test_what_a_test_could_have_seen_is_said_beside_what_it_saw(make_run, results_of, testing):
    arms = results_of(make_run(), ["baseline", "control", "tuned"]).by_name
    asked = [claim(), claim("l2_agreement", against="baseline", name="a"), claim(arm="full", name="gone")]
    seen, agreed, gone = map(verdict_text, judge_claims(asked, arms, testing))
    assert "\n  accuracy +0.167 [" in seen and "that 60 rows could have shown: 0." in seen
    assert (
        "l2_agreement +" in agreed
        and "groups could have shown: " in agreed
        and gone.startswith("not tested (no arm full")
    )
