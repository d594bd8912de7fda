"""Models in GGUF files: converted once to a folder of safetensors in a cache, which every loader then reads.

The weights are stored as float32, which holds every dequantised value exactly: a value is a float16 scale times a small
integer plus a float16 minimum, which neither float16 nor bfloat16 can hold.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.models.checksums import SUMS, sha256_of, verify_sums
from steady.models.gguf_header import Header, read_header

SUFFIX = ".gguf"
VERSION = 1  # raise it when the conversion writes other files
ROOM_FOR_THE_REST = 64 << 20
# llama.cpp's name of an architecture where transformers lists another one
RENAMED = {"gpt-oss": "gpt_oss", "minimax-m2": "minimax_m2", "qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe"}
# Names that `tokenizer.ggml.pre` takes: llama.cpp splits text for the first ones as GPT-2 does, for the others after every digit
SPLIT_AS_GPT2 = {None, "default", "gpt-2", "phi-2", "jina-es", "jina-de", "mpt", "olmo", "jais"}
SPLIT_AT_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}


@dataclass(frozen=True)
class Conversion:
    """The folder that a GGUF file was converted to, the SHA-256 of that file and what its header says."""

    folder: Path
    sha256: str
    quantised: str | None
    licence: str | None


def find_gguf(model_id: str, revision: str | None, gguf_file: str) -> Path:
    """The GGUF file of a folder or of a Hub model, downloaded or from the Hub's cache.
    SteadyError where there is no such file; those that are there are listed.
    """
    folder = Path(model_id)
    if folder.is_dir():
        if (folder / gguf_file).is_file():
            return folder / gguf_file
        raise _no_such_file(model_id, gguf_file, [path.name for path in folder.glob(f"*{SUFFIX}")])
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RemoteEntryNotFoundError

    # The bases of HfHubHTTPError are any fault of the connection, whichever HTTP library the client uses.
    faults: tuple[Any, ...] = (OSError, ValueError, *HfHubHTTPError.__bases__)
    try:
        try:
            return Path(hf_hub_download(model_id, gguf_file, revision=revision))
        except RemoteEntryNotFoundError as error:
            names = HfApi().list_repo_files(model_id, revision=revision)
            raise _no_such_file(model_id, gguf_file, [name for name in names if name.endswith(SUFFIX)]) from error
    except (LocalEntryNotFoundError, *faults) as error:
        raise SteadyError(
            f"model.gguf_file: cannot get {gguf_file!r} of {model_id!r}, revision {revision!r}: {error}\n"
            "Without a network, the Hub's cache has to hold it; a gated model needs `hf auth login`."
        ) from error


def _no_such_file(model_id: str, gguf_file: str, there: list[str]) -> SteadyError:
    listed = ", ".join(sorted(there)) or "none"
    return SteadyError(f"model.gguf_file: no {gguf_file!r} in {model_id!r}. GGUF files there: {listed}.")


def packaged_gguf(name: str) -> Path | None:
    """The GGUF file that an installed package carries, found without importing the package; None where it has none or several."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        return None
    files = list(Path(found.origin).parent.glob(f"*{SUFFIX}"))
    return files[0] if len(files) == 1 else None


def cache_folder() -> Path:
    """Where conversions lie: below `STEADY_CACHE`, else below the user's cache folder of the XDG specification."""
    if root := os.environ.get("STEADY_CACHE"):
        return Path(root) / "gguf"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "steady" / "gguf"


