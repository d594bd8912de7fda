"""The two architectures, built with transformers' own classes."""

from __future__ import annotations

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from pretrain.params import ArchitectureParams

PAD_ID, EOS_ID = 0, 1
# transformers starts T5 embeddings at a deviation of 1, made for Adafactor's relative steps; AdamW
# at 0.005 would need hundreds of steps to move them. The decoder's last norm starts at the inverse,
# so that the scores, scaled by the root of the width, start as they do in transformers.
T5_EMBEDDING_SCALE = 0.25


def build_model(params: ArchitectureParams, vocab_size: int, seed: int) -> PreTrainedModel:
    """A model with random weights; float32, tied embeddings, plain (eager) attention.

    Plain attention, because packing hands in its own mask and the fused CPU kernel's backward
    pass is slower at these lengths (5.9 against 7.2 thousand tokens a second on one core).
    """
    torch.manual_seed(seed)
    if params.model_type == "llama":
        return LlamaForCausalLM(llama_config(params, vocab_size))
    model = T5ForConditionalGeneration(t5_config(params, vocab_size))
    with torch.no_grad():
        model.shared.weight.mul_(T5_EMBEDDING_SCALE)
        model.decoder.final_layer_norm.weight.div_(T5_EMBEDDING_SCALE)
    return model


def llama_config(params: ArchitectureParams, vocab_size: int) -> LlamaConfig:
    """Configuration of the causal model."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=params.hidden_size,
        intermediate_size=params.intermediate_size,
        num_hidden_layers=params.num_hidden_layers,
        num_attention_heads=params.num_attention_heads,
        num_key_value_heads=params.num_attention_heads,
        max_position_embeddings=params.max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": params.rope_theta},
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
        attn_implementation="eager",
    )


def t5_config(params: ArchitectureParams, vocab_size: int) -> T5Config:
    """Configuration of the encoder-decoder; gated GELU as in T5 1.1, no dropout."""
    return T5Config(
        vocab_size=vocab_size,
        d_model=params.hidden_size,
        d_ff=params.intermediate_size,
        d_kv=params.hidden_size // params.num_attention_heads,
        num_layers=params.num_hidden_layers,
        num_decoder_layers=params.num_decoder_layers,
        num_heads=params.num_attention_heads,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        n_positions=params.max_position_embeddings,
        tie_word_embeddings=True,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
        decoder_start_token_id=PAD_ID,
        attn_implementation="eager",
    )


def count_parameters(model: torch.nn.Module) -> int:
    """Parameters of a model, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
