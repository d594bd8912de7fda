"""Answers of several labels: against scikit-learn, by hand, and as one answer with a probability."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from steady.errors import SteadyError
from steady.labels import LabelTask, joined, log_sigmoid
from steady.metrics.answers import read_answers
from steady.metrics.arm_quality import class_statistic, confusion_rows, evaluate_metrics, quality_statistic
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.files import plain
from steady.metrics.label_sets import fit_label_temperature, label_sets, scaled_labels, set_logprobs
from steady.metrics.posix import classifier_group, prompt_sensitivity
from steady.metrics.resampling import Bootstrap
from steady.records import Prediction, Prompt, Wording

LABELS = ("ads", "bug", "cost")
TASK = LabelTask(LABELS, multi_label=True)
SETS = st.lists(st.sampled_from(LABELS), unique=True).map(sorted)


def asked(place: int, labels: list[str], group: str = "", wording: str = "canonical", split: str = "test") -> Prompt:
    name = group or f"g{place}"
    return Prompt(
        id=f"p{place}", group_id=name, example_id=name, wording=wording, prompt="x", completion=joined(labels),
        labels=labels, split=split,  # type: ignore[arg-type]
    )  # fmt: skip


def said(place: int, logits: list[float]) -> Prediction:
    logprobs = log_sigmoid(np.array(logits))
    answer, logprob = TASK.answer(logprobs)
    return Prediction(
        prompt_id=f"p{place}", text=answer, parsed=answer, label_logprobs=logprobs.tolist(), logprob=logprob
    )


def told(place: int, labels: list[str] | None) -> Prediction:
    text = "dunno" if labels is None else joined(labels)
    return Prediction(prompt_id=f"p{place}", text=text, parsed=None if labels is None else text)


def answers(gold: list[list[str]], given: list[Prediction]):
    return read_answers([asked(place, labels) for place, labels in enumerate(gold)], given, LABELS, multi_label=True)


def values(found) -> dict:
    data = found.answered()
    once = np.ones((1, data.group_count))
    return {name: value[0] for name, value in (quality_statistic(data)(once) | class_statistic(data)(once)).items()}


@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=30))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[list[str], list[str]]]) -> None:
    gold, given_sets = (list(column) for column in zip(*pairs, strict=True))
    found = values(answers(gold, [told(place, labels) for place, labels in enumerate(given_sets)]))
    true, answer = (np.array([[label in one for label in LABELS] for one in column]) for column in (gold, given_sets))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(true, answer))
    assert found["hamming_loss"] == pytest.approx(reference.hamming_loss(true, answer))
    for average in ("micro", "macro"):
        absent = np.nan if average == "macro" else 0  # labels that occur nowhere leave the mean
        expected = reference.f1_score(true, answer, average=average, zero_division=absent)
        assert found[f"{average}_f1"] == pytest.approx(expected, nan_ok=True)
    if true.any():
        weighted = reference.f1_score(true, answer, average="weighted", zero_division=0)
        assert found["weighted_f1"] == pytest.approx(weighted)
    theirs = reference.precision_recall_fscore_support(true, answer, average=None, zero_division=0)
    for ours, expected in zip((found["precision"], found["recall"], found["f1"]), theirs, strict=False):
        assert ours == pytest.approx(expected)


def test_scores_by_hand() -> None:
    """Two rows of three labels: {ads, bug} answered {ads}, and {} answered {}; five of six labels are right."""
    found = values(answers([["ads", "bug"], []], [told(0, ["ads"]), told(1, [])]))
    assert (found["accuracy"], found["hamming_loss"]) == (0.5, pytest.approx(1 / 6))
    assert found["micro_f1"] == pytest.approx(2 / 3)
    assert found["f1"].tolist() == [1.0, 0.0, 0.0] and found["weighted_f1"] == 0.5


def test_an_answer_that_names_something_else_is_wrong_and_counted() -> None:
    found = answers([["ads"], ["bug"]], [told(0, None), told(1, ["bug"])])
    assert found.failed.tolist() == [True, False] and found.correct.tolist() == [0.0, 1.0]
    assert values(found)["unparsed"] == 0.5 and found.texts == ("dunno", "bug")


def test_a_target_with_a_label_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(SteadyError, match="gold label 'ads, dog' is not one of ads, bug, cost"):
        answers([["ads", "dog"]], [told(0, ["ads"])])


def test_the_log_loss_and_the_calibration_are_those_of_the_whole_set() -> None:
    """P(ads) = .9, P(bug) = .8, P(cost) = .3: the answer {ads, bug} has .9 x .8 x .7 = .504, the target {ads} .126."""
    logits = [float(np.log(p / (1 - p))) for p in (0.9, 0.8, 0.3)]
    found = values(answers([["ads"]], [said(0, logits)]))
    assert found["log_loss"] == pytest.approx(-np.log(0.126))
    assert found["expected_calibration_error"] == pytest.approx(0.504)


@given(st.lists(st.lists(st.floats(-8, 8), min_size=3, max_size=3), min_size=1, max_size=6))
def test_the_probabilities_of_all_sets_add_up_to_one_and_the_answer_is_the_largest(logits: list[list[float]]) -> None:
    logprobs = log_sigmoid(np.array(logits))
    every = np.array(list(product((False, True), repeat=3)))
    probabilities = np.exp(set_logprobs(logprobs, every))
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    found = answers([[]] * len(logits), [said(place, row) for place, row in enumerate(logits)])
    chosen = np.exp(found.logprobs[np.arange(len(logits)), found.answer])
    assert chosen == pytest.approx(probabilities.max(axis=1))
    assert found.logprobs.max(axis=1) == pytest.approx(np.log(chosen))


def test_a_temperature_divides_the_logits_of_the_labels() -> None:
    logits = np.array([[2.0, -1.0, 0.5]])
    assert scaled_labels(log_sigmoid(logits), 4.0) == pytest.approx(log_sigmoid(logits / 4))
    assert scaled_labels(log_sigmoid(logits), 1.0) == pytest.approx(log_sigmoid(logits))


def test_the_temperature_of_overconfident_labels_is_found() -> None:
    """Labels drawn with the probabilities of some logits, which are then made three times as large."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 3)) * 2
    gold = generator.random((4000, 3)) < np.exp(log_sigmoid(logits))
    assert fit_label_temperature(log_sigmoid(logits * 3), gold) == pytest.approx(3.0, rel=0.05)
    with pytest.raises(ValueError, match="finite"):
        fit_label_temperature(np.full((1, 3), np.nan), gold[:1])


