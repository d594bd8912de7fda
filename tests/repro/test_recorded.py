"""`reproduced`: the same verdicts and figures within their intervals, and what is not so is named."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from steady.__main__ import main
from steady.repro import lockfile, provenance


def run(root: Path, *arguments: str):
    return CliRunner().invoke(main, ["reproduced", "--root", str(root), *arguments])


def figure(value: float | None, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "interval": [low, high]}


def write_results(root: Path, verdict: str = "supported", **figures: Any) -> None:
    """A comparison of one claim and three figures, with a lock file that names it."""
    arm = {
        "accuracy": figure(0.8, 0.7, 0.9),
        "posix": figure(0.3, 0.2, 0.4),
        "agreement": figure(1.0, 1.0, 1.0),
    } | figures
    claim = dict.fromkeys(("statement", "endpoint", "arm", "against", "direction", "test", "status"), "x")
    settings = {
        "alpha": 0.05,
        "correction": "Holm",
        "permutations": 9,
        "bootstrap_draws": 9,
        "confidence": 0.95,
        "seed": 0,
    }
    comparison = {"settings": settings, "arms": {"tuned": arm}, "references": {}, "steps": {}}
    comparison["claims"] = [claim | {"id": "better", "verdict": verdict}]
    (root / "metrics").mkdir(exist_ok=True)
    path = root / "metrics/comparison.json"
    path.write_text(json.dumps(comparison))
    out = f"{{path: metrics/comparison.json, md5: {lockfile.file_md5(path)}}}"
    (root / "dvc.lock").write_text(f"stages: {{compare: {{cmd: x, outs: [{out}]}}}}")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text("seed: 0\nruntime: {device: cpu}\n")
    (tmp_path / "claims.yaml").write_text("claims: []\n")
    write_results(tmp_path)
    assert run(tmp_path, "--record").exit_code == 0
    return tmp_path


def test_the_same_run_is_reproduced_byte_for_byte_whatever_the_runtime(recorded):
    (recorded / "params.yaml").write_text("runtime: {device: cuda}\nseed: 0\n")
    result = run(recorded)
    assert result.exit_code == 0
    assert "Reproduced: 1 verdicts and 3 figures, all 1 outputs byte for byte" in result.output


def test_figures_within_their_intervals_are_reproduced_and_another_processor_is_named(recorded):
    theirs = msgspec.to_builtins(provenance.environment()) | {"processor": "Another One"}
    (recorded / "metrics/environment.json").write_text(json.dumps(theirs))
    write_results(recorded, accuracy=figure(0.85, 0, 1), agreement=figure(0.995, 0, 1))
    result = run(recorded, "--bytes")
    assert result.exit_code == 0, result.output
    assert "1 of 1 verdicts the same, all 3 figures within" in result.output
    assert "largest difference 0.05, accuracy of tuned" in result.output
    assert "bytes differ for 1 of 1 outputs: other processor" in result.output
    assert "  metrics/comparison.json\n" in result.output and "comparison" not in run(recorded).output


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"verdict": "not supported"}, "verdict of better: recorded 'supported', here 'not supported'"),
        ({"posix": figure(0.41, 0, 1)}, "posix of tuned: recorded 0.3 [0.2, 0.4], here 0.41"),
        ({"accuracy": figure(None, 0, 0)}, "accuracy of tuned: recorded 0.8 [0.7, 0.9], here none"),
        ({"agreement": figure(0.98, 0, 1)}, "agreement of tuned: recorded 1 [1, 1], here 0.98"),
    ],
)
def test_another_verdict_and_a_figure_outside_its_interval_fail_by_name(recorded, changes, named):
    write_results(recorded, **changes)
    result = run(recorded)
    assert result.exit_code == 1 and named in result.output


def test_other_parameters_give_results_of_ones_own(recorded):
    (recorded / "params.yaml").write_text("seed: 1\n")
    write_results(recorded, verdict="not supported")
    result = run(recorded)
    assert result.exit_code == 0 and "Results of your own: params.yaml" in result.output


def test_without_a_record_there_is_nothing_to_hold_against(recorded):
    (recorded / "metrics/recorded.json").unlink()
    assert "No results are recorded" in run(recorded).output
