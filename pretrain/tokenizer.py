"""The byte-level BPE tokenizer that both models share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, EOS = "<pad>", "</s>"


def sentinel(index: int) -> str:
    """Name of the T5 sentinel with this number, from 0."""
    return f"<extra_id_{index}>"


def train_tokenizer(texts: Iterable[str], vocab_size: int, sentinels: int) -> Tokenizer:
    """Train a byte-level BPE; ids 0 and 1 are padding and end of sequence, then the sentinels.

    Digits are tokens of their own; every byte is in the alphabet, so no text is unknown.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, EOS, *(sentinel(i) for i in range(sentinels))],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_pretrained(path: Path, folder: Path, max_length: int, *, adds_eos: bool) -> None:
    """Write a tokenizer file as a transformers tokenizer folder.

    Args:
        path: file written by ``Tokenizer.save``.
        folder: of the model.
        max_length: ``model_max_length``, in tokens.
        adds_eos: whether each encoded text ends in ``</s>``, as T5 models expect of inputs.
    """
    tokenizer = Tokenizer.from_file(str(path))
    if adds_eos:
        eos_id = tokenizer.token_to_id(EOS)
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {EOS}", pair=f"$A $B {EOS}", special_tokens=[(EOS, eos_id)]
        )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        model_max_length=max_length,
        padding_side="right" if adds_eos else "left",
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
