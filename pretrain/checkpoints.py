"""Atomic, verified checkpoints: the newest sound one is used, a damaged one is named."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch

logger = logging.getLogger(__name__)
STATE, MANIFEST = "state.pt", "manifest.json"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], keep: int = 2) -> Path:
    """Write a checkpoint beside the others and drop all but the last ``keep``.

    It is written to a temporary sibling, the manifest last, and renamed: a reader never sees half.
    """
    final = folder / f"step-{step:07d}"
    temporary = folder / f".{final.name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    torch.save(state, temporary / STATE)
    manifest = {"step": step, STATE: sha256_of(temporary / STATE)}
    (temporary / MANIFEST).write_text(json.dumps(manifest) + "\n", encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)
    for old in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(old)
    return final


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint whose bytes agree with its manifest; None where there is none."""
    for path in sorted(folder.glob("step-*"), reverse=True):
        fault = find_fault(path)
        if fault is None:
            state: dict[str, Any] = torch.load(path / STATE, map_location="cpu", weights_only=True)
            return state
        logger.warning("%s is not used: %s", path, fault)
    return None


def find_fault(path: Path) -> str | None:
    """What is wrong with a checkpoint folder, or None."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if sha256_of(path / STATE) != manifest[STATE]:
            return f"the SHA-256 of {STATE} is not the manifest's"
    except (OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return None
