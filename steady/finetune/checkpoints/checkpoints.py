"""Checkpoints on disk: written whole or not at all, each with the SHA-256 of its files, read back only when all of them agree.

They lie in a folder named by the fingerprint of everything that the training depends on, so that a run never goes on from
what another setting, other data or other code has left.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.models.checksums import sha256_of
from steady.models.ranks import rank, wait_for_all

logger = logging.getLogger(__name__)
MANIFEST = "manifest.json"
STATE = "trainer_state.json"
PREFIX = "checkpoint-"
UNFINISHED = ".unfinished-"
LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate", "tokenizers", "safetensors", "bitsandbytes", "numpy")


def fingerprint(parts: Mapping[str, Any]) -> str:
    """32 hex digits of everything that a training depends on; `parts` are JSON values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def code_digest(package: Path) -> str:
    """A digest of the source code of a package."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str | None]:
    """Versions of the libraries that training computes with; None for one that is not installed."""
    found: dict[str, str | None] = dict.fromkeys(LIBRARIES)
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training: `folder/checkpoint-STEP`."""

    folder: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder and delete what a killed process left unfinished; SteadyError where another process trains the same."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as handle:
            # The kernel releases the lock when the process ends, however it ends.
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SteadyError(
                    f"{self.folder}: another process is training the same. Wait for it, or stop it; this command then goes on "
                    "from its last checkpoint."
                ) from error
            for path in self.folder.glob(f"{UNFINISHED}*"):
                shutil.rmtree(path)
            yield

    def path(self, step: int) -> Path:
        """The folder of the checkpoint of a step."""
        return self.folder / f"{PREFIX}{step}"

    def steps(self) -> list[int]:
        """The steps of the checkpoints there are, ascending."""
        found = (path.name.removeprefix(PREFIX) for path in self.folder.glob(f"{PREFIX}*"))
        return sorted(int(name) for name in found if name.isdigit())

    @contextmanager
    def writing(self, step: int) -> Iterator[Path]:
        """A temporary sibling to write a checkpoint into; the manifest is written last, then it gets its name."""
        temporary = self.folder / f"{UNFINISHED}{step}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        files = sorted(path for path in temporary.rglob("*") if path.is_file())
        sums = {path.relative_to(temporary).as_posix(): sha256_of(path) for path in files}
        (temporary / MANIFEST).write_text(json.dumps(sums, indent=2), encoding="utf-8")
        # A rename can reach the disk before the bytes of the files do: after a power cut the folder would be there and empty.
        for path in [*files, temporary / MANIFEST, temporary]:
            _to_disk(path)
        shutil.rmtree(self.path(step), ignore_errors=True)
        temporary.rename(self.path(step))
        _to_disk(self.folder)

    def keep(self, best: int | None) -> None:
        """Delete all checkpoints but the last two and the best."""
        for step in self.steps()[:-2]:
            if step != best:
                shutil.rmtree(self.path(step))

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints of later steps, which are damaged: the run saves them again."""
        for later in self.steps():
            if later > step:
                shutil.rmtree(self.path(later))

    def last_good(self) -> tuple[int | None, list[str]]:
        """The last step whose checkpoint is whole, and the best one's that it refers to; and what is wrong with later ones."""
        faults: list[str] = []
        # The best checkpoint is loaded at the end of training, so a checkpoint is only good if the best one is whole as well.
        for step in reversed(self.steps()):
            fault = self.fault(step) or self._fault_of_best(step)
            if fault is None:
                return step, faults
            faults.append(f"{self.path(step).name}: {fault}")
        return None, faults

    def fault(self, step: int) -> str | None:
        """What is wrong with the files of a checkpoint; None: nothing."""
        folder = self.path(step)
        try:
            sums = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            named = {str(name): str(digest) for name, digest in sums.items()}
        except (OSError, ValueError, AttributeError):
            return f"{MANIFEST} is missing or damaged"
        for name, digest in named.items():
            if not (folder / name).is_file():
                return f"{name} is missing"
            if sha256_of(folder / name) != digest:
                return f"{name} is damaged: its SHA-256 is not that of the manifest"
        return None if STATE in named else f"{STATE} is missing"

    def _fault_of_best(self, step: int) -> str | None:
        best = json.loads((self.path(step) / STATE).read_text(encoding="utf-8")).get("best_global_step")
        if not best or best == step:
            return None
        fault = self.fault(int(best)) if self.path(int(best)).is_dir() else "it is gone"
        return f"the best so far is {self.path(int(best)).name}, and there {fault}" if fault else None

    def remove(self) -> None:
        """Delete everything: the training has succeeded. What cannot be deleted is named, for the arm is written and right."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            logger.warning(
                "%s could not be deleted. The arm is complete and needs it no longer: delete it.", self.folder
            )


@contextmanager
def kept_in(checkpoints: Checkpoints | None) -> Iterator[Checkpoints]:
    """The checkpoints to train with, locked; None: those of a temporary folder."""
    if checkpoints is None:
        with tempfile.TemporaryDirectory(prefix="steady-training-") as folder:
            yield Checkpoints(Path(folder))
    elif rank():  # process 0 holds the folder for all
        wait_for_all()
        yield checkpoints
    else:
        with checkpoints.held():
            wait_for_all()
            yield checkpoints


def _to_disk(path: Path) -> None:
    """Have a file or the entries of a folder written out before anything that relies on them is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
