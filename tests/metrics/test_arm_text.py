"""The figures of generated texts, by hand; null where nothing is generated."""

import math

import pytest

from steady.metrics.arm_text import generated_metrics
from steady.metrics.files import plain
from steady.metrics.measures import TEXT
from steady.metrics.resampling import Bootstrap
from steady.records import Prediction, Prompt, TextScores

DRAWS = Bootstrap(draws=100, confidence=0.9, seed=0)
PROMPTS = [
    Prompt(
        id=str(n), group_id=str(n // 2), example_id="", wording="canonical", prompt="", completion="yes", split="test"
    )
    for n in range(4)
]
TEXTS = ["yes", "no", "yes", "maybe so"]
PREDICTIONS = [Prediction(prompt_id=str(n), text=text) for n, text in enumerate(TEXTS)]


def scores(labels):
    return [
        TextScores(
            prompt_id=str(n),
            label=text if text in labels else None,
            words=len(text.split()),
            exact_match=text == "yes",
            rouge_l=float(text == "yes"),
            chrf=0.5,
            reference_logprob=-2.0 - n,
            reference_tokens=1 + n % 2,
        )
        for n, text in enumerate(TEXTS)
    ]


def measured(labels):
    answers = list(zip(PROMPTS, PREDICTIONS, strict=True))
    return plain(generated_metrics(answers, scores(labels), bool(labels), 1, DRAWS))


def test_means_over_rows_and_the_pooled_perplexity_of_the_references():
    found = measured(["yes", "no"])["test"]
    values = {name: entry["value"] for name, entry in found.items()}
    assert values["label_accuracy"] == values["exact_match"] == values["rouge_l"] == 0.5
    assert values["no_label"] == 0.25 and values["words"] == 1.25 and values["within_words"] == 0.75
    assert values["reference_perplexity"] == pytest.approx(math.exp((2 + 3 + 4 + 5) / (1 + 2 + 1 + 2)))
    assert found["distinct_answers"] == {"value": 0.75, "interval": None}
    assert found["exact_match"]["interval"] is None, "two groups are too few for an interval"


def test_open_answers_have_no_figures_of_labels():
    found = measured([])["test"]
    assert math.isnan(found["label_accuracy"]["value"]) and math.isnan(found["no_label"]["value"])
    assert found["exact_match"]["value"] == 0.5


def test_a_classifier_has_the_same_keys_and_no_values():
    nothing = plain(generated_metrics([], [], True, 1, DRAWS))
    assert {split: set(entry) for split, entry in nothing.items() if split in ("test", "validation")} == {
        split: {*(row.name for row in TEXT), "distinct_answers"} for split in ("test", "validation")
    }
    assert nothing["within_words_limit"] is None
    assert all(math.isnan(entry["value"]) for entry in nothing["test"].values())
