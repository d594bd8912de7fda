"""Files that lie: models and adapters that somebody else wrote are refused by name, before anything of theirs runs."""

import json
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import byte_tokenizer, random_model

from steady.errors import SteadyError
from steady.inference.named import Named, open_model

BOMB = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{{ messages[0].content }}"


class Trap:
    """Unpickled, it leaves a file."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (TRAPPED, "w")


TRAPPED = "trapped"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, and an adapter on it that is loaded."""
    from peft import LoraConfig, get_peft_model

    root = tmp_path_factory.mktemp("sound")
    random_model("llama").save_pretrained(root / "model")
    byte_tokenizer().save_pretrained(root / "model")
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(root / "model", trust_remote_code=False)
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    adapted.save_pretrained(root / "adapter")
    return root


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    found = load_file(path)
    change(found)
    save_file(found, path, metadata={"format": "pt"})


def first(found: dict[str, torch.Tensor]) -> str:
    return sorted(found)[0]


def header(path: Path, size: int | None = None, **entry: object) -> None:
    """Rewrite the header of a file of safetensors: its length, or the entry of its first tensor."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    names = json.loads(raw[8 : 8 + length])
    name = sorted(key for key in names if key != "__metadata__")[0]
    names[name] |= entry
    text = json.dumps(names).encode()
    path.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + raw[8 + length :])


def pickled(path: Path) -> None:
    with path.open("wb") as handle:
        pickle.dump(Trap(), handle)


def remote_code(root: Path) -> None:
    (root / "model/evil.py").write_text(f"open({TRAPPED!r}, 'w')")
    edit(
        root / "model/config.json",
        model_type="evil",
        auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"},
    )


def pickle_alone(root: Path) -> None:
    (root / "model/model.safetensors").unlink()
    pickled(root / "model/pytorch_model.bin")


def adapter_pickle(root: Path) -> None:
    (root / "adapter/adapter_model.safetensors").unlink()
    pickled(root / "adapter/adapter_model.bin")


CONFIG, ADAPTER, MODEL = "adapter/adapter_config.json", "adapter/adapter_model.safetensors", "model/model.safetensors"
LORA = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a model as a pickle alone": (pickle_alone, "cannot load the model"),
    "a model with code of its own": (remote_code, "cannot load the model"),
    "a model without one of its tensors": (lambda r: tensors(r / MODEL, lambda t: t.pop(first(t))), "lacks 1 tensors"),
    "a model with tensors of another shape": (lambda r: edit(r / "model/config.json", hidden_size=64), "cannot load"),
    "a model of more layers than its file has": (lambda r: edit(r / "model/config.json", num_hidden_layers=3), "lacks"),
    "a configuration with a text for a number": (
        lambda r: edit(r / "model/config.json", hidden_size="x"),
        "cannot load",
    ),
    "a configuration that is no JSON": (lambda r: (r / "model/config.json").write_text("{"), "cannot load the model"),
    "weights cut off": (lambda r: (r / MODEL).write_bytes((r / MODEL).read_bytes()[:-99]), "cannot load the model"),
    "a header longer than its file": (lambda r: header(r / MODEL, size=2**40), "cannot load the model"),
    "a header with places outside of the file": (lambda r: header(r / MODEL, data_offsets=[0, 2**40]), "cannot load"),
    "a header with another type than its bytes": (lambda r: header(r / MODEL, dtype="F64"), "cannot load the model"),
    "a tokenizer that is none": (lambda r: (r / "model/tokenizer.json").write_text("[]"), "cannot load the model"),
    "a template that does not end": (
        lambda r: edit(r / "model/tokenizer_config.json", chat_template=BOMB),
        "not rendered",
    ),
    "a template of a megabyte": (
        lambda r: edit(r / "model/tokenizer_config.json", chat_template="x" * 10**6),
        "characters",
    ),
    "a template that reaches into Python": (
        lambda r: edit(
            r / "model/tokenizer_config.json", chat_template="{{ messages.__class__.__mro__[1].__subclasses__() }}"
        ),
        "cannot be rendered|shows the message 0 times",
    ),
    "sums that are not those of the files": (
        lambda r: (r / "model/SHA256SUMS").write_text(f"{'0' * 64}  model.safetensors\n"),
        "not what SHA256SUMS lists",
    ),
    "an adapter as a pickle": (adapter_pickle, "is a pickle|a pickle, which can run code"),
    "an adapter of another base": (lambda r: edit(r / CONFIG, base_model_name_or_path="some/other"), "was trained on"),
    "an adapter of a base outside": (
        lambda r: edit(r / CONFIG, base_model_name_or_path="../../../etc"),
        "was trained on",
    ),
    "an adapter whose base is code": (
        lambda r: edit(r / CONFIG, auto_mapping={"parent_library": "os", "base_model_class": "system"}),
        "names the library 'os'",
    ),
    "an adapter of an unknown kind": (lambda r: edit(r / CONFIG, peft_type="EVIL"), "not the configuration"),
    "an adapter whose configuration is a list": (lambda r: (r / CONFIG).write_text("[1]"), "not the configuration"),
    "an adapter with a strength of infinity": (lambda r: edit(r / CONFIG, lora_alpha=float("inf")), "lora_alpha"),
    "an adapter with a strength in words": (
        lambda r: edit(r / CONFIG, lora_alpha="large"),
        "lora_alpha|not the config",
    ),
    "an adapter of another rank than its tensors": (lambda r: edit(r / CONFIG, r=8), "does not fit the base"),
    "an adapter for modules that are not there": (lambda r: edit(r / CONFIG, target_modules=["evil"]), "does not fit"),
    "an adapter that lacks a tensor": (lambda r: tensors(r / ADAPTER, lambda t: t.pop(LORA)), "lacks 1 of 8 tensors"),
    "an adapter with a tensor too many": (
        lambda r: tensors(r / ADAPTER, lambda t: t.update({"base_model.model.evil.weight": torch.zeros(2)})),
        "holds 1 tensors that the model has not",
    ),
    "an adapter that is not finite": (
        lambda r: tensors(r / ADAPTER, lambda t: t[LORA].fill_(torch.nan)),
        "is not finite",
    ),
    "an adapter with a header that lies": (
        lambda r: header(r / ADAPTER, shape=[2**30, 2**30]),
        "does not fit the base",
    ),
    "an adapter of learned tokens": (
        lambda r: (r / CONFIG).write_text(
            json.dumps(
                {
                    "peft_type": "PROMPT_TUNING",
                    "task_type": "CAUSAL_LM",
                    "num_virtual_tokens": 2,
                    "base_model_name_or_path": str(r / "model"),
                }
            )
        ),
        "puts learned tokens before the prompt",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_lies_is_refused_by_name_before_anything_of_it_runs(sound, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("steady.models.chat.RENDERING_SECONDS", 0.2)
    for part in ("model", "adapter"):
        copytree(sound / part, tmp_path / part)
    edit(tmp_path / CONFIG, base_model_name_or_path=str(tmp_path / "model"))
    change, said = CASES[name]
    change(tmp_path)
    modules = set(sys.modules)
    with pytest.raises(SteadyError, match=said):
        open_model(Named(str(tmp_path / "model"), adapter=tmp_path / "adapter", dtype="float32", device="cpu"))
    assert not (tmp_path / TRAPPED).exists() and not any("evil" in module for module in set(sys.modules) - modules)


def test_the_same_files_as_they_were_are_opened(sound, tmp_path):
    named = Named(str(sound / "model"), adapter=sound / "adapter", dtype="float32", device="cpu")
    assert open_model(named).language is not None
