"""A study: methods by seeds by bases as a grid of runs over one cache, each in a copy of the repository."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from steady.compare.claims import Claim
from steady.errors import SteadyError
from steady.finetune.params import Arm
from steady.parameters import Section, faults_of
from steady.repro.workspaces import FOLDER, make_workspace, tracked_files

MARK = ".study"


class Study(Section):
    """The file of a study.

    Attributes:
        bases: recipes, which bring the model and the data.
        methods: entries of `arms`, in place of those of the recipes; the others are compared with the first.
        claims: the primary tests, as in `claims.yaml`; Holm's correction is over all of them on all bases.
        changes: keys of `params.yaml` that all runs have otherwise than the recipe.
        sections: sections that methods need and recipes do not have, such as `consistency`.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    bases: list[str] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    methods: dict[str, Arm] = Field(min_length=1)
    claims: list[Claim] = Field(min_length=1)
    changes: dict[str, Any] = Field(default_factory=dict)
    sections: dict[str, Any] = Field(default_factory=dict)

    @field_validator("bases", "seeds")
    @classmethod
    def _each_once(cls, values: list[Any]) -> list[Any]:
        if len(set(values)) != len(values):
            raise ValueError("names something twice")
        return values

    @model_validator(mode="after")
    def _of_its_methods(self) -> "Study":
        strangers = {name for claim in self.claims for name in (claim.arm, claim.against)} - set(self.methods)
        if strangers:
            raise ValueError(
                f"a claim names {sorted(strangers)[0]!r}, which is no method. There are: {', '.join(self.methods)}"
            )
        return self


class Run(NamedTuple):
    """One cell of the grid and the copy of the repository that it runs in."""

    base: str
    seed: int
    folder: Path


def read_study(path: Path) -> Study:
    """Read and check the file of a study; SteadyError where it is missing, no YAML, or a value is refused; every fault is named."""
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. docs/methods.md has an example of a study.")
    try:
        return Study.model_validate(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    except (YAMLError, UnicodeDecodeError) as error:
        raise SteadyError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        raise SteadyError("\n".join(f"{path}: {fault}" for fault in faults_of(error, Study))) from error


def grid(study: Study, root: Path) -> Iterator[Run]:
    """Every run of a study, base by base."""
    for base in study.bases:
        for seed in study.seeds:
            yield Run(base, seed, root / FOLDER / f"study-{study.name}" / base / f"seed-{seed}")


def prepare_run(study: Study, run: Run, root: Path) -> bool:
    """Make the copy of a run; one that was made of the same files for the same study is left as it is.

    What a stopped training goes on from lies in the copy, so it must not be made anew without a reason.

    Returns:
        Whether it was made.

    Raises:
        SteadyError: there is no such recipe, or a key of `changes` is not in its parameters.
    """
    mark, digest = run.folder / MARK, _digest(study, run, root)
    if mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return False
    arms = {name: arm.shown() for name, arm in study.methods.items()}
    make_workspace(root, run.folder, {"seed": run.seed, "arms": arms, **study.changes}, run.base)
    _write_yaml(run.folder / "params.yaml", study.sections)
    claims = [claim.model_dump(mode="json") for claim in study.claims]
    # the recipe's claims are about its own arms
    (run.folder / "claims.yaml").unlink(missing_ok=True)
    _write_yaml(run.folder / "claims.yaml", {"claims": claims})
    mark.write_text(digest, encoding="utf-8")
    return True


def _write_yaml(path: Path, sections: dict[str, Any]) -> None:
    """Add top-level keys to a YAML file, or make it of them."""
    yaml = YAML()
    values = yaml.load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    values.update(sections)
    with path.open("w", encoding="utf-8") as handle:
        yaml.dump(values, handle)


def _digest(study: Study, run: Run, root: Path) -> str:
    # any tracked file may change a result, and a copy of old code must not be gone on with
    digest = hashlib.sha256(json.dumps([study.model_dump(mode="json"), run.base, run.seed]).encode())
    for name in tracked_files(root):
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    return digest.hexdigest()
