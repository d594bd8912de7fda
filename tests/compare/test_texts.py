"""Arms that generate, compared: matrices give POSIX, and every measure of the texts has a paired test."""

import json

import pytest

from steady.compare.paired import compare_arms
from steady.compare.results import read_formatted
from steady.errors import SteadyError
from steady.labels import LabelTask
from steady.records import Prediction, Prompt, TextScores, read_records, write_records
from steady.scoring.classifying import label_groups
from steady.scoring.matrices import write_matrices

LABELS = ("cat", "dog", "bird")
MATRICES = "matrices.safetensors"


def as_generated(run, arms):
    """The same run as a model that generates would leave it: the texts are the labels, the matrices their probabilities."""
    evaluation = read_records(run / "formatted/evaluation.jsonl", Prompt)
    reworded = read_records(run / "formatted/sensitivity.jsonl", Prompt)
    for arm in arms:
        path = run / f"metrics/{arm}/evaluate.json"
        values = json.loads(path.read_text()) | {"task": "CAUSAL_LM", "generated": {"within_words_limit": 1}}
        path.write_text(json.dumps(values))
        said = read_records(run / f"reports/{arm}/predictions.jsonl", Prediction)
        write_records(run / f"reports/{arm}/generated.jsonl", [scored(one) for one in said])
        moved = read_records(run / f"reports/{arm}/sensitivity.jsonl", Prediction)
        write_matrices(run / f"reports/{arm}" / MATRICES, label_groups(reworded, moved, LabelTask(LABELS)))
    assert len(evaluation) == len(said)
    return run


def scored(said: Prediction) -> TextScores:
    right = bool(said.correct)
    return TextScores(
        prompt_id=said.prompt_id,
        label=said.text,
        words=1,
        exact_match=right,
        rouge_l=float(right),
        chrf=float(right),
        reference_logprob=-1.0 if right else -2.0,
        reference_tokens=2,
    )


def step(run, read_run, testing):
    base, tuned = read_run(run, ["baseline", "tuned"])
    return compare_arms(base, tuned, read_formatted(run / "formatted").cells, testing)


def test_posix_of_matrices_is_that_of_the_probabilities_they_repeat(make_run, read_run, testing, arms):
    run = make_run()
    before = step(run, read_run, testing)["levels"]["L2"]["all"]
    after = step(as_generated(run, arms), read_run, testing)["levels"]["L2"]["all"]
    for name in ("from", "to", "p"):
        assert after["measures"]["posix"][name] == pytest.approx(before["measures"]["posix"][name])
    assert after["noise_floor"]["posix"] == pytest.approx(before["noise_floor"]["posix"])


def test_texts_are_compared_on_the_same_rows(make_run, read_run, testing, arms):
    run = make_run()
    assert step(run, read_run, testing)["generated"]["rows"] == 0
    found = step(as_generated(run, arms), read_run, testing)
    accuracy, texts = found["quality"]["measures"]["accuracy"], found["generated"]["measures"]
    assert found["generated"]["rows"] == found["quality"]["rows"]
    for name in ("exact_match", "rouge_l", "label_accuracy"):
        assert texts[name]["from"] == accuracy["from"] and texts[name]["to"] == accuracy["to"]
        assert texts[name]["difference"]["value"] == pytest.approx(accuracy["difference"]["value"])
        assert texts[name]["p"] < 0.05
    assert texts["reference_perplexity"]["from"] > texts["reference_perplexity"]["to"]
    assert texts["words"]["p"] == 1.0


def test_scores_of_other_prompts_are_refused(make_run, read_run, testing, arms):
    run = as_generated(make_run(), arms)
    path = run / "reports/tuned/generated.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(SteadyError, match=r"generated\.jsonl: not the scores of the prompts of today"):
        step(run, read_run, testing)
