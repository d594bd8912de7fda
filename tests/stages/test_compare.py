"""The stage compare, run as its users run it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from stages.compare import main
from steady.metrics.answers import read_answers
from steady.metrics.arm_quality import evaluate_metrics
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.files import write_metrics
from steady.metrics.resampling import Bootstrap
from steady.records import Prediction, Prompt, Wording, write_records

ROOT = Path(__file__).resolve().parents[2]
LABELS = ["no", "yes"]
WORDINGS = [
    Wording(id="canonical", family="canonical", operator="canonical", trained=True),
    *(Wording(id=f"spelling/{n}", family="spelling", operator="omit", level="L2") for n in range(4)),
]
ARMS = {"baseline": 0.6, "control": 0.75, "tuned": 0.95}
PARAMS = {
    "seed": 0,
    "arms": {name: {} for name in ARMS},
    "compare": {"alpha": 0.05, "permutations": 200, "bootstrap_draws": 200},
}


def prompts(prefix: str, groups: int, wordings: list[Wording]) -> list[Prompt]:
    return [
        Prompt(
            id=f"{prefix}{n}{w.id}",
            group_id=f"{prefix}{n}",
            example_id="",
            wording=w.id,
            prompt="",
            completion=LABELS[n % 2],
        )
        for n in range(groups)
        for w in wordings
    ]


def answers(asked: list[Prompt], skill: float) -> list[Prediction]:
    draws = np.random.default_rng(0).random(len(asked))
    found = []
    for prompt, draw in zip(asked, draws, strict=True):
        answer = prompt.completion if draw < skill else LABELS[prompt.completion == "no"]
        shares = [0.9 if label == answer else 0.1 for label in LABELS]
        found.append(
            Prediction(prompt_id=prompt.id, text=answer, parsed=answer, label_logprobs=np.log(shares).tolist())
        )
    return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    evaluation, reworded = prompts("e", 80, WORDINGS[:1]), prompts("g", 30, WORDINGS)
    write_records(tmp_path / "formatted/evaluation.jsonl", evaluation)
    write_records(tmp_path / "formatted/sensitivity.jsonl", reworded)
    write_records(tmp_path / "formatted/wordings.jsonl", WORDINGS)
    for name, skill in ARMS.items():
        given, moved = answers(evaluation, skill), answers(reworded, skill)
        write_records(tmp_path / f"reports/arms/{name}/predictions.jsonl", given)
        write_records(tmp_path / f"reports/arms/{name}/sensitivity.jsonl", moved)
        how = Bootstrap(100, 0.95, 0)
        write_metrics(
            tmp_path / f"metrics/arms/{name}/evaluate.json",
            evaluate_metrics(read_answers(evaluation, given, LABELS), how),
        )
        found = sensitivity_metrics(read_answers(reworded, moved, LABELS), WORDINGS, how, 1.0)
        write_metrics(tmp_path / f"metrics/arms/{name}/sensitivity.json", found)
    (tmp_path / "params.yaml").write_text(json.dumps(PARAMS))
    return tmp_path


def compare(run: Path, claims: Path = ROOT / "claims.yaml"):
    paths = {
        "params": run / "params.yaml",
        "claims": claims,
        "metrics": run / "metrics/arms",
        "reports": run / "reports/arms",
        "prompts": run / "formatted",
        "out": run / "metrics/comparison.json",
        "headline": run / "metrics/headline.json",
    }
    return CliRunner().invoke(main, [f"--{name}={path}" for name, path in paths.items()])


def test_it_writes_the_comparison_and_the_headline_and_tells_the_verdicts(run):
    shown = compare(run)
    assert shown.exit_code == 0, shown.output
    assert "supported: On the test split" in shown.output
    assert re.search(r"accuracy [+-]\.?\d.*; smallest effect that \d+ rows could have shown: 0\.\d{3}", shown.output)
    assert "compare: read baseline, control, tuned, wrote" in shown.output
    compared = json.loads((run / "metrics/comparison.json").read_text())
    numbers = json.loads((run / "metrics/headline.json").read_text())
    assert [claim["verdict"] for claim in compared["claims"]] == ["supported", "not tested", "supported", "supported"]
    assert numbers["tuned"]["accuracy"] == compared["arms"]["tuned"]["accuracy"]["value"]


def test_equal_inputs_give_equal_bytes(run):
    outputs = set()
    for _ in range(2):
        compare(run)
        outputs.add((run / "metrics/comparison.json").read_bytes() + (run / "metrics/headline.json").read_bytes())
    assert len(outputs) == 1


def test_a_dropped_control_leaves_its_claims_untested(run):
    (run / "params.yaml").write_text(json.dumps(PARAMS | {"arms": {"baseline": {}, "tuned": {}}}))
    assert compare(run).exit_code == 0
    compared = json.loads((run / "metrics/comparison.json").read_text())
    assert [claim["verdict"] for claim in compared["claims"]] == ["supported", "not tested", "not tested", "supported"]
    assert list(compared["steps"]) == ["baseline_to_tuned"]


def test_only_the_names_of_the_arms_matter(run):
    compare(run)
    before = (run / "metrics/comparison.json").read_bytes()
    (run / "params.yaml").write_text(json.dumps(PARAMS | {"arms": {name: {"method": "other"} for name in ARMS}}))
    compare(run)
    assert (run / "metrics/comparison.json").read_bytes() == before


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda run: (run / "metrics/arms/tuned/evaluate.json").unlink(), "evaluate.json: no such file"),
        (
            lambda run: (run / "reports/arms/tuned/predictions.jsonl").write_text(""),
            "predictions.jsonl: 0 predictions for 80 prompts",
        ),
        (lambda run: (run / "formatted/wordings.jsonl").write_text("{}\n"), "wordings.jsonl:1: not a Wording record"),
        (
            lambda run: (run / "params.yaml").write_text(json.dumps(PARAMS | {"compare": {"alhpa": 0.1}})),
            "compare: unknown key `alhpa`. Did you mean `alpha`?",
        ),
        (lambda run: (run / "params.yaml").write_text(json.dumps(PARAMS | {"arms": {}})), "`arms`"),
    ],
)
def test_a_fault_is_one_message_and_a_failure(run, break_it, message):
    break_it(run)
    shown = compare(run)
    assert shown.exit_code == 1
    assert message in shown.output
    assert "Traceback" not in shown.output
    assert not (run / "metrics/comparison.json").exists()


def test_an_unknown_key_in_the_claims_is_refused(run, tmp_path):
    claims = tmp_path / "claims.yaml"
    claims.write_text(
        (ROOT / "claims.yaml").read_text().replace("endpoint: accuracy", "endpoint: accuracy\n    alpha: 0.1")
    )
    shown = compare(run, claims)
    assert shown.exit_code == 1
    assert "`claims.0.alpha`: unknown key" in shown.output


def test_it_imports_no_model_library(run):
    code = (
        "import sys; from click.testing import CliRunner; from stages.compare import main;"
        f"found = CliRunner().invoke(main, ['--params={run}/params.yaml', '--claims={ROOT}/claims.yaml',"
        f" '--metrics={run}/metrics/arms', '--reports={run}/reports/arms', '--prompts={run}/formatted',"
        f" '--out={run}/metrics/comparison.json', '--headline={run}/metrics/headline.json']);"
        "heavy = {'torch', 'transformers', 'peft', 'sklearn', 'scipy'} & set(sys.modules);"
        "sys.exit(f'{found.exit_code} {heavy}' if heavy or found.exit_code else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
