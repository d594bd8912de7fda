"""The one loader on models that generate: families, quantisation, dtype, added tokens, damaged and unfit folders."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import byte_tokenizer, random_model

from steady.errors import SteadyError
from steady.models.adapters import attach_adapter
from steady.models.checksums import folder_digest, sha256_of
from steady.models.load import load_base, load_language, load_tokenizer
from steady.models.params import ModelParams


def params(folder: Path, task: str = "CAUSAL_LM", **settings: Any) -> ModelParams:
    values = {"id": str(folder), "task": task, "pooling": None, "dtype": "float32", "num_threads": 1} | settings
    return ModelParams.model_validate(values)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name in ("llama", "t5"):
        made[name] = tmp_path_factory.mktemp(name)
        random_model(name).save_pretrained(made[name])
        byte_tokenizer().save_pretrained(made[name])
    return made


@pytest.mark.parametrize(("name", "task"), [("llama", "CAUSAL_LM"), ("t5", "SEQ_2_SEQ_LM"), ("llama", "SEQ_CLS")])
@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
def test_each_family_loads_in_each_precision_and_answers(folders, name, task, quantization):
    torch.manual_seed(0)
    settings = {"quantization": quantization, "bnb_4bit_use_double_quant": quantization == "nf4"}
    model = load_base(params(folders[name], task, **settings), ("a", "b"))
    inputs = {"input_ids": torch.tensor([[3, 4, 5, 6]])}
    if task == "SEQ_2_SEQ_LM":
        inputs["decoder_input_ids"] = torch.tensor([[0]])
    with torch.inference_mode():
        logits = model(**inputs).logits
    assert torch.isfinite(logits.float()).all()
    assert (getattr(model, "quantization_method", None) is not None) == (quantization != "none")
    assert model.config._name_or_path == str(folders[name]) and not model.training


def test_nf4_moves_logits_and_no_more_than_four_bits_do(folders):
    inputs = torch.tensor([[3, 4, 5, 6]])
    with torch.inference_mode():
        full, four = (load_base(params(folders["llama"], quantization=q))(inputs).logits for q in ("none", "nf4"))
    assert 0 < (full - four).abs().mean() < 0.5 * full.abs().mean()


def test_a_model_of_another_family_names_the_one_it_is_of(folders):
    with pytest.raises(SteadyError, match=r"t5 model, which is not of CAUSAL_LM\. Set it to SEQ_2_SEQ_LM"):
        load_base(params(folders["t5"]))
    with pytest.raises(SteadyError, match=r"llama model, which is not of SEQ_2_SEQ_LM\. Set it to CAUSAL_LM"):
        load_base(params(folders["llama"], "SEQ_2_SEQ_LM"))


@pytest.mark.parametrize(
    "settings", [{"dtype": "float16"}, {"quantization": "nf4", "bnb_4bit_compute_dtype": "float16"}]
)
def test_float16_is_refused_for_t5(folders, settings):
    with pytest.raises(SteadyError, match=r"T5 models overflow in float16.*bfloat16 or float32"):
        load_base(params(folders["t5"], "SEQ_2_SEQ_LM", **settings))


def test_dtype_is_what_was_asked(folders):
    assert load_base(params(folders["llama"], dtype="bfloat16")).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [({}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16)],
)
def test_auto_is_bfloat16_on_a_cpu_that_has_instructions_for_it(folders, monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False} | capabilities)
    assert load_base(params(folders["llama"], dtype="auto"), device="cpu").dtype == dtype


@pytest.mark.parametrize(
    ("name", "config", "dtype"),
    [
        ("llama", torch.float16, "float16"),
        ("llama", torch.float32, "bfloat16"),
        ("llama", None, "bfloat16"),
        ("t5", torch.float16, "bfloat16"),
    ],
)
def test_auto_is_the_16_bits_of_the_config_on_a_gpu(folders, monkeypatch, name, config, dtype):
    from transformers import AutoConfig

    from steady.models.precision import pick_dtype

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    read = AutoConfig.from_pretrained(folders[name], trust_remote_code=False)
    read.dtype = config
    task = "CAUSAL_LM" if name == "llama" else "SEQ_2_SEQ_LM"
    assert pick_dtype(params(folders[name], task, dtype="auto"), read, torch.device("cuda")) == dtype


def test_attention_is_what_was_asked(folders):
    model = load_base(params(folders["llama"], attn_implementation="eager"))
    assert model.config._attn_implementation == "eager"
    with pytest.raises(SteadyError, match="cannot load"):
        load_base(params(folders["llama"], attn_implementation="flash_attention_2"))


def test_added_tokens_get_embeddings_and_are_one_token_in_text(folders):
    from steady.models.tokenizer import prompt_ids

    torch.manual_seed(0)
    model, tokenizer = load_language(params(folders["llama"], special_tokens=[f"<|{n}|>" for n in range(50)]))
    assert len(tokenizer) == 308 and model.get_input_embeddings().num_embeddings == 308
    assert prompt_ids(tokenizer, "CAUSAL_LM", "a<|7|>b") == [
        *tokenizer("a")["input_ids"],
        265,
        *tokenizer("b")["input_ids"],
    ]


def test_where_nothing_is_added_the_embeddings_stay_as_they_are(folders):
    model, tokenizer = load_language(params(folders["llama"]))
    assert model.get_input_embeddings().num_embeddings == 300 > len(tokenizer)


def test_a_tokenizer_without_padding_pads_with_its_end(tmp_path):
    tokenizer = byte_tokenizer()
    pad, tokenizer.pad_token = tokenizer.pad_token, None
    tokenizer.save_pretrained(tmp_path)
    tokenizer.pad_token = pad
    assert load_tokenizer(params(tmp_path)).pad_token == "</s>"


class TestSums:
    """A folder with `SHA256SUMS`."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        random_model("llama").save_pretrained(tmp_path)
        byte_tokenizer().save_pretrained(tmp_path)
        lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(tmp_path.iterdir())]
        (tmp_path / "SHA256SUMS").write_text("".join(lines))
        return tmp_path

    def test_loads_when_it_is_whole(self, folder):
        assert load_language(params(folder))[0].dtype == torch.float32

    @pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
    def test_a_changed_byte_is_named(self, folder, name):
        data = bytearray((folder / name).read_bytes())
        data[-2] ^= 1
        (folder / name).write_bytes(data)
        with pytest.raises(SteadyError, match=f"{name}: not what SHA256SUMS lists"):
            load_language(params(folder))

    def test_weights_that_are_not_listed_are_refused(self, folder):
        (folder / "other.safetensors").write_bytes(b"x")
        with pytest.raises(SteadyError, match=r"other\.safetensors: not what"):
            load_base(params(folder))

    def test_the_digest_of_a_folder_follows_its_content(self, folder):
        before = folder_digest(folder)
        (folder / "SHA256SUMS").write_text("other")
        assert folder_digest(folder) != before


