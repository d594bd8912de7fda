"""The base models in `models/base`: small, whole, described, and loaded only when their bytes are those of the sums."""

import json
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from steady.errors import SteadyError
from steady.models.load import load_language
from steady.models.params import ModelParams

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "models/base"
TASKS = {"nano": "CAUSAL_LM", "nano-t5": "SEQ_2_SEQ_LM"}
MEGABYTE = 1_000_000


def params_of(folder: Path, name: str) -> ModelParams:
    return ModelParams.model_validate(
        {"id": str(folder), "task": TASKS[name], "pooling": None, "dtype": "float32", "num_threads": 1}
    )


@pytest.mark.parametrize("name", TASKS)
def test_a_shipped_model_is_small_whole_and_answers(name):
    folder = BASE / name
    weights = [path.stat().st_size for path in folder.glob("*.safetensors")]
    assert sum(weights) <= 20 * MEGABYTE and max(weights) <= 15 * MEGABYTE
    model, tokenizer = load_language(params_of(folder, name))
    assert sum(parameter.numel() for parameter in model.parameters()) <= 10 * MEGABYTE
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<pad>", "</s>") and len(tokenizer) == 8192
    prompt = "Definition: Is the sentiment of the review positive or negative?\n\nInput: A lovely film.\n\nOutput:"
    answer = model.generate(**tokenizer(prompt, return_tensors="pt", return_token_type_ids=False), max_new_tokens=8)
    assert int(answer[0, -1]) == tokenizer.eos_token_id, "it has learned to stop"


@pytest.mark.parametrize("name", TASKS)
def test_its_card_gives_the_figures_of_its_evaluation(name):
    card = (BASE / name / "README.md").read_text(encoding="utf-8")
    figures = json.loads((BASE / name / "evaluation.json").read_text(encoding="utf-8"))
    assert f"{figures['classification']['exact_match']}" in card and len(figures["generations"]) == 20
    assert (BASE / name / "SHA256SUMS").read_text(encoding="utf-8") in card
    params = YAML(typ="safe", pure=True).load((ROOT / "pretrain/params.yaml").read_text(encoding="utf-8"))
    curve = json.loads((BASE / name / "curve.json").read_text(encoding="utf-8"))
    assert curve["steps"] == params["models"][name]["train"]["max_steps"], "the shipped model is that of the params"


@pytest.mark.parametrize("name", TASKS)
def test_a_model_with_one_changed_byte_is_refused(name, tmp_path):
    shutil.copytree(BASE / name, tmp_path / name)
    weights = next((tmp_path / name).glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(SteadyError, match=weights.name):
        load_language(params_of(tmp_path / name, name))
