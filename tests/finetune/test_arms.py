"""Arms are data: any names, any number of them, each set by the sections that its method and its objective name."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import examples, material, train_arm, view
from small_models import byte_tokenizer, random_model
from transformers import AutoTokenizer

from steady.errors import SteadyError
from steady.finetune.finetune import finetune, save_trained
from steady.finetune.params import Arm, FinetuneParams
from steady.models.params import ModelParams


def of(encoder: ModelParams, **sections: Any) -> FinetuneParams:
    """Two steps of training of a pooled encoder."""
    model = {"task": "SEQ_CLS", "pooling": "mean"}
    return view(Path(encoder.id), "SEQ_CLS", model=model, train={"max_steps": 2, "eval_steps": 1}, **sections)


def test_a_fourth_arm_of_any_name_is_made_and_an_unknown_one_names_those_there_are(tiny_encoder, tmp_path):
    params = of(tiny_encoder)
    untrained = Arm(method="none", wordings="canonical", objective="none")
    params = params.model_copy(update={"arms": params.arms | {"as-it-is": untrained}})
    made = finetune("as-it-is", params, material(examples()), tmp_path / "arm", tmp_path / "curves")
    assert (made.method, made.training) == ("none", {})
    with pytest.raises(SteadyError, match=r"no arm 'control'. There are: tuned, as-it-is"):
        finetune("control", params, material(examples()), tmp_path / "arm", tmp_path / "curves")


def test_an_arm_without_training_writes_what_it_is_in_place_of_curves(tiny_encoder, tmp_path):
    train_arm(tmp_path, of(tiny_encoder, arm={"method": "probe", "objective": "none"}), material(examples()))
    (file,) = (tmp_path / "curves").iterdir()
    written = {"arm": "tuned", "method": "probe", "wordings": "variants", "objective": "none", "steps": 0}
    assert json.loads(file.read_text()) == written
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and not path.stat().st_size]


def test_the_strengths_of_a_probe_concern_the_probe_and_no_arm_that_is_trained_further(tiny_encoder, tmp_path):
    chosen = {}
    for method, objective in (("probe", "none"), ("lora", "sft")):
        for strength in (0.5, 2.0):
            arm = {"method": method, "objective": objective}
            params = of(tiny_encoder, arm=arm, probe={"C": [strength]})
            made = train_arm(tmp_path / method / str(strength), params, material(examples()))
            chosen[method, strength] = made.training["probe_C"]
    assert (chosen["probe", 0.5], chosen["probe", 2.0]) == (0.5, 2.0)
    one, other = (tmp_path / "lora" / str(strength) / "arm" / "head.safetensors" for strength in (0.5, 2.0))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("method", "objective"), [("none", "sft"), ("probe", "dpo"), ("lora", "none"), ("full", "none")]
)
def test_a_method_without_its_objective_is_refused(tiny_encoder, tmp_path, method, objective):
    params = of(tiny_encoder, arm={"method": method, "objective": objective})
    with pytest.raises(SteadyError, match=f"method {method} with objective {objective}"):
        train_arm(tmp_path, params, material(examples()))


def test_the_bytes_of_an_arm_do_not_say_whether_the_hub_was_offline(tmp_path):
    byte_tokenizer().save_pretrained(tmp_path / "base")
    written = set()
    for offline in (False, True):
        folder = tmp_path / str(offline)
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base", local_files_only=offline, trust_remote_code=False)
        save_trained(random_model("llama"), tokenizer, folder)
        written.add((folder / "tokenizer_config.json").read_bytes())
    assert len(written) == 1
