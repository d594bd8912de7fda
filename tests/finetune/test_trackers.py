"""Trackers of `runtime.report_to`: named where they are not installed; with them no weight is another one."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import TASKS, examples, material, model_folder, train_arm, view

from steady.errors import SteadyError
from steady.finetune import training


def train(folder: Path, root: Path, *trackers: str) -> None:
    runtime: dict[str, Any] = {"report_to": trackers}
    changes: dict[str, Any] = {"train": {"num_train_epochs": 1}, "model": {"chat_template": False}, "runtime": runtime}
    params = view(model_folder(root, "llama"), TASKS["llama"], **changes)
    train_arm(folder, params, material(examples(rows=6)))


def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    named = "runtime.report_to: mlflow is not installed. Install it .`pip install -r requirements/trackers.txt"
    with pytest.raises(SteadyError, match=named):
        train(tmp_path, tmp_path, "mlflow")


@pytest.mark.parametrize("tracker", ["trackio", "mlflow", "tensorboard"])
def test_a_tracker_gets_the_curves_and_changes_no_weight(tracker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    pytest.importorskip(tracker)  # requirements/trackers.txt, which the environment of the tests leaves out
    train(tmp_path / "without", tmp_path)
    train(tmp_path / "with", tmp_path, tracker)
    weights = [tmp_path / place / "arm/adapter_model.safetensors" for place in ("without", "with")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    place = {"trackio": "trackio/*", "mlflow": "mlflow.db", "tensorboard": "runs/tuned/*"}[tracker]
    assert any(path.stat().st_size for path in tmp_path.glob(place))
