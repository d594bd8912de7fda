"""Small random models of exactly the architecture that a Hub id has, with its vocabulary, written as the Hub keeps them."""

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .store import Files, Hub, read_folder
from .vocabularies import tokenizer_of

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "initializer_range": 0.2}


def _falcon(words: int, ends: dict[str, Any]) -> Any:
    from transformers import FalconConfig, FalconForCausalLM

    kind = {"multi_query": True, "parallel_attn": True, "new_decoder_architecture": False, "alibi": False}
    return FalconForCausalLM(FalconConfig(vocab_size=words, bias=False, **kind, **SIZES, **ends))


def _phi(words: int, ends: dict[str, Any]) -> Any:
    from transformers import PhiConfig, PhiForCausalLM

    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    sizes = SIZES | {"intermediate_size": 64, "rope_parameters": rope, "resid_pdrop": 0.1}
    return PhiForCausalLM(PhiConfig(vocab_size=words + 51, **sizes, **ends))  # its vocabulary is larger than needed


def _llama(words: int, ends: dict[str, Any]) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(vocab_size=words, intermediate_size=64, num_key_value_heads=2, **SIZES, **ends))


def _mistral(words: int, ends: dict[str, Any]) -> Any:
    from transformers import MistralConfig, MistralForCausalLM

    sizes = SIZES | {"intermediate_size": 64, "num_key_value_heads": 2, "sliding_window": None}
    return MistralForCausalLM(MistralConfig(vocab_size=words, **sizes, **ends))


def _qwen2(words: int, ends: dict[str, Any]) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    sizes = SIZES | {"intermediate_size": 64, "num_key_value_heads": 2, "tie_word_embeddings": True}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=words + 27, **sizes, **ends))


def _qwen3(words: int, ends: dict[str, Any]) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    sizes = SIZES | {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True}
    return Qwen3ForCausalLM(Qwen3Config(vocab_size=words + 27, **sizes, **ends))


def _t5(words: int, ends: dict[str, Any]) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 32, "d_ff": 64, "d_kv": 8, "num_layers": 2, "num_heads": 4, "feed_forward_proj": "gated-gelu"}
    config = T5Config(vocab_size=words + 28, decoder_start_token_id=0, tie_word_embeddings=False, **sizes)
    return T5ForConditionalGeneration(config)


def _distilbert(words: int, ends: dict[str, Any]) -> Any:
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    return DistilBertForMaskedLM(DistilBertConfig(vocab_size=words, dim=32, hidden_dim=64, n_layers=2, n_heads=4))


BUILDERS: Mapping[str, Callable[[int, dict[str, Any]], Any]] = {
    "falcon": _falcon,
    "phi": _phi,
    "llama": _llama,
    "mistral": _mistral,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "t5": _t5,
    "distilbert": _distilbert,
}
DTYPES = {"falcon": "bfloat16", "phi": "float16", "mistral": "bfloat16", "qwen2": "bfloat16", "qwen3": "bfloat16"}
BEGINNINGS = {
    "tiiuae/falcon-7b": "falcon",
    "microsoft/phi-2": "phi",
    "google/flan-t5": "t5",
    "distilbert": "distilbert",
    "mistralai/Mistral-7B": "mistral",
    "meta-llama/": "llama",
    "Qwen/Qwen2": "qwen2",
    "Qwen/Qwen3": "qwen3",
}
TASKS = {"t5": {"SEQ_2_SEQ_LM"}, "distilbert": {"SEQ_CLS"}}


def kind_of(model_id: str, task: str) -> str:
    """The architecture behind a Hub id; an id it does not know, or a task the architecture is not for, is a KeyError."""
    found = [kind for beginning, kind in BEGINNINGS.items() if model_id.startswith(beginning)]
    if not found:
        raise KeyError(f"{model_id}: no stand-in. Known: {', '.join(BEGINNINGS)}; add it to BEGINNINGS.")
    if task not in TASKS.get(found[0], {"CAUSAL_LM", "SEQ_CLS"}):
        raise KeyError(f"{model_id} is a {found[0]}, which is not for {task}.")
    return found[0]


@cache
def model_files(kind: str, seed: int = 0) -> Files:
    """The repository of a small random model: config, safetensors, tokenizer."""
    import torch

    tokenizer = tokenizer_of(kind)
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    torch.manual_seed(seed)
    model = BUILDERS[kind](len(tokenizer), ends).to(getattr(torch, DTYPES.get(kind, "float32")))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return read_folder(Path(folder)) | {"README.md": b"---\nlicense: apache-2.0\n---\n\nRandom weights.\n"}


def publish_recipe(hub: Hub, recipe: Mapping[str, Any]) -> str:
    """Put the stand-in of a recipe's model on the Hub, at the recipe's revision where it names one; gives the commit."""
    model = recipe["model"]
    revision = model["revision"]
    commit = revision if revision and len(revision) == 40 else None
    return hub.publish(model["id"], model_files(kind_of(model["id"], model["task"])), commit)
