"""`metrics/ARM/sensitivity.json`."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steady.metrics.answers import read_answers
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.files import laid_out, plain, rounded
from steady.metrics.matrices import ScoredGroup
from steady.metrics.measures import SENSITIVITY
from steady.metrics.posix import classifier_group
from steady.metrics.resampling import Bootstrap, lowest_interval
from steady.records import CANONICAL, Prediction, Wording


@pytest.fixture
def asked(prompt, wordings, labels):
    test = [prompt(f"g{n}", wording.id, labels[n % 3]) for n in range(6) for wording in wordings]
    seen = [
        prompt(f"t{n}", wording.id, labels[n % 3], split="train")
        for n in range(3)
        for wording in wordings
        if wording.trained
    ]
    return test + seen


def measured(asked, wordings, labels, answers, temperature=1.0, draws=100, matrices=None):
    read = read_answers(asked, answers, labels)
    return plain(sensitivity_metrics(read, wordings, Bootstrap(draws, 0.95, 0), temperature, matrices))


def cell(found, level, family="all"):
    return {name: entry["value"] for name, entry in found["levels"][level][family]["measures"].items()}


def test_a_right_and_steady_arm(asked, wordings, labels, prediction):
    found = measured(asked, wordings, labels, [prediction(p, p.completion) for p in asked])
    steady = cell(found, "L2")
    for name in (
        "mean_accuracy",
        "worst_wording_accuracy",
        "cps",
        "agreement",
        "agreement_with_canonical",
        "consistent_groups",
    ):
        assert steady[name] == 1.0
    for name in ("spread", "std_over_wordings", "pss", "pdr", "answer_entropy", "posix", "posix_scaled", "unparsed"):
        assert steady[name] == pytest.approx(0.0, abs=1e-12)
    assert not found["degeneracy"]["degenerate"]
    assert found["levels"]["L2"]["spelling"]["n_groups"] == 6
    assert found["levels"]["L2"]["spelling"]["n_wordings"] == 3


def test_a_constant_arm_is_steady_and_flagged(asked, wordings, labels, prediction):
    found = measured(asked, wordings, labels, [prediction(p, "cat") for p in asked])
    assert cell(found, "L2")["agreement"] == 1.0
    assert found["degeneracy"]["degenerate"]
    assert found["levels"]["L2"]["all"]["degenerate"]


def test_one_bad_held_out_wording_by_hand(asked, wordings, labels, prediction):
    # spelling/a is answered "cat" for everyone, so it is right for two of six groups
    answers = [prediction(p, "cat" if p.wording == "spelling/a" else p.completion) for p in asked]
    found = measured(asked, wordings, labels, answers)
    spelling = cell(found, "L2", "spelling")
    assert spelling["worst_wording_accuracy"] == pytest.approx(1 / 3)
    assert spelling["mean_accuracy"] == pytest.approx(7 / 9)
    assert spelling["spread"] == pytest.approx(2 / 3)
    assert spelling["cps"] == pytest.approx(7 / 9)
    assert spelling["worst_prompt_accuracy"] == pytest.approx(1 / 3)
    assert spelling["pss"] == pytest.approx(4 / 6 * 2 / 3)
    assert spelling["agreement"] == pytest.approx((2 * 3 + 4 * 1) / 18)
    assert spelling["agreement_with_canonical"] == pytest.approx((2 * 3 + 4 * 2) / 18)
    assert spelling["consistent_groups"] == pytest.approx(1 / 3)
    assert spelling["pdr"] == pytest.approx(1 - 7 / 9)
    assert spelling["posix"] == pytest.approx(4 / 6 * 4 * np.log(8) / 6)
    # held out: surface/b, spelling/a, spelling/b, spelling/c
    assert found["headline"]["mean_accuracy"]["value"] == pytest.approx((3 + 1 / 3) / 4)
    assert found["headline"]["worst_wording_accuracy"]["value"] == pytest.approx(1 / 3)
    assert found["headline"]["agreement"]["value"] == spelling["agreement"]
    assert found["wordings"]["spelling/a"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert found["wordings"]["canonical"]["prompts"] == 6
    assert cell(found, "L1")["agreement"] == 1.0


def test_the_file_begins_with_the_headline_and_has_every_measure_everywhere(asked, wordings, labels, prediction):
    found = measured(asked, wordings, labels, [prediction(p, p.completion) for p in asked])
    assert next(iter(found)) == "headline"
    assert list(found["levels"]) == ["L0", "L1", "L2"]
    cells = [found["held_out"], *(inner for level in found["levels"].values() for inner in level.values())]
    assert all(list(inner["measures"]) == [row.name for row in SENSITIVITY] for inner in cells)
    assert len(cells) == 7


def test_a_family_without_variants_is_there_with_nulls(asked, wordings, labels, prediction):
    more = [*wordings, Wording(id="order/a", family="order", operator="permute", level="L2")]
    found = rounded(measured(asked, more, labels, [prediction(p, p.completion) for p in asked]))
    order = found["levels"]["L2"]["order"]
    assert (order["n_groups"], order["n_prompts"]) == (0, 0)
    assert order["measures"]["agreement"] == {"value": None, "interval": None}
    assert order["measures"]["spread"] == {"value": None, "interval": None, "null": [None, None], "p": None}


def test_without_train_groups_l0_is_null(asked, wordings, labels, prediction):
    test = [p for p in asked if p.split == "test"]
    found = measured(test, wordings, labels, [prediction(p, p.completion) for p in test])
    assert found["levels"]["L0"]["all"]["n_groups"] == 0
    assert np.isnan(cell(found, "L0")["agreement"])


def test_a_canonical_accuracy_of_zero_leaves_the_drop_rate_null(asked, wordings, labels, prediction):
    wrong = {"cat": "dog", "dog": "bird", "bird": "cat"}
    answers = [prediction(p, wrong[p.completion] if p.wording == "canonical" else p.completion) for p in asked]
    found = rounded(measured(asked, wordings, labels, answers))
    assert found["levels"]["L2"]["all"]["measures"]["pdr"] == {"value": None, "interval": None}


def test_without_a_temperature_scaled_posix_is_null_and_the_raw_one_stays(asked, wordings, labels, prediction):
    answers = [prediction(p, p.completion, confidence=0.5 + 0.05 * (len(p.wording) % 5)) for p in asked]
    found = rounded(measured(asked, wordings, labels, answers, temperature=None))
    measures = found["held_out"]["measures"]
    assert measures["posix_scaled"]["value"] is None
    assert measures["posix"]["value"] > 0
    assert measures["posix_diff"]["value"] == 0.0


def test_scaling_lowers_the_posix_of_an_overconfident_arm(asked, wordings, labels, prediction):
    answers = [prediction(p, "cat" if p.wording == "spelling/a" else p.completion, 0.99) for p in asked]
    values = [cell(measured(asked, wordings, labels, answers, temperature=t), "L2")["posix_scaled"] for t in (1.0, 3.0)]
    assert values[1] < values[0]


def test_saved_matrices_of_a_generating_model_give_the_same_posix_as_its_label_probabilities(
    asked, wordings, labels, prediction
):
    answers = [prediction(p, "cat" if p.wording == "spelling/a" else p.completion) for p in asked]
    matrices = {}
    for group in {p.group_id for p in asked}:
        rows = [n for n, p in enumerate(asked) if p.group_id == group]
        scored = classifier_group([answers[n].label_logprobs for n in rows])
        said = tuple(Prediction(prompt_id=asked[n].id, text=answers[n].text) for n in rows)
        matrices[group] = ScoredGroup(group, scored.matrix, scored.lengths, said)
    text = [Prediction(prompt_id=a.prompt_id, text=a.text, parsed=a.parsed) for a in answers]
    expected, found = (measured(asked, wordings, labels, a, matrices=m) for a, m in ((answers, None), (text, matrices)))
    for level, name in (("L2", "posix"), ("L2", "posix_same"), ("L1", "posix")):
        assert cell(found, level)[name] == pytest.approx(cell(expected, level)[name])
    assert np.isnan(cell(found, "L2")["posix_scaled"])


def test_nothing_in_it_is_nan_and_equal_input_gives_equal_bytes(asked, wordings, labels, prediction):
    answers = [prediction(p, "cat") for p in asked]
    texts = {laid_out(rounded(measured(asked, wordings, labels, answers))) for _ in range(2)}
    assert len(texts) == 1
    assert "NaN" not in texts.pop()


def test_intervals_resample_groups_not_prompts(asked, wordings, labels, prediction):
    # half of the groups are always right, half always wrong: 18 prompts, but six independent groups
    answers = [prediction(p, p.completion if int(p.group_id[1]) < 3 else None) for p in asked]
    low, high = measured(asked, wordings, labels, answers, draws=2000)["levels"]["L2"]["all"]["measures"][
        "mean_accuracy"
    ]["interval"]
    assert low == pytest.approx(1 / 6, abs=0.17)
    assert high == pytest.approx(5 / 6, abs=0.17)
    assert json.loads(laid_out(rounded({"low": low})))["low"] < 0.35


@settings(max_examples=15)
@given(data=st.data())
def test_the_order_of_groups_and_wordings_changes_no_value(data):
    labels = ("a", "b", "c")
    wordings = [Wording(id=f"spelling/{n}", family="spelling", operator="omit", level="L2") for n in range(4)]
    asked, answers = [], []
    for group in range(5):
        for wording in wordings:
            answer = data.draw(st.sampled_from(labels))
            asked.append((f"g{group}", wording.id, labels[group % 3]))
            answers.append((answer, data.draw(st.floats(0.4, 0.9))))
    order = data.draw(st.permutations(range(len(asked))))
    before, after = (_l2_values(asked, answers, wordings, labels, rows) for rows in (range(len(asked)), order))
    assert after == pytest.approx(before, nan_ok=True)


def _l2_values(asked, answers, wordings, labels, rows):
    from steady.records import Prompt

    prompts, predictions = [], []
    for row in rows:
        (group, wording, gold), (answer, confidence) = asked[row], answers[row]
        fields = {"id": f"{group}:{wording}", "group_id": group, "example_id": group, "wording": wording}
        prompts.append(Prompt(**fields, prompt="", completion=gold))
        shares = [confidence if label == answer else (1 - confidence) / 2 for label in labels]
        predictions.append(
            Prediction(prompt_id=fields["id"], text=answer, parsed=answer, label_logprobs=np.log(shares).tolist())
        )
    return cell(measured(prompts, wordings, labels, predictions, 2.0, 10), "L2")


def test_the_worst_wordings_interval_is_that_of_a_minimum(wordings, labels, prompt, prediction):
    asked = [prompt(f"g{n}", wording.id, labels[n % 3]) for n in range(40) for wording in wordings]
    # right answers in a pattern that neither groups nor wordings share
    right = [place * 2654435761 % 2**32 >> 16 & 1 for place in range(len(asked))]
    answers = [prediction(p, p.completion if good else "no label") for p, good in zip(asked, right, strict=True)]
    found = measured(asked, wordings, labels, answers)["held_out"]["measures"]["worst_wording_accuracy"]
    table = np.reshape(right, (40, len(wordings))).astype(float)
    unseen = table[:, [not wording.trained and wording.id != CANONICAL for wording in wordings]]
    assert found["value"] == unseen.mean(axis=0).min()
    assert found["interval"] == lowest_interval(unseen, Bootstrap(100, 0.95, 0))
