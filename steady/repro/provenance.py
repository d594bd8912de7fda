"""On what the results were made; no stage depends on it."""

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from steady.report.readme import Environment

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "scikit-learn", "numpy", "scipy", "dvc")
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


def environment() -> Environment:
    """The environment of this process."""
    # Python's `platform` gives the architecture on Linux, not the processor.
    path = Path("/proc/cpuinfo")
    # no such file outside Linux
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    # Arm calls them Features.
    flags = facts.get("flags", facts.get("Features", "")).split()
    return Environment(
        python=platform.python_version(),
        packages={name: _version(name) for name in PACKAGES},
        system=f"{platform.system()} {platform.machine()}",
        processor=facts.get("model name", platform.processor() or "unknown"),
        instructions=[instruction for instruction in INSTRUCTIONS if instruction in flags],
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
