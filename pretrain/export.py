"""From trained float32 weights to the folder that users load."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig

from pretrain.architectures import EOS_ID, PAD_ID
from pretrain.checkpoints import sha256_of
from pretrain.tokenizer import save_pretrained

MAX_SHARD_SIZE = "15MB"
MAX_NEW_TOKENS = 64
SUMS = "SHA256SUMS"


def export_model(trained: Path, tokenizer: Path, max_length: int, output: Path) -> None:
    """Write weights in bfloat16, configuration, generation configuration and tokenizer.

    Args:
        trained: folder of the training stage.
        tokenizer: file of the tokenizer stage.
        max_length: context in tokens.
        output: folder to write.
    """
    config = AutoConfig.from_pretrained(trained, trust_remote_code=False)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = kind.from_pretrained(trained, dtype=torch.bfloat16)
    start = PAD_ID if config.is_encoder_decoder else None
    model.generation_config = GenerationConfig(
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
        decoder_start_token_id=start,
        max_new_tokens=MAX_NEW_TOKENS,
        do_sample=False,
    )
    model.save_pretrained(output, max_shard_size=MAX_SHARD_SIZE)
    save_pretrained(tokenizer, output, max_length, adds_eos=config.is_encoder_decoder)


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` over every file of a folder but the card and itself (``sha256sum -c``)."""
    names = sorted(path.name for path in folder.iterdir() if path.name not in {SUMS, "README.md"})
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in names]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
