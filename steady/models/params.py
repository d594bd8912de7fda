"""Section `model` of `params.yaml`."""

import re
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from steady.parameters import Section

PACKAGE_PREFIX = "package:"
COMMIT_LENGTH = 40
FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
AUTO_MODELS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "CAUSAL_LM": "AutoModelForCausalLM",
}
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


class ModelParams(Section):
    """Section `model` of `params.yaml`.

    `id` is a Hub id, a folder or `package:NAME`; `gguf_file` names the GGUF file in that folder or repository to read the model
    from. `pooling: mean` puts a linear head on mean-pooled features, as sentence
    encoders want it; null takes the model's own classification head. `quantization` and the keys that begin with `bnb_` are
    those of bitsandbytes; `chat_template` wraps prompts as the tokenizer's template says; `special_tokens` are added to the
    vocabulary and trained.
    """

    id: str
    revision: str | None = None
    gguf_file: str | None = None
    task: Literal["SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM"]
    pooling: Literal["mean"] | None
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    quantization: Literal["none", "int8", "nf4"] = "none"
    bnb_4bit_use_double_quant: bool = False
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] | None = None
    chat_template: bool = False
    special_tokens: tuple[str, ...] = ()
    num_threads: int | None

    @model_validator(mode="after")
    def _hub_ids_are_pinned(self) -> "ModelParams":
        if Path(self.id).is_file():
            raise ValueError(f"`id` is the file {self.id!r}; give its folder as `id` and its name as `gguf_file`")
        if self.gguf_file is not None and self.id.startswith(PACKAGE_PREFIX):
            raise ValueError(
                f"`gguf_file` is {self.gguf_file!r}, but `id` is a package, which names its own file; set it to null"
            )
        if is_hub_id(self.id) and not HUB_ID.fullmatch(self.id):
            raise ValueError(
                f"`id` is {self.id!r}: there is no such folder, and it is no Hub id (OWNER/NAME) and no `package:NAME`"
            )
        # A branch may move between two runs, which would then begin from different weights.
        if is_hub_id(self.id) and not FULL_COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"`revision` of a Hub model is a full commit of {COMMIT_LENGTH} hex digits, got {self.revision!r}; "
                "`python -m steady resolve` asks the Hub for it and writes it into params.yaml"
            )
        return self


def is_hub_id(model_id: str) -> bool:
    """Whether an id names neither a package nor an existing folder."""
    return not model_id.startswith(PACKAGE_PREFIX) and not Path(model_id).is_dir()
