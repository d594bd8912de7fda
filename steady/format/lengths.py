"""What a tokenizer makes of prompts: their lengths, and which wordings it cannot tell apart. GGUF files are converted first."""

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steady.errors import SteadyError
from steady.models.gguf import convert_once, find_gguf, packaged_gguf
from steady.prompts.bank import Bank
from steady.prompts.render import applies, render
from steady.records import CANONICAL, Example, Wording

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "package:"
FILE = "tokenizer.json"
OTHER_FILES = ("tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model", "merges.txt")
"""Files that transformers makes a tokenizer of where there is no `tokenizer.json`."""
Encode = Callable[[list[str]], list[list[int]]]
"""Texts to token ids, special tokens included."""


def tokenizer_file(model_id: str, revision: str | None, gguf_file: str | None = None) -> Path:
    """The `tokenizer.json` of a model: of a package without importing it, of a folder, or from the Hub (or its cache).

    Where a folder has its tokenizer in another form, as BERT's first `vocab.txt`, it is the folder. A GGUF file has none of its own:
    it is that of the conversion, which is made where the cache holds none. SteadyError where there is none.
    """
    if gguf_file is not None:
        return convert_once(find_gguf(model_id, revision, gguf_file)).folder / FILE
    if model_id.startswith(PACKAGE):
        name = model_id.removeprefix(PACKAGE)
        # Importing the package may import a model library with it.
        package = importlib.util.find_spec(name)
        if package is None or package.origin is None:
            raise SteadyError(
                f"model.id: the package {name!r} is not installed. Install it, or give a folder or a Hub id."
            )
        if (packaged := packaged_gguf(name)) is not None:
            return convert_once(packaged).folder / FILE
        # Packages differ in where they put it.
        places = [Path(package.origin).parent / "model" / FILE, Path(package.origin).parent / FILE]
        return next((place for place in places if place.is_file()), None) or _existing(places[0], model_id)
    if Path(model_id).is_dir():
        return _in_folder(Path(model_id), model_id)
    try:
        from huggingface_hub import snapshot_download

        found = snapshot_download(model_id, revision=revision, allow_patterns=[FILE, *OTHER_FILES, "config.json"])
        return _in_folder(Path(found), model_id)
    except (ImportError, OSError, ValueError) as error:
        raise SteadyError(
            f"model.id {model_id!r}, revision {revision!r}: cannot get its {FILE}: {error}\n"
            f"Give a Hub id that exists, a folder with a {FILE}, or `package:NAME`; without a network, the Hub's cache has to hold it."
        ) from error


def _in_folder(folder: Path, model_id: str) -> Path:
    if not (folder / FILE).is_file() and any((folder / name).is_file() for name in OTHER_FILES):
        return folder
    return _existing(folder / FILE, model_id)


def _existing(path: Path, model_id: str) -> Path:
    if not path.is_file():
        raise SteadyError(
            f"model.id {model_id!r}: {path} does not exist. Save it with `PreTrainedTokenizerFast.save_pretrained`."
        )
    return path


def load_tokenizer_file(path: Path) -> "Tokenizer":
    """The tokenizer of a `tokenizer.json`, or of a folder that has it in another form, without the truncation and the padding
    that it may ask for; SteadyError where it is no tokenizer, or none of those that are read quickly.
    """
    from tokenizers import Tokenizer

    try:
        if path.is_dir():
            from transformers import AutoTokenizer

            tokenizer: Tokenizer = AutoTokenizer.from_pretrained(str(path), trust_remote_code=False).backend_tokenizer
        else:
            tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the libraries raise plain Exception
        raise SteadyError(f"{path}: not a tokenizer: {error}") from error
    # Lengths are those of whole prompts, and padding is no part of them.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def load_encode(path: Path) -> Encode:
    """The encoder of a `tokenizer.json`; errors as `load_tokenizer_file` has them."""
    tokenizer = load_tokenizer_file(path)
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]


def look_alikes(
    wordings: Sequence[Wording], examples: Sequence[Example], bank: Bank | None, encode: Encode
) -> dict[str, str]:
    """The wordings that the model reads as it reads another one, each with the id of that other one.

    An uncased tokenizer drops casing, many drop white space: such wordings would count as agreement without a test, and one
    held out would be one trained on. Compared are the token ids on `examples`; the canonical wording comes first, then the
    trained ones, so that a held-out wording never stands for a trained one. Wordings that no example has are left alone.
    """
    first: dict[Any, str] = {}
    alike: dict[str, str] = {}
    for wording in sorted(wordings, key=lambda wording: (wording.id != CANONICAL, not wording.trained)):
        usable = [example for example in examples if applies(example, wording, bank)]
        if not usable:
            continue
        ids = encode([render(example, wording, bank) for example in usable])
        reading = tuple((example.id, *tokens) for example, tokens in zip(usable, ids, strict=True))
        seen = first.setdefault(reading, wording.id)
        if seen != wording.id:
            alike[wording.id] = seen
    return alike


def frame_lengths(wordings: Sequence[Wording], bank: Bank, encode: Encode) -> dict[str, int]:
    """The tokens of each wording of a bank around an empty text, special ones included."""
    empty = Example(id="", group_id="")
    usable = [wording for wording in wordings if applies(empty, wording, bank)]
    ids = encode([render(empty, wording, bank) for wording in usable])
    return {wording.id: len(tokens) for wording, tokens in zip(usable, ids, strict=True)}


def token_counts(texts: Iterable[str], encode: Encode, batch_rows: int = 1024) -> list[int]:
    """The number of tokens of each text, in batches that bound the memory."""
    counts: list[int] = []
    left = iter(texts)
    while batch := list(islice(left, batch_rows)):
        counts += map(len, encode(batch))
    return counts


def summary(counts: Sequence[int], max_length: int) -> dict[str, float | int]:
    """Number of prompts, tokens (mean, median, 95th percentile, largest), and how many are longer than `max_length`."""
    import numpy as np

    return {
        "prompts": len(counts),
        "mean": round(float(np.mean(counts)), 2),
        "p50": round(float(np.percentile(counts, 50)), 2),
        "p95": round(float(np.percentile(counts, 95)), 2),
        "max": max(counts),
        "truncated": sum(count > max_length for count in counts),
    }