def test_the_licence_of_a_folder_is_that_of_its_card(tmp_path):
    from steady.models.base import locate

    assert locate(params(tmp_path)).licence is None
    (tmp_path / "README.md").write_text("---\nlibrary_name: transformers\nlicense: apache-2.0\n---\n# license: mit\n")
    assert locate(params(tmp_path)).licence == "apache-2.0"


def test_weights_that_are_no_safetensors_are_refused(tmp_path):
    random_model("llama").config.save_pretrained(tmp_path)
    torch.save(random_model("llama").state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(SteadyError, match="cannot load"):
        load_base(params(tmp_path))


@pytest.mark.parametrize(
    ("settings", "lora", "merged"),
    [
        ({}, {}, True),
        ({}, {"use_dora": True}, True),
        ({"quantization": "nf4"}, {}, False),
        ({"dtype": "bfloat16"}, {}, True),
        ({"dtype": "bfloat16"}, {"use_dora": True}, False),
        ({"dtype": "bfloat16"}, {"modules_to_save": ["v_proj"]}, False),
    ],
)
def test_an_adapter_is_merged_where_the_weights_can_hold_the_sum(folders, tmp_path, settings, lora, merged):
    from peft import LoraConfig, PeftModel, get_peft_model

    base = load_base(params(folders["llama"], **settings))
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], init_lora_weights=False, **lora)
    adapted = get_peft_model(base, config)
    adapted.peft_config["default"].base_model_name_or_path = str(folders["llama"])
    adapted.save_pretrained(str(tmp_path))
    inputs = torch.tensor([[3, 4, 5, 6]])
    with torch.inference_mode():
        wanted = adapted.eval()(inputs).logits
        loaded = attach_adapter(load_base(params(folders["llama"], **settings)), tmp_path, str(folders["llama"]))
        assert isinstance(loaded, PeftModel) is not merged
        coarse = merged and "dtype" in settings
        assert torch.allclose(loaded(inputs).logits, wanted, atol=float(wanted.abs().max()) / 50 if coarse else 1e-5)


def test_an_adapter_is_added_in_float32_and_rounded_once_to_bfloat16(folders, tmp_path):
    from peft import LoraConfig, get_peft_model

    settings = {"dtype": "bfloat16"}
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], init_lora_weights=False)
    adapted = get_peft_model(load_base(params(folders["llama"], **settings)), config)
    adapted.peft_config["default"].base_model_name_or_path = str(folders["llama"])
    adapted.save_pretrained(str(tmp_path))
    layer = adapted.base_model.model.model.layers[0].self_attn.q_proj
    wanted = (layer.weight.double() + layer.get_delta_weight("default").double()).float().bfloat16()
    loaded = attach_adapter(load_base(params(folders["llama"], **settings)), tmp_path, str(folders["llama"]))
    assert (loaded.model.layers[0].self_attn.q_proj.weight == wanted).all()
