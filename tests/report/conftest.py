"""A run's files, written by the functions that the stages call, over answers that are made up."""

import json
from pathlib import Path

import numpy as np
import pytest

from steady.compare.claims import read_claims
from steady.compare.paired import Testing
from steady.compare.summary import comparison
from steady.metrics.answers import read_answers
from steady.metrics.arm_quality import evaluate_metrics
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.files import write_metrics
from steady.metrics.resampling import Bootstrap
from steady.metrics.run import read_run
from steady.records import Prediction, Prompt, Rejected, Wording, write_records
from steady.report.findings import Findings, Places, read_findings
from steady.report.page import render_page

ROOT = Path(__file__).resolve().parents[2]
LABELS = ["billing", "other"]
WORDINGS = [
    Wording(id="canonical", family="canonical", operator="canonical", trained=True),
    *(Wording(id=f"spelling/omit-{n}", family="spelling", operator="omit", level="L2") for n in range(3)),
    *(Wording(id=f"surface/tone-{n}", family="surface", operator="tone", level="L1") for n in range(2)),
]
ARMS = {"baseline": 0.6, "control": 0.75, "tuned": 0.9}
HOSTILE = '<script>alert(1)</script> & "quotes" \'\u202e'


def _prompts(prefix: str, count: int, wordings: list[Wording]) -> list[Prompt]:
    return [
        Prompt(
            id=f"{prefix}{n}{wording.id}",
            group_id=f"{prefix}{n}",
            example_id=f"{prefix}{n}",
            wording=wording.id,
            prompt=f"Label this as billing or other.\n\nText: number {n} {HOSTILE if n == 1 else ''} ({wording.id})\nLabel:",
            completion=LABELS[n % 2],
        )
        for n in range(count)
        for wording in wordings
    ]


def _answers(asked: list[Prompt], skill: float) -> list[Prediction]:
    found = []
    for prompt, draw in zip(asked, np.random.default_rng(0).random(len(asked)), strict=True):
        right = draw < skill
        answer = prompt.completion if right else LABELS[1 - LABELS.index(prompt.completion)]
        logprobs = np.log([0.9 if label == answer else 0.1 for label in LABELS]).tolist()
        found.append(
            Prediction(prompt_id=prompt.id, text=answer, parsed=answer, label_logprobs=logprobs, correct=bool(right))
        )
    return found


def write_run(folder: Path) -> Places:
    """Write everything that the page is made from."""
    evaluation, reworded = _prompts("e", 30, WORDINGS[:1]), _prompts("g", 12, WORDINGS)
    formatted, metrics = folder / "formatted", folder / "metrics"
    arms, reports = metrics / "arms", folder / "reports" / "arms"
    write_records(formatted / "evaluation.jsonl", evaluation)
    write_records(formatted / "sensitivity.jsonl", reworded)
    write_records(formatted / "wordings.jsonl", WORDINGS)
    how = Bootstrap(100, 0.95, 0)
    for name, skill in ARMS.items():
        given, moved = _answers(evaluation, skill), _answers(reworded, skill)
        write_records(reports / name / "predictions.jsonl", given)
        write_records(reports / name / "sensitivity.jsonl", moved)
        write_metrics(arms / name / "evaluate.json", evaluate_metrics(read_answers(evaluation, given, LABELS), how))
        found = sensitivity_metrics(read_answers(reworded, moved, LABELS), WORDINGS, how, 1.0)
        write_metrics(arms / name / "sensitivity.json", found)
    for name in ("control", "tuned"):
        for curve, column in (("train/loss", "loss"), ("eval/loss", "loss"), ("eval/accuracy", "accuracy")):
            path = reports / name / "training" / "plots" / "metrics" / f"{curve}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"step\t{column}\n" + "".join(f"{step}\t{0.5 + 1 / step}\n" for step in (4, 8, 12)))
    testing = Testing(Bootstrap(100, 0.95, 0), 100, 0.05)
    run = read_run(list(ARMS), arms, reports, formatted)
    compared = comparison(run, read_claims(ROOT / "claims.yaml"), testing)
    write_metrics(metrics / "comparison.json", compared)
    _write_rest(folder)
    provenance = (metrics / "environment.json", metrics / "provenance.json")
    return Places(
        params=folder / "params.yaml",
        metrics=arms,
        reports=reports,
        comparison=metrics / "comparison.json",
        data=metrics / "data.json",
        format=metrics / "format.json",
        formatted=formatted,
        rejected=folder / "rejected.jsonl",
        versions=folder / "pins.txt",
        provenance=provenance,
    )


def _write_rest(folder: Path) -> None:
    metrics = folder / "metrics"
    rows = {"read": 50, "accepted": 42, "rejected": 1, "duplicates": 0, "left_out": 7}
    splits = {"test": {"rows": 30, "groups": 30, "labels": {"billing": 15, "other": 15}}}
    (metrics / "data.json").write_text(json.dumps({"rows": rows, "labels": LABELS, "splits": splits}))
    kinds = ("trained", "held_out_L1", "held_out_L2", "drawn_L0", "drawn_L1_L2", "alike")
    lengths = {"prompts": 30, "mean": 20.5, "p50": 20, "p95": 30, "max": 31, "truncated": 2}
    figures = {
        "max_length": 64,
        "wordings": {"spelling": dict.fromkeys(kinds, 3)},
        "tokens": {"test": {"all": lengths}},
    }
    (metrics / "format.json").write_text(json.dumps(figures))
    (metrics / "environment.json").write_text(json.dumps({"python": "3.11.7", "packages": {"torch": "2.13.0"}}))
    (metrics / "provenance.json").write_text(
        json.dumps({"commit": "abc123", "seconds": {"prepare": 1.0, "compare": 3.0}})
    )
    write_records(
        folder / "rejected.jsonl", [Rejected(source="a.jsonl", line=7, code="empty_text", reason="no text", raw="{}")]
    )
    (folder / "formatted" / "preview.md").write_text(
        "# What the model will see\n\n| a | b |\n|---|---|\n| <b>1</b> | 2 |\n"
    )
    (folder / "params.yaml").write_text("seed: 0\n")
    (folder / "pins.txt").write_text("# pins\ntorch==2.13.0\nnumpy==2.4.6\n")


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def found(places: Places) -> Findings:
    return read_findings(places)


@pytest.fixture(scope="session")
def page(found: Findings) -> str:
    return render_page(found)
