"""Sample texts from a model, once: what was drawn is kept in a cache whose key holds everything that it depends on."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from steady.errors import SteadyError
from steady.paraphrase.judging import Draw
from steady.records import write_bytes

SLOT = "{text}"
ASK = (
    "Rewrite the following instruction in other words. Keep its meaning. Keep numbers, quotations and anything in braces "
    "exactly as they are. Answer with the rewritten instruction alone.\n\nInstruction: {text}\n\nRewritten instruction:"
)


@dataclass(frozen=True)
class Sampling:
    """How texts are drawn: `samples` for each original, by temperature and nucleus; `ask` is the request, with the slot {text}."""

    samples: int = 8
    temperature: float = 0.9
    top_p: float = 0.95
    max_new_tokens: int = 128
    seed: int = 0
    ask: str = ASK

    def __post_init__(self) -> None:
        if self.ask.count(SLOT) != 1:
            raise SteadyError(
                f"the request has the slot {SLOT} {self.ask.count(SLOT)} times, expected once: it is where the text goes."
            )


@dataclass(frozen=True)
class Source:
    """The model that draws: what provenance records. `weights` is a digest of a folder's files, "" for a Hub model."""

    model: str
    revision: str | None
    weights: str
    chat: bool


# A text and a seed to as many draws as `Sampling.samples` says
Generate = Callable[[str, int], list[Draw]]


class Cached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the cache: what was asked for (the fields of `Source` and of `Sampling`, and the text), and what came."""

    asked: dict[str, str | float | bool | None]
    draws: list[Draw]


def draw_texts(
    text: str, source: Source, sampling: Sampling, generate: Generate, cache: Path
) -> tuple[list[Draw], bool]:
    """The draws for a text, and whether they were in the cache; SteadyError where a file of the cache is damaged.

    The seed of a text depends on nothing but what was asked, so texts may be added, removed or reordered.
    """
    asked = {**vars(source), **vars(sampling), "text": text}
    # all that the draws depend on is in the key, so a changed setting draws again
    fields = json.dumps(asked, sort_keys=True, ensure_ascii=False)
    key = hashlib.blake2b(fields.encode(), digest_size=16).hexdigest()
    path = cache / f"{key}.json"
    if path.is_file():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Cached).draws, True
        except msgspec.DecodeError as error:
            raise SteadyError(f"{path}: damaged ({error}). Delete it; its texts are drawn again.") from error
    # the seed comes from the key: 48 bits of it, since torch takes no more than 64
    draws = generate(sampling.ask.replace(SLOT, text), int(key[:12], 16))
    write_bytes(path, msgspec.json.format(msgspec.json.encode(Cached(asked, draws)), indent=1) + b"\n")
    return draws, False


def read_ask(path: Path | None) -> str:
    """The request in a file, or the usual one; SteadyError where the file is missing or not UTF-8."""
    if path is None:
        return ASK
    try:
        return path.read_text(encoding="utf-8").strip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SteadyError(f"--ask {path}: cannot be read: {error}") from error
