"""`metrics/comparison.json` and `metrics/headline.json`."""

import msgspec
import pytest

from steady.compare.claims import Claim
from steady.compare.summary import comparison, headline
from steady.metrics.files import laid_out, plain, rounded
from steady.metrics.run import steps

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
def compare(make_run, results_of, testing):
    def compared(names, arms=None):
        run = make_run({name: right for name, right in arms.items() if name in names}) if arms else make_run()
        found = comparison(results_of(run, names), [CLAIM], testing)
        return rounded(plain(found)), rounded(headline(found))

    return compared


class Found(msgspec.Struct):
    value: float


class Compared(msgspec.Struct):
    arms: dict[str, dict[str, Found]]


def leaves(value):
    return [leaf for inner in value.values() for leaf in leaves(inner)] if isinstance(value, dict) else [value]


def test_steps_go_from_arm_to_arm_and_from_the_first_to_every_other():
    assert list(steps(["a", "b", "c"])) == [("a", "b"), ("b", "c"), ("a", "c")]
    assert list(steps(["a", "b", "c", "d"])) == [("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("a", "d")]
    assert list(steps(["a", "b"])) == [("a", "b")]
    assert list(steps(["a"])) == []


def test_a_comparison_holds_arms_claims_and_steps(compare):
    found, _ = compare(["baseline", "control", "tuned"])
    assert list(found) == ["settings", "arms", "references", "claims", "steps"]
    assert list(found["steps"]) == ["baseline_to_control", "control_to_tuned", "baseline_to_tuned"]
    assert found["arms"]["control"]["accuracy"]["value"] == 0.75
    assert found["claims"][0]["verdict"] == "supported"
    assert found["settings"]["correction"].startswith("Holm")


def test_the_headline_has_at_most_twelve_numbers_by_arm_and_measure(compare):
    _, numbers = compare(["baseline", "control", "tuned"])
    assert list(numbers) == ["baseline", "control", "tuned"]
    assert len(leaves(numbers)) == 12
    assert numbers["tuned"] == {
        "accuracy": 0.916667,
        "worst_wording_accuracy": 0.916667,
        "agreement": 1.0,
        "posix": 0.0,
    }
    assert numbers["baseline"]["agreement"] == 0.5


@pytest.mark.parametrize(("count", "measures"), [(2, 4), (4, 3), (5, 2), (12, 1), (14, 1)])
def test_with_more_arms_each_has_fewer_numbers_and_the_last_is_always_there(compare, count, measures):
    arm = {name: {"value": 0.5} for name in ("accuracy", "worst_wording_accuracy", "agreement", "posix")}
    arms = msgspec.convert({f"arm{n}": arm for n in range(count)}, dict[str, dict[str, Found]])
    numbers = headline(Compared(arms))
    assert len(leaves(numbers)) <= 12 and {len(entry) for entry in numbers.values()} == {measures}
    assert next(iter(numbers)) == "arm0" and list(numbers)[-1] == f"arm{count - 1}"


def test_arms_may_have_any_name_and_a_claim_about_others_is_not_tested(compare, arms):
    found, numbers = compare(["left", "right"], {"left": arms["baseline"], "right": arms["tuned"]})
    assert list(found["steps"]) == ["left_to_right"] and list(numbers) == ["left", "right"]
    assert found["claims"][0]["verdict"] == "not tested"
    assert found["claims"][0]["reason"] == "no arm tuned and no arm baseline in this run"


def test_one_arm_alone_is_described_and_tests_nothing(compare, arms):
    found, numbers = compare(["baseline"], arms)
    assert found["steps"] == {}
    assert found["claims"][0]["verdict"] == "not tested"
    assert list(numbers) == ["baseline"]


def test_equal_files_give_equal_bytes(compare):
    texts = {laid_out(compare(["baseline", "control", "tuned"])[0]) for _ in range(2)}
    assert len(texts) == 1
