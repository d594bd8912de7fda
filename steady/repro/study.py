"""A study: methods by seeds by bases as a grid of runs over one cache, each in a copy of the repository."""

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML

from steady.compare.claims import Claim
from steady.errors import SteadyError
from steady.finetune.params import Arm
from steady.parameters import Section, faults_of, read_yaml
from steady.repro.workspaces import make_workspace


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
    """One cell of the grid."""

    base: str
    seed: int


def read_study(path: Path) -> Study:
    """Read and check the file of a study; SteadyError where it is missing, no YAML, or a value is refused; every fault is named."""
    content = read_yaml(path, "no such file. docs/methods.md has an example of a study.")
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise SteadyError("\n".join(f"{path}: {fault}" for fault in faults_of(error, Study))) from error


def grid(study: Study) -> list[Run]:
    """Every run of a study, base by base."""
    return [Run(base, seed) for base in study.bases for seed in study.seeds]


def make_run(study: Study, run: Run, root: Path, folder: Path) -> None:
    """Make the copy of the repository in which a run of a study takes place.

    SteadyError where there is no such recipe, or a key of `changes` is not in its parameters.
    """
    arms = {name: arm.shown() for name, arm in study.methods.items()}
    make_workspace(root, folder, {"seed": run.seed, "arms": arms, **study.changes}, run.base)
    _write_yaml(folder / "params.yaml", study.sections)
    claims = [claim.model_dump(mode="json") for claim in study.claims]
    # the recipe's claims are about its own arms
    (folder / "claims.yaml").unlink(missing_ok=True)
    _write_yaml(folder / "claims.yaml", {"claims": claims})


def _write_yaml(path: Path, sections: dict[str, Any]) -> None:
    """Add top-level keys to a YAML file, or make it of them."""
    yaml = YAML()
    values = yaml.load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    values.update(sections)
    with path.open("w", encoding="utf-8") as handle:
        yaml.dump(values, handle)
