"""Models that generate through every stage, prepare to report, then asked and inspected; tiny random models, label and open tasks."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from generative_run import (
    ARMS,
    LABELS,
    conclude,
    evaluate,
    finetune,
    prepare,
    sensitivity,
    settings,
    write_model,
    write_settings,
)

from steady.commands.inspect import main as inspect
from steady.commands.predict import main as predict
from steady.errors import SteadyError
from steady.metrics.files import plain, read_metrics
from steady.metrics.matrices import read_matrices
from steady.metrics.resampling import Bootstrap
from steady.metrics.run import read_run
from steady.prompts.own_prompts import FOLDER
from steady.records import OwnAnswer, Prediction, Prompt, TextScores, read_records
from steady.repro.seeds import over_seeds
from steady.serve.app import Limits, make_app
from steady.serve.asking import open_asker

KINDS = [("CAUSAL_LM", True), ("SEQ_2_SEQ_LM", False)]
OWN = ["Name a fruit.", "Classify: my card was charged twice"]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}-{'labels' if kind[1] else 'open'}")
def run(request, tmp_path_factory) -> Path:
    """A finished run; what DVC would call its root is the run's own folder."""
    task, labels = request.param
    folder = tmp_path_factory.mktemp("run")
    (folder / "own").mkdir()
    (folder / "own/mine.txt").write_text("\n".join(OWN), encoding="utf-8")
    values = settings(write_model(folder / "base", task), task, labels)
    values["evaluate"]["prompts"] = f"{FOLDER}/mine.txt"
    write_settings(folder, values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        prepare(folder)
        for arm in ARMS:
            finetune(folder, arm, "variants" if arm == "tuned" else "canonical")
            evaluate(folder, arm, str(folder / "own"))
            sensitivity(folder, arm)
        conclude(folder)
    return folder


def metrics(run: Path, name: str) -> dict:
    return read_metrics(run / "metrics" / f"{name}.json", dict)


def labels_of(run: Path) -> list[str]:
    return metrics(run, "arms/tuned/evaluate")["labels"]


def test_every_arm_answers_every_prompt_freely_and_chooses_a_label_where_there_are_labels(run):
    prompts = read_records(run / "formatted/evaluation.jsonl", Prompt)
    labels = labels_of(run)
    assert labels in (LABELS, [])
    for arm in ARMS:
        said = read_records(run / f"reports/arms/{arm}/predictions.jsonl", Prediction)
        assert [one.prompt_id for one in said] == [one.id for one in prompts]
        assert all(one.token_ids and len(one.token_ids) <= 8 for one in said)
        if labels:
            assert all(one.parsed in labels and len(one.label_logprobs) == len(labels) for one in said)
            assert all(
                one.correct == (one.parsed == asked.completion) for one, asked in zip(said, prompts, strict=True)
            )
        else:
            assert all(one.parsed is None and one.label_logprobs == [] for one in said)
        scores = read_records(run / f"reports/arms/{arm}/texts/generated.jsonl", TextScores)
        assert [one.prompt_id for one in scores] == [one.id for one in prompts]
        assert all(one.reference_logprob < 0 < one.reference_tokens for one in scores)
    longest = max(len(prompt.prompt.encode()) for prompt in prompts)
    assert (metrics(run, "arms/tuned/evaluate")["generated"]["cut_prompts"] > 0) == (longest > 320 - 10 * bool(labels))


def test_over_seeds_the_figures_are_those_of_each_run(run):
    results = read_run(list(ARMS), run / "metrics/arms", run / "reports/arms", run / "formatted")
    found = plain(over_seeds({0: results, 1: results}, Bootstrap(50, 0.95, 0)))
    for name in ARMS:
        written, headline = metrics(run, f"arms/{name}/evaluate"), metrics(run, f"arms/{name}/sensitivity")
        for measure, entry in found["generated"][name].items():
            assert entry["value"] == pytest.approx(written["generated"]["test"][measure]["value"], abs=1e-5)
            assert entry["values"][0] == entry["values"][1] and entry["std"] == 0
        assert found["arms"][name]["accuracy"]["value"] == pytest.approx(written["test"]["accuracy"]["value"], abs=1e-5)
        for measure, entry in headline["headline"].items():
            assert found["arms"][name][measure]["value"] == pytest.approx(entry["value"], abs=1e-5)
    measured = metrics(run, "arms/tuned/sensitivity")["levels"]["L2"]["all"]["measures"]
    family = found["families"]["L2"]["all"]
    for measure, entry in family["arms"]["tuned"].items():
        assert entry["value"] == pytest.approx(measured[measure]["value"], abs=1e-5)
        step = family["steps"]["baseline_to_tuned"][measure]["value"]
        assert step == pytest.approx(entry["value"] - family["arms"]["baseline"][measure]["value"])


def test_posix_comes_from_the_matrices_that_are_kept(run):
    said = read_records(run / "reports/arms/tuned/sensitivity.jsonl", Prediction)
    answers = {one.prompt_id: one for one in said}
    groups = read_matrices(run / "reports/arms/tuned/matrices/matrices.safetensors", answers)
    matrices = {group.id: group for group in groups}
    prompts = read_records(run / "formatted/sensitivity.jsonl", Prompt)
    assert set(matrices) == {prompt.group_id for prompt in prompts}
    logprobs = {one.prompt_id: one.logprob for one in said}
    for group in matrices.values():
        diagonal = zip(group.predictions, group.matrix.diagonal(), strict=True)
        assert all(abs(value - logprobs[one.prompt_id]) < 1e-5 for one, value in diagonal)
    found = metrics(run, "arms/tuned/sensitivity")["levels"]["L2"]["all"]["measures"]
    step = metrics(run, "comparison")["steps"]["baseline_to_tuned"]["levels"]["L2"]["all"]["measures"]
    for name in ("posix", "posix_scaled"):
        assert step[name]["to"] == found[name]["value"] > 0
    assert (
        metrics(run, "arms/tuned/sensitivity")["temperature"] == metrics(run, "arms/tuned/evaluate")["temperature"] != 1
    )
    assert found["posix_scaled"]["value"] != found["posix"]["value"]


def test_references_without_a_language_model_stand_beside_label_tasks_alone(run):
    assert bool(metrics(run, "arms/baseline/evaluate")["references"]) == bool(labels_of(run))


def keys(value, depth=3):
    return (
        {name: keys(inner, depth - 1) for name, inner in value.items()} if isinstance(value, dict) and depth else None
    )


def test_the_keys_are_those_of_a_classifier(run):
    """The committed results are those of a classifier; only the names of labels, families and wordings differ."""
    names = {"per_class", "references", "wordings", "levels"}
    ours = metrics(run, "arms/tuned/evaluate")
    assert set(ours["test"]) == set(ours["validation"])
    headline = metrics(run, "headline")
    assert list(headline) == list(ARMS)
    assert all(
        list(found) == ["accuracy", "worst_wording_accuracy", "agreement", "posix"] for found in headline.values()
    )
    assert ours["task"] in {"CAUSAL_LM", "SEQ_2_SEQ_LM"} and set(ours["generated"]["test"]) == set(
        ours["generated"]["validation"]
    )
    assert names & set(ours)


def test_the_users_own_prompts_are_answered(run):
    for arm in ARMS:
        said = read_records(run / f"reports/arms/{arm}/texts/own_prompts.jsonl", OwnAnswer)
        assert [one.prompt for one in said] == OWN
        assert all((one.label in labels_of(run)) if labels_of(run) else one.label is None for one in said)


def test_the_page_shows_answers_side_by_side_and_has_no_confusion_of_open_answers(run):
    page = (run / "reports/index.html").read_text(encoding="utf-8")
    assert 'id="generated"' in page and 'id="own"' in page and OWN[0] in page
    assert ('id="confusion"' in page) == bool(labels_of(run))
    assert page.count('class="matrix"') == 3 and 'id="matrix-1"' in page
    assert (run / "reports/previews.md").is_file()


def test_a_stopped_evaluation_ends_with_the_same_bytes(run, tmp_path, monkeypatch):
    from steady.scoring import answering

    files = [
        run / f"reports/arms/tuned/{name}.jsonl" for name in ("predictions", "texts/generated", "texts/own_prompts")
    ]
    files.append(run / "metrics/arms/tuned/evaluate.json")
    before = [path.read_bytes() for path in files]
    bundle, calls = answering.score_bundle, []

    def stops(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return bundle(*arguments)

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(answering, "score_bundle", stops)
    with pytest.raises((KeyboardInterrupt, AssertionError, SystemExit)):
        evaluate(run, "tuned", str(run / "own"))
    assert list(tmp_path.glob(".checkpoints/scoring-*/*.jsonl"))
    evaluate(run, "tuned", str(run / "own"))
    assert [path.read_bytes() for path in files] == before
    assert not list(tmp_path.glob(".checkpoints/scoring-*/*.jsonl"))


def test_predict_answers_as_the_evaluation_did(run):
    prompts = {one.id: one for one in read_records(run / "formatted/evaluation.jsonl", Prompt)}
    said = read_records(run / "reports/arms/tuned/predictions.jsonl", Prediction)[-1]
    asked = prompts[said.prompt_id]
    text = asked.prompt.split("Ticket: ")[-1].removesuffix("\nLabel:")
    places = ["--params", str(run / "params.yaml"), "--models", str(run / "models")]
    listed = ["--listed", str(run / "formatted/wordings.jsonl")]
    result = CliRunner().invoke(predict, [text, "--json", "--arm", "tuned", *places, *listed], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)["arms"]["tuned"]["answers"][0]
    assert answer["text"] == said.text
    assert answer["label"] == (said.parsed or said.text)
    shown = CliRunner().invoke(predict, [text, *places, *listed], catch_exceptions=False)
    assert all(arm in shown.output for arm in ARMS)


def test_the_server_answers_with_text_as_predict_does(run):
    from fastapi.testclient import TestClient

    asker = open_asker(run / "params.yaml", run / "models", run / "formatted/wordings.jsonl", [], [])
    with TestClient(make_app(asker.arms, asker.phrasing, Limits())) as client:
        answered = client.post("/predict", json={"text": OWN[0]})
        assert client.get("/").status_code == 200 and client.get("/choices").json()["labels"] == labels_of(run)
    assert answered.status_code == 200, answered.text
    expected = asker.ask([OWN[0]])[0]
    for arm in ARMS:
        (found,) = answered.json()["results"][0]["arms"][arm]["answers"]
        assert (found["text"], found["label"]) == (expected[arm][0].text, expected[arm][0].label)


def test_inspect_shows_the_answer_with_its_end_and_what_is_masked(run):
    where = ["--prepared", str(run / "prepared"), "--listed", str(run / "formatted/wordings.jsonl")]
    result = CliRunner().invoke(inspect, ["--params", str(run / "params.yaml"), *where, "--rows", "1"])
    assert result.exit_code == 0, result.output
    assert "⟨</s>⟩" in result.output and "of the prompt are masked" in result.output


def test_a_file_of_prompts_elsewhere_is_one_message(run, tmp_path):
    shutil.copytree(run / "formatted", tmp_path / "formatted")
    text = (run / "params.yaml").read_text(encoding="utf-8").replace(f"{FOLDER}/mine.txt", "/etc/hosts")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises((AssertionError, SteadyError), match="lie in data/raw/prompts"):
        evaluate(tmp_path, "tuned", str(tmp_path))