def convert_once(path: Path) -> Conversion:
    """The conversion of a GGUF file, made where the cache holds none or a damaged one; of two processes one makes it, the other waits.

    Raises:
        SteadyError: the file is missing, damaged, or of an architecture that transformers cannot read; or the cache cannot be
            written. Nothing is left half written.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file.")
    digest = sha256_of(path)
    header = _header(path, digest)
    # the libraries write the files, so another version of them is another conversion
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("gguf", "tokenizers", "transformers")]
    facts = [digest, VERSION, *versions]
    folder = cache_folder() / hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    # Most calls find it whole, and need no lock.
    if not _is_whole(folder):
        from safetensors import SafetensorError

        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with folder.with_suffix(".lock").open("w") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)  # the system releases it when its holder ends, however that ends
                # another process may have made it while this one waited for the lock
                if not _is_whole(folder):
                    _convert(path, header, folder)
        except (OSError, SafetensorError) as error:
            raise SteadyError(
                f"{folder.parent}: cannot write the converted model: {error}\n"
                "Name a folder with room that can be written to by the environment variable STEADY_CACHE."
            ) from error
    return Conversion(folder, digest, header.quantised, header.licence)


@lru_cache(maxsize=8)
def _header(path: Path, digest: str) -> Header:
    """The header of a file of this content, read once a process."""
    return read_header(path)


def _is_whole(folder: Path) -> bool:
    """Whether a conversion is there and as it was written."""
    try:
        for weights in (False, True):
            verify_sums(folder, weights=weights)
    except SteadyError:
        return False
    return (folder / SUMS).is_file()


def _convert(path: Path, header: Header, folder: Path) -> None:
    """Write the conversion beside its place, then rename it."""
    from transformers.integrations.gguf import GGUF_CONFIG_ARCHS
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    known = {*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_CONFIG_ARCHS} - {"general", "tokenizer"}
    if RENAMED.get(header.architecture, header.architecture) not in known:
        version = importlib.metadata.version("transformers")
        raise SteadyError(
            f"{path}: a model of architecture {header.architecture!r}, which transformers {version} cannot read from GGUF. "
            f"It can read: {', '.join(sorted(known))}. Give the model's folder or Hub id with safetensors instead."
        )
    needed = header.numbers * 4 + ROOM_FOR_THE_REST  # float32 has 4 bytes
    if (free := shutil.disk_usage(folder.parent).free) < needed:
        raise OSError(f"it takes {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")
    for stale in folder.parent.glob(f".{folder.name}.*.tmp"):  # of a process that was killed: the lock is held here
        shutil.rmtree(stale, ignore_errors=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir()
        model, tokenizer = _read(path, header)
        with _quiet():
            model.save_pretrained(str(temporary))
            tokenizer.save_pretrained(str(temporary))
        lines = [f"{sha256_of(file)}  {file.name}\n" for file in sorted(temporary.iterdir())]
        (temporary / SUMS).write_text("".join(lines), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read(path: Path, header: Header) -> tuple[Any, Any]:
    """The model in float32 and its tokenizer, ready to be saved; SteadyError where what transformers reads is not the whole model."""
    import torch

    try:
        # tensors that the file lacks are drawn at random, which must not move the seed of a training
        with _quiet(), torch.random.fork_rng(devices=[]):
            model, missing, tokenizer = _load(path)
    except SteadyError:
        raise
    except Exception as error:  # a damaged file makes the library raise whatever its parsing meets
        raise SteadyError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error
    if missing:
        raise SteadyError(
            f"{path}: damaged: it lacks {len(missing)} tensors of the model that its header describes, such as {missing[0]}."
        )
    if bad := next((name for name, value in model.named_parameters() if not bool(torch.isfinite(value).all())), None):
        raise SteadyError(f"{path}: damaged: the tensor {bad} is not finite. Fetch the file again.")
    _set_split(path, header, tokenizer)
    if limit := getattr(model.config, "max_position_embeddings", None):
        tokenizer.model_max_length = limit
    # how this process found the tokenizer would be written into its settings
    for name in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(name, None)
    # transformers takes the model for a quantised one still, and refuses to save it
    model.hf_quantizer, model.is_quantized = None, False
    for name in ("quantization_config", "_model_name_or_path"):
        model.config.__dict__.pop(name, None)
    return model, tokenizer


def _load(path: Path) -> tuple[Any, list[str], Any]:
    """Model, names of tensors that the file lacks, tokenizer."""
    import torch
    import transformers

    # a folder of its own: what lies beside the file (a config, an adapter) would be read as well
    with tempfile.TemporaryDirectory(prefix="steady-gguf-") as place:
        link = Path(place) / f"model{SUFFIX}"
        link.symlink_to(path.resolve())
        config = transformers.AutoConfig.from_pretrained(place, gguf_file=link.name)
        kind = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else "AutoModelForCausalLM"
        model, report = getattr(transformers, kind).from_pretrained(
            place, config=config, gguf_file=link.name, dtype=torch.float32, output_loading_info=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, gguf_file=link.name)
    return model, sorted(report["missing_keys"]), tokenizer


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no messages of transformers while it reads or writes."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(before)


def _set_split(path: Path, header: Header, tokenizer: Any) -> None:
    """Have a byte-level tokenizer split text before its merges as the model's own one does; SteadyError for an unknown split.

    transformers splits as GPT-2 does wherever it does not know the name in the file: white space before a digit would become
    other tokens than those that the model was trained on.
    """
    from tokenizers import pre_tokenizers
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    split = header.metadata.get("tokenizer.ggml.pre")
    if header.metadata.get("tokenizer.ggml.model") != "gpt2" or split in SPLIT_AS_GPT2 | set(GGUF_PRE_TOKENIZER_SPLITS):
        return
    if split not in SPLIT_AT_DIGITS:
        raise SteadyError(
            f"{path}: its tokenizer splits text as {split!r} says, which is not known here: the tokens would differ from those "
            "that the model was trained on. Give the model's folder or Hub id with its own tokenizer instead."
        )
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
