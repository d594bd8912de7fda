"""`metrics/ARM/evaluate.json`."""

import json

import numpy as np
import pytest

from steady.metrics.answers import read_answers
from steady.metrics.arm_quality import confusion_rows, evaluate_metrics
from steady.metrics.files import laid_out, plain, rounded
from steady.metrics.references import Reference
from steady.metrics.resampling import Bootstrap
from steady.records import Prediction

HOW = Bootstrap(200, 0.95, 0)


def measured(prompts, predictions, labels, **more):
    return plain(evaluate_metrics(read_answers(prompts, predictions, labels), HOW, **more))


@pytest.fixture
def asked(prompt, labels):
    splits = ["test"] * 6 + ["validation"] * 3
    return [prompt(f"g{n}", "canonical", labels[n % 3], split=split) for n, split in enumerate(splits)]


def test_each_split_has_its_own_figures(asked, prediction, labels):
    given = ["cat", "dog", "bird", "cat", "dog", None, "cat", "cat", "cat"]
    answers = [prediction(p, answer) for p, answer in zip(asked, given, strict=True)]
    found = measured(asked, answers, labels, trainable_percent=1.5)
    assert found["test"]["accuracy"]["value"] == pytest.approx(5 / 6)
    assert found["validation"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert found["test"]["unparsed"]["value"] == pytest.approx(1 / 6)
    assert found["test"]["confusion"]["counts"] == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1]]
    assert found["test"]["confusion"]["predicted"][-1] == "(no label)"
    assert found["test"]["per_class"]["bird"]["recall"]["value"] == 0.5
    assert found["test"]["per_class"]["bird"]["support"] == 2
    assert (found["test"]["rows"], found["test"]["groups"], found["trainable_percent"]) == (6, 6, 1.5)


def test_the_same_keys_for_a_classifier_and_for_free_text(asked, prediction, labels):
    def keys(value):
        return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else None

    classified = measured(asked, [prediction(p, "cat") for p in asked], labels)
    text = [Prediction(prompt_id=p.id, text="x", correct=True) for p in asked]
    free = measured(asked, text, [])
    for found in (classified, free):
        for split in ("test", "validation"):
            found[split].pop("per_class")
    assert keys(classified) == keys(free)
    assert free["test"]["accuracy"]["value"] == 1.0
    assert free["temperature"] is None


def test_nothing_in_it_is_nan_and_it_does_not_depend_on_the_run(asked, prediction, labels):
    answers = [Prediction(prompt_id=p.id, text="x", parsed="cat") for p in asked]
    texts = {laid_out(rounded(measured(asked, answers, labels))) for _ in range(2)}
    assert len(texts) == 1
    assert json.loads(texts.pop())["test"]["log_loss"] == {"value": None, "interval": None}


def test_references_stand_beside_with_the_same_figures(asked, prediction, labels):
    always_dog = Reference(["dog"] * 6, np.log(np.tile([0.2, 0.6, 0.2], (6, 1))), {"C": 1.0})
    answers = [prediction(p, "cat") for p in asked]
    found = measured(asked, answers, labels, references={"tfidf": always_dog})["references"]["tfidf"]
    assert found["accuracy"]["value"] == pytest.approx(1 / 3)
    assert found["log_loss"]["value"] == pytest.approx(-(np.log(0.6) + 2 * np.log(0.2)) / 3)
    assert found["settings"] == {"C": 1.0}


def test_an_empty_split_is_null_not_an_error(asked, prediction, labels):
    test = asked[:6]
    found = measured(test, [prediction(p, "cat") for p in test], labels)
    assert rounded(found["validation"]["accuracy"]) == {"value": None, "interval": None}
    assert found["temperature"] is None


def test_the_temperature_comes_from_validation_alone(asked, prediction, labels):
    # right once out of three with confidence .8: calibrated confidence is far lower
    answers = [prediction(p, "cat") for p in asked]
    temperature = measured(asked, answers, labels)["temperature"]
    assert temperature > 5
    changed = [
        prediction(p, p.completion, confidence=0.9) if p.split == "test" else a
        for p, a in zip(asked, answers, strict=True)
    ]
    assert measured(asked, changed, labels)["temperature"] == temperature
    assert measured(asked, answers, labels, temperature=1.5)["temperature"] == 1.5


def test_confusion_rows_are_what_dvc_plots(asked, prediction):
    answers = [prediction(p, "cat") for p in asked]
    answers[1] = prediction(asked[1], None)
    rows = confusion_rows(asked, answers)
    assert rows[:2] == [{"actual": "cat", "predicted": "cat"}, {"actual": "dog", "predicted": "(no label)"}]
    assert len(rows) == 6
