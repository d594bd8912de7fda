"""SHA-256 of files, and the check of a model's folder against the `SHA256SUMS` that it carries."""

import hashlib
from functools import lru_cache
from pathlib import Path

from steady.errors import SteadyError

SUMS = "SHA256SUMS"
WEIGHTS = ".safetensors"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex; that of a large file is computed once a process unless the file changes."""
    found = path.stat()
    # A small file is read each time: it could be written twice within a tick of the file system's clock.
    digest = _sha256 if found.st_size >= 16 << 20 else _sha256.__wrapped__
    return str(digest(path, (found.st_ino, found.st_size, found.st_mtime_ns)))


@lru_cache(maxsize=64)
def _sha256(path: Path, stamp: tuple[int, int, int]) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def verify_sums(folder: Path, *, weights: bool) -> None:
    """Check the weights of a folder against its `SHA256SUMS`, where it has one, or everything but them, which is quick.
    SteadyError where a listed file is missing or not the one listed, or weights lie there that are not listed.
    """
    path = folder / SUMS
    if not path.is_file():
        return
    lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    # `sha256sum` puts a star before the name of a file that it read as binary.
    listed = {line[-1].strip().removeprefix("*"): line[0] for line in lines}
    strange = sorted(file.name for file in folder.glob(f"*{WEIGHTS}") if file.name not in listed)
    checked = {name: digest for name, digest in listed.items() if name.endswith(WEIGHTS) is weights}
    files = {name: folder / name for name in checked}
    wrong = [name for name, file in files.items() if not file.is_file() or sha256_of(file) != checked[name]]
    if wrong or (strange and weights):
        raise SteadyError(
            f"{folder}: {', '.join(wrong or strange)}: not what {path.name} lists. Fetch the folder again "
            "(`git restore`, `dvc checkout --force`), or take the file out of the folder."
        )


def folder_digest(folder: Path) -> str:
    """What the model in a folder is, in 64 hex digits: of its `SHA256SUMS`, or else of its configuration and of the name, size
    and first megabyte of its weights.
    """
    if (folder / SUMS).is_file():
        return sha256_of(folder / SUMS)
    digest = hashlib.sha256()
    for path in [folder / "config.json", *sorted(folder.glob(f"*{WEIGHTS}"))]:
        if path.is_file():
            digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
            # The first megabyte of a safetensors file holds the names, shapes and first numbers; gigabytes would take minutes.
            with path.open("rb") as handle:
                digest.update(handle.read(1 << 20))
    return digest.hexdigest()
