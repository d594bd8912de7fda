"""Arms that generate, compared: matrices give POSIX, and every measure of the texts has a paired test."""

import pytest

from steady.compare.paired import compare_arms
from steady.errors import SteadyError
from steady.labels import LabelTask
from steady.metrics.files import plain, read_metrics, write_metrics
from steady.metrics.matrices import write_matrices
from steady.metrics.results import EvaluateResults, GeneratedQuality
from steady.records import Prediction, Prompt, TextScores, read_records, write_records
from steady.scoring.classifying import label_groups

LABELS = ("cat", "dog", "bird")


def as_generated(run, arms):
    """The same run as a model that generates would leave it: the texts are the labels, the matrices their probabilities."""
    evaluation = read_records(run / "formatted/evaluation.jsonl", Prompt)
    reworded = read_records(run / "formatted/sensitivity.jsonl", Prompt)
    for arm in arms:
        path = run / f"metrics/arms/{arm}/evaluate.json"
        found = read_metrics(path, EvaluateResults)
        found.task, found.generated = "CAUSAL_LM", GeneratedQuality(8, 0, 1, {}, {})
        write_metrics(path, found)
        said = read_records(run / f"reports/arms/{arm}/predictions.jsonl", Prediction)
        write_records(run / f"reports/arms/{arm}/texts/generated.jsonl", [scored(one) for one in said])
        moved = read_records(run / f"reports/arms/{arm}/sensitivity.jsonl", Prediction)
        write_matrices(
            run / f"reports/arms/{arm}/matrices/matrices.safetensors", label_groups(reworded, moved, LabelTask(LABELS))
        )
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


def step(run, results_of, testing):
    base, tuned = results_of(run, ["baseline", "tuned"]).arms
    return plain(compare_arms(base, tuned, base.formatted.cells, testing))


def test_posix_of_matrices_is_that_of_the_probabilities_they_repeat(make_run, results_of, testing, arms):
    run = make_run()
    before = step(run, results_of, testing)["levels"]["L2"]["all"]
    after = step(as_generated(run, arms), results_of, testing)["levels"]["L2"]["all"]
    for name in ("from", "to", "p"):
        assert after["measures"]["posix"][name] == pytest.approx(before["measures"]["posix"][name])
    assert after["noise_floor"]["posix"] == pytest.approx(before["noise_floor"]["posix"])


def test_texts_are_compared_on_the_same_rows(make_run, results_of, testing, arms):
    run = make_run()
    assert step(run, results_of, testing)["generated"]["rows"] == 0
    found = step(as_generated(run, arms), results_of, testing)
    accuracy, texts = found["quality"]["measures"]["accuracy"], found["generated"]["measures"]
    assert found["generated"]["rows"] == found["quality"]["rows"]
    for name in ("exact_match", "rouge_l", "label_accuracy"):
        assert texts[name]["from"] == accuracy["from"] and texts[name]["to"] == accuracy["to"]
        assert texts[name]["difference"]["value"] == pytest.approx(accuracy["difference"]["value"])
        assert texts[name]["p"] < 0.05
    assert texts["reference_perplexity"]["from"] > texts["reference_perplexity"]["to"]
    assert texts["words"]["p"] == 1.0


def test_scores_of_other_prompts_are_refused(make_run, results_of, testing, arms):
    run = as_generated(make_run(), arms)
    path = run / "reports/arms/tuned/texts/generated.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(SteadyError, match=r"generated\.jsonl: not the scores of the current prompts"):
        step(run, results_of, testing)
