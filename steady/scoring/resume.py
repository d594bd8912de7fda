"""What a stopped run had scored already: a file for each bundle, in a folder whose name says exactly what was asked."""

import hashlib
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from steady.errors import SteadyError
from steady.records import read_records, write_records

logger = logging.getLogger(__name__)
FOLDER = ".checkpoints"
Kept = TypeVar("Kept", bound=msgspec.Struct)


@dataclass(frozen=True)
class Partial:
    """Bundles that are done; with no folder nothing is kept."""

    folder: Path | None = None

    def kept(self, number: int, kind: type[Kept], prompt_ids: Sequence[str]) -> list[Kept] | None:
        """The records of a bundle, or None where its file is missing, damaged, or of other prompts: then it is scored again."""
        path = self._path(number)
        if path is None or not path.is_file():
            return None
        try:
            found = read_records(path, kind)
        except SteadyError:  # a file that a kill cut short is no fault of the user's
            return None
        return found if [getattr(item, "prompt_id", None) for item in found] == list(prompt_ids) else None

    def keep(self, number: int, records: Sequence[msgspec.Struct]) -> None:
        """Write a bundle, atomically."""
        path = self._path(number)
        if path is not None:
            write_records(path, records)

    def clear(self) -> None:
        """Remove what was kept; for when the results are written. What cannot be deleted is named, for the results are right."""
        if self.folder is None:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            logger.warning(
                "%s could not be deleted. The results are complete and need it no longer: delete it.", self.folder
            )

    def _path(self, number: int) -> Path | None:
        return None if self.folder is None else self.folder / f"{number:06d}.jsonl"


def partial_of(root: Path | None, *facts: object) -> Partial:
    """The place below `root` of a run that is described by `facts`: other facts, another place. None keeps nothing."""
    if root is None:
        return Partial()
    digest = hashlib.blake2b(msgspec.json.encode([repr(fact) for fact in facts]), digest_size=16).hexdigest()
    return Partial(root / FOLDER / f"scoring-{digest}")


CODE = (
    *("inference", "models", "scoring"),
    *("metrics/arm_text.py", "metrics/label_sets.py", "metrics/text.py", "labels.py"),
)
"""The code of `steady` whose change makes saved bundles invalid."""


def code_digest() -> str:
    """A digest of the code that loads models and scores, so that no run goes on with what another version of it began."""
    root, digest = Path(__file__).parents[1], hashlib.blake2b(digest_size=16)
    named = (root / name for name in CODE)
    for path in sorted(found for place in named for found in ([place] if place.suffix else place.rglob("*.py"))):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def fingerprint(folder: Path) -> str:
    """A digest of the files of a model or an adapter: names and contents, of weights over 64 MB only size and head."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.glob("*")):
        if path.suffix in {".json", ".safetensors", ".model", ".txt"}:
            digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
            with path.open("rb") as handle:
                digest.update(handle.read(64 << 20))
    return digest.hexdigest()