def test_posix_of_two_wordings_by_hand() -> None:
    """Wording 1 answers {ads} (p .9, .2), wording 2 {ads, bug} (p .9, .6); psi is the mean of the two log ratios.

    log P(S2 | x1) - log P(S2 | x2) = log .2 - log .6, and log P(S1 | x2) - log P(S1 | x1) = log .4 - log .8.
    """
    sets = label_sets(["ads", "ads, bug"], ("ads", "bug"), np.log([[0.9, 0.2], [0.9, 0.6]]))
    group = classifier_group(sets.of_sets())
    assert group.responses == [0, 1]
    assert prompt_sensitivity(*group).psi == pytest.approx((np.log(3) + np.log(2)) / 2)


def test_evaluate_has_the_shared_keys_and_counts_for_each_label() -> None:
    gold = [["ads"], ["ads", "bug"], [], ["cost"]]
    prompts = [asked(place, labels, split="test" if place < 3 else "validation") for place, labels in enumerate(gold)]
    given_rows = [said(0, [2, -2, -2]), said(1, [2, -2, -2]), said(2, [-2, -2, 2]), said(3, [-2, -2, 2])]
    found = plain(evaluate_metrics(read_answers(prompts, given_rows, LABELS, True), Bootstrap(100, 0.95, 0)))
    test = found["test"]
    assert found["multi_label"] is True and "confusion" not in test and test["accuracy"]["value"] == 1 / 3
    counts = [[row[name] for name in ("support", "true_positive", "false_positive", "false_negative", "true_negative")]
              for row in test["per_class"].values()]  # fmt: skip
    assert counts == [[2, 2, 0, 0, 1], [1, 0, 0, 1, 2], [0, 0, 1, 0, 2]]
    assert test["per_class"]["ads"]["f1"]["interval"] is None and test["micro_f1"]["value"] == pytest.approx(2 / 3)
    assert found["temperature"] == pytest.approx(0.05, abs=0.01), "no mistake on validation: as confident as allowed"
    rows = confusion_rows(prompts, given_rows, task=TASK)
    assert len(rows) == 9 and rows[3:5] == [
        {"actual": "ads", "predicted": "ads"},
        {"actual": "bug", "predicted": "not bug"},
    ]


def test_agreement_is_of_the_whole_set_and_scaling_moves_posix_alone() -> None:
    kinds = [("canonical", "L1", True), ("spelling/a", "L2", False), ("spelling/b", "L2", False)]
    wordings = [Wording(id=n, family=n.split("/")[0], operator="x", level=v, trained=t) for n, v, t in kinds]  # type: ignore[arg-type]
    prompts = [asked(place, ["ads"], f"g{place // 3}", kinds[place % 3][0]) for place in range(6)]
    logits = [[2, -1, -2], [2, -1, -2], [2, -1, -2], [2, -1, -2], [2, -1, -2], [2, 1, -2]]
    given_rows = [said(place, row) for place, row in enumerate(logits)]
    read = read_answers(prompts, given_rows, LABELS, multi_label=True)
    found = {
        temperature: plain(sensitivity_metrics(read, wordings, Bootstrap(100, 0.95, 0), temperature))["headline"]
        for temperature in (1.0, 2.0)
    }
    assert found[1.0]["agreement"]["value"] == 0.5, "{ads} and {ads, bug} are other answers"
    assert found[1.0]["posix"] == found[2.0]["posix"]
    assert found[1.0]["posix_scaled"]["value"] == pytest.approx(found[1.0]["posix"]["value"])
    assert 0 < found[2.0]["posix_scaled"]["value"] < found[1.0]["posix_scaled"]["value"]
