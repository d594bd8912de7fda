"""On what the results were made, and whether a run gave the committed ones. No stage depends on any of it."""

import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from steady.errors import SteadyError
from steady.repro.lockfile import Entry

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "scikit-learn", "numpy", "scipy", "dvc")
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Versions, processor and system: what may change the last digits of a result. Neither host name nor paths."""

    python: str
    packages: dict[str, str | None]
    system: str
    processor: str
    instructions: list[str]


def environment() -> Environment:
    """The environment of this process."""
    processor, instructions = _processor()
    return Environment(
        python=platform.python_version(),
        packages={name: _version(name) for name in PACKAGES},
        system=f"{platform.system()} {platform.machine()}",
        processor=processor,
        # kernels are chosen by these, and with the kernel the last digits of a sum
        instructions=instructions,
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> tuple[str, list[str]]:
    """(the name of the processor, which of `INSTRUCTIONS` it has)."""
    # Python's `platform` gives the architecture on Linux, not the processor.
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    # Arm calls them Features.
    flags = facts.get("flags", facts.get("Features", "")).split()
    name = facts.get("model name", platform.processor() or "unknown")
    return name, [instruction for instruction in INSTRUCTIONS if instruction in flags]


def committed(root: Path, path: str) -> str | None:
    """The text of a file in the last commit, None where it has no such file.

    Raises:
        SteadyError: `root` is no clone of a Git repository.
    """
    known = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, check=False)
    if known.returncode:
        raise SteadyError(f"{root}: no Git commit to compare with. Clone the repository with Git.")
    # `./` is the folder and not the top of the repository, should they differ.
    found = subprocess.run(["git", "show", f"HEAD:./{path}"], cwd=root, capture_output=True, check=False)
    return None if found.returncode else found.stdout.decode()


def changed_outputs(before: list[Entry], after: list[Entry]) -> list[str]:
    """The outputs whose bytes differ, or which only one of two runs has."""
    old, new = ({entry.path: entry.md5 for entry in entries if entry.written} for entries in (before, after))
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted path and the value of every leaf of nested mappings."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def changed_values(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """(name, committed value, value here) of the leaves that differ; None stands for a leaf that is not there."""
    old, new = dict(leaves(before)), dict(leaves(after))
    return [
        (name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def changed_json(root: Path, path: str) -> list[tuple[str, Any, Any]]:
    """`changed_values` of a JSON file between the last commit and here; empty where either is missing."""
    old = committed(root, path)
    if old is None or not (root / path).is_file():
        return []
    return changed_values(json.loads(old), json.loads((root / path).read_text(encoding="utf-8")))
