"""`metrics/comparison.json` and `metrics/headline.json`."""

import pytest

from steady.compare.claims import Claim
from steady.compare.results import read_formatted
from steady.compare.summary import comparison, headline, steps
from steady.metrics.files import laid_out, rounded

CLAIM = Claim(
    id="better",
    statement="Better.",
    endpoint="accuracy",
    arm="tuned",
    against="baseline",
    direction="higher",
    test="mcnemar",
)


@pytest.fixture
def compare(make_run, read_run, testing):
    def compared(names, arms=None):
        run = make_run({name: right for name, right in arms.items() if name in names}) if arms else make_run()
        found = read_run(run, names)
        return rounded(comparison(found, read_formatted(run / "formatted").cells, [CLAIM], testing)), found

    return compared


def leaves(value):
    return [leaf for inner in value.values() for leaf in leaves(inner)] if isinstance(value, dict) else [value]


def test_steps_go_from_arm_to_arm_and_from_the_first_to_the_last(read_run, make_run):
    found = read_run(make_run(), ["baseline", "control", "tuned"])
    assert [(a.name, b.name) for a, b in steps(found)] == [
        ("baseline", "control"),
        ("control", "tuned"),
        ("baseline", "tuned"),
    ]
    assert [(a.name, b.name) for a, b in steps(found[:2])] == [("baseline", "control")]
    assert list(steps(found[:1])) == []


def test_a_comparison_holds_arms_claims_and_steps(compare):
    found, _ = compare(["baseline", "control", "tuned"])
    assert list(found) == ["settings", "arms", "references", "claims", "steps"]
    assert list(found["steps"]) == ["baseline_to_control", "control_to_tuned", "baseline_to_tuned"]
    assert found["arms"]["control"]["accuracy"]["value"] == 0.75
    assert found["claims"][0]["verdict"] == "supported"
    assert found["settings"]["correction"].startswith("Holm")


def test_the_headline_has_at_most_twelve_numbers_on_two_levels(compare):
    found, arms = compare(["baseline", "control", "tuned"])
    numbers = rounded(headline(found, arms))
    assert list(numbers) == ["baseline", "tuned", "p", "trainable_percent"]
    assert list(numbers["tuned"]) == ["accuracy", "worst_wording", "agreement", "posix"]
    assert len(leaves(numbers)) == 12
    assert all(isinstance(leaf, float) for leaf in leaves(numbers))
    assert numbers["tuned"] == {"accuracy": 0.916667, "worst_wording": 0.916667, "agreement": 1.0, "posix": 0.0}
    assert numbers["baseline"]["agreement"] == 0.5
    assert numbers["p"]["agreement"] == pytest.approx(1 / 201, rel=0.01)
    assert numbers["trainable_percent"] == 1.25


def test_two_arms_make_one_step_and_the_same_headline_keys(compare, arms):
    found, read = compare(["baseline", "tuned"], arms)
    assert list(found["steps"]) == ["baseline_to_tuned"]
    assert len(leaves(headline(found, read))) == 12


def test_one_arm_alone_is_described_and_tests_nothing(compare, arms):
    found, read = compare(["baseline"], arms)
    assert found["steps"] == {}
    assert found["claims"][0]["verdict"] == "not tested"
    assert list(headline(found, read)) == ["baseline", "trainable_percent"]


def test_equal_files_give_equal_bytes(compare):
    texts = {laid_out(compare(["baseline", "control", "tuned"])[0]) for _ in range(2)}
    assert len(texts) == 1
