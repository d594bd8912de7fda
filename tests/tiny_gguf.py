"""A small random Llama and the GGUF file that llama.cpp's converter would make of it."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import quantize
from tokenizers import pre_tokenizers

HEADS, KEY_HEADS, LAYERS, CONTEXT = 4, 2, 2, 128
TOKENS = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "<pad>", "</s>"]
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def tiny_llama() -> Any:
    """A random model whose output layer is its embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    return LlamaForCausalLM(config).eval()


def write_gguf(path: Path, kind: str = "F32", **metadata: Any) -> Path:
    """Write the model with its matrices as `kind`; `metadata` replaces `architecture`, `layers` or `pre`, or damages `tensors`."""
    model = tiny_llama()
    writer = gguf.GGUFWriter(path, metadata.get("architecture", "llama"))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(32)
    writer.add_block_count(metadata.get("layers", LAYERS))
    writer.add_feed_forward_length(64)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_license("mit")
    writer.add_file_type(gguf.LlamaFileType[f"{'ALL' if kind == 'F32' else 'MOSTLY'}_{kind}"])
    _add_tokenizer(writer, metadata.get("pre", "smollm"))
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":
            _add_tensor(writer, name, metadata.get("change", lambda _, array: array)(name, tensor.numpy()), kind)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter, split: str) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3 if token in ("<pad>", "</s>") else 1 for token in TOKENS])
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(TOKENS.index("</s>"))
    writer.add_pad_token_id(TOKENS.index("<pad>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template("{% for m in messages %}[{{ m['content'] }}]{% endfor %}")


def _add_tensor(writer: gguf.GGUFWriter, name: str, array: np.ndarray, kind: str) -> None:
    for part, heads in (("q_proj", HEADS), ("k_proj", KEY_HEADS)):
        if part in name:  # llama.cpp interleaves the halves that rotary embeddings turn
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
    short = name.removeprefix("model.").removesuffix(".weight")
    if short.startswith("layers."):
        _, layer, inner = short.split(".", 2)
        short = f"blk.{layer}.{NAMES[inner]}"
    else:
        short = {"embed_tokens": "token_embd", "norm": "output_norm"}[short]
    chosen = gguf.GGMLQuantizationType[kind if array.ndim > 1 else "F32"]
    data = quantize(np.ascontiguousarray(array), chosen)
    writer.add_tensor(f"{short}.weight", data, raw_dtype=chosen)
