"""Tokenizers of the real classes with a small vocabulary, trained on the sample data."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SIZE = 900
FILES = ("tickets", "news", "variants", "conversations", "concise")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INST = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[INST] {{ message.content }}[/INST]"
    "{% else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
)


def texts(rows: int = 400) -> Iterator[str]:
    """The texts of the first rows of each file of the sample data, and the label names."""
    for name in FILES:
        for line in (ROOT / f"data/raw/{name}.jsonl").read_text(encoding="utf-8").splitlines()[:rows]:
            yield from json.loads(line).values()


@cache
def tokenizer_of(kind: str) -> Any:
    """The tokenizer of a kind of model, as its Hub repository has it: special tokens, padding or none, template or none."""
    import transformers

    if kind == "mistral":
        return _sentencepiece_bpe(transformers.LlamaTokenizer, INST)
    if kind == "llama":
        return _sentencepiece_bpe(transformers.LlamaTokenizer, None)
    kinds = {
        "phi": transformers.CodeGenTokenizer,  # no padding token, no template
        "falcon": transformers.GPT2Tokenizer,
        "qwen2": transformers.Qwen2Tokenizer,
        "qwen3": transformers.Qwen2Tokenizer,
        "t5": transformers.T5Tokenizer,
        "distilbert": transformers.DistilBertTokenizer,
    }
    rows = 100 if kind == "t5" else 400  # its pieces of likely words take ten times as long as pairs of bytes
    tokenizer = kinds[kind]().train_new_from_iterator(texts(rows), SIZE, show_progress=False)
    if kind.startswith("qwen"):
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
        tokenizer.chat_template = CHATML
    if kind in {"t5", "distilbert"}:
        tokenizer.model_max_length = 512
    return tokenizer


def _sentencepiece_bpe(kind: Any, template: str | None) -> Any:
    """A byte-pair vocabulary in the manner of sentencepiece: words begin with a low line, unknown letters become bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        texts(), trainers.BpeTrainer(vocab_size=SIZE + 256, special_tokens=special, show_progress=False)
    )
    parts = json.loads(trained.to_str())["model"]
    tokenizer = kind(vocab=parts["vocab"], merges=[tuple(pair) for pair in parts["merges"]], add_bos_token=True)
    tokenizer.chat_template = template
    return tokenizer
