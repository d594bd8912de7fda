"""The stages on a tiny corpus: resumed runs, two processes, and what comes out at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from ruamel.yaml import YAML
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from pretrain.checkpoints import sha256_of
from pretrain.stages import evaluate, export, publish, train

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("nano", "nano-t5")


def run_train(name: str, params_path: Path, data: Path, folder: Path, *options: str) -> Path:
    """Run the stage in this process; returns the folder that it wrote."""
    output = folder / "trained"
    arguments = ["--params", str(params_path), "--data", str(data), "--checkpoints", str(folder / "checkpoints")]
    arguments += ["--output", str(output), "--save-steps", "10", *options]
    result = CliRunner().invoke(train.main, [name, *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return output


@pytest.fixture(scope="module")
def trained(params_path: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each model after 50 uninterrupted steps."""
    return {name: run_train(name, params_path, prepared, tmp_path_factory.mktemp(name)) for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_fifty_steps_lower_the_loss(name: str, trained: dict[str, Path]) -> None:
    record = json.loads((trained[name] / "curve.json").read_text(encoding="utf-8"))
    assert (record["step"], record["tokens"]) == (50, 50 * 2 * 512)
    assert record["curve"][-1]["loss"] < record["curve"][0]["loss"] - 0.5


@pytest.mark.parametrize("name", MODELS)
def test_stopped_and_resumed_it_ends_in_the_same_bytes(
    name: str, trained: dict[str, Path], params_path: Path, prepared: Path, tmp_path: Path
) -> None:
    run_train(name, params_path, prepared, tmp_path, "--stop-after", "17")
    run_train(name, params_path, prepared, tmp_path, "--stop-after", "34")
    resumed = run_train(name, params_path, prepared, tmp_path)
    for file in ("model.safetensors", "curve.json"):
        assert sha256_of(resumed / file) == sha256_of(trained[name] / file), file


def test_a_deadline_ends_the_run_with_a_whole_decay(params_path: Path, prepared: Path, tmp_path: Path) -> None:
    output = run_train("nano", params_path, prepared, tmp_path, "--minutes", "0.0001")
    record = json.loads((output / "curve.json").read_text(encoding="utf-8"))
    assert (record["decay_start"], record["step"]) == (1, 21)


@pytest.mark.slow
def test_two_processes_train_as_one_does(
    params_path: Path, prepared: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    """Gradients are summed in another order, so the weights agree to rounding, not to the bit."""
    params = YAML(typ="safe").load(params_path.read_text(encoding="utf-8"))
    params["models"]["nano"]["train"] |= {"bf16": False, "max_steps": 6, "decay_steps": 3}
    path = tmp_path / "params.yaml"
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(params, stream)
    alone = run_train("nano", path, prepared, tmp_path / "one")
    together = tmp_path / "two"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "pretrain.stages.train", "nano", "--params", str(path), "--data", str(prepared)]
    command += ["--checkpoints", str(together / "checkpoints"), "--output", str(together / "trained")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (load_file(folder / "model.safetensors") for folder in (alone, together / "trained"))
    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, atol=2e-3, rtol=2e-2)


@pytest.mark.parametrize("name", MODELS)
def test_a_trained_model_is_exported_measured_and_published(
    name: str, trained: dict[str, Path], params_path: Path, prepared: Path, tmp_path: Path
) -> None:
    exported, measured = tmp_path / "exported", tmp_path / "evaluated.json"
    common = ["--params", str(params_path)]
    steps = (
        (export, [name, *common, "--trained", str(trained[name]), "--tokenizer", str(prepared / "tokenizer.json"),
                  "--output", str(exported)]),
        (evaluate, [*common, "--data", str(prepared), "--model", str(exported), "--output", str(measured)]),
        (publish, [name, *common, "--prepared", str(prepared / "prepared"), "--exported", str(exported),
                   "--trained", str(trained[name]), "--evaluation", str(measured),
                   "--output", str(tmp_path / "base"), "--sums", str(tmp_path / "sums")]),
    )  # fmt: skip
    for stage, arguments in steps:
        result = CliRunner().invoke(stage.main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    folder = tmp_path / "base" / name
    figures = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["classification"]["rows"] == 12
    assert len(figures["generations"]) == 3
    assert figures["language"]["5-gram"]["answer"]["tokens"] == figures["language"]["model"]["answer"]["tokens"]
    assert [task["task"] for task in figures["unseen_tasks"]] == ["task009_hen"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "More Information Needed" not in card and str(tmp_path) not in card
    assert f"torch {torch.__version__}" in card and (folder / "SHA256SUMS").read_text(encoding="utf-8") in card
    check_folder(folder)
    kind = AutoModelForSeq2SeqLM if name == "nano-t5" else AutoModelForCausalLM
    model, tokenizer = kind.from_pretrained(folder), AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    assert model.dtype == torch.bfloat16
    ids = tokenizer("The red fox", return_tensors="pt")["input_ids"]
    assert (ids[0, -1] == tokenizer.eos_token_id) == (name == "nano-t5")
    assert model.generate(ids, max_new_tokens=3).shape[0] == 1
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    assert tokenizer.convert_tokens_to_ids("<extra_id_99>") == 101
    noise = tokenizer("naïve 日本 1,024\t\n", add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(noise) == "naïve 日本 1,024\t\n"


def check_folder(folder: Path) -> None:
    """Every sum agrees, and every file but the card and the sums is named."""
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    named = dict(reversed(line.split("  ", 1)) for line in lines)
    for file, digest in named.items():
        assert sha256_of(folder / file) == digest, file
    assert set(named) == {path.name for path in folder.iterdir()} - {"SHA256SUMS", "README.md"}
