"""`claims.yaml`: what the project set out to show, written down before the test split was scored."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from steady.errors import SteadyError
from steady.metrics.cells import ALL, HELD_OUT
from steady.parameters import Section

Test = Literal["mcnemar", "sign_flip"]
EndpointName = Literal["accuracy", "held_out_accuracy", "l2_accuracy", "l2_agreement", "l2_posix", "l2_posix_scaled"]


class Endpoint(NamedTuple):
    """Where an endpoint is measured (a cell, or None for the rows of the test split), what, and how it is tested."""

    cell: tuple[str, str] | None
    measure: str
    test: Test


ENDPOINTS: dict[str, Endpoint] = {
    "accuracy": Endpoint(None, "accuracy", "mcnemar"),
    "held_out_accuracy": Endpoint((HELD_OUT, ALL), "mean_accuracy", "sign_flip"),
    "l2_accuracy": Endpoint(("L2", ALL), "mean_accuracy", "sign_flip"),
    "l2_agreement": Endpoint(("L2", ALL), "agreement", "sign_flip"),
    "l2_posix": Endpoint(("L2", ALL), "posix", "sign_flip"),
    "l2_posix_scaled": Endpoint(("L2", ALL), "posix_scaled", "sign_flip"),
}


class Claim(Section):
    """One primary claim: that `endpoint` of `arm` is higher (or lower) than that of the arm it is put `against`."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    statement: str = Field(min_length=1)
    endpoint: EndpointName
    arm: str
    against: str
    direction: Literal["higher", "lower"]
    test: Test

    @model_validator(mode="after")
    def _fits(self) -> "Claim":
        expected = ENDPOINTS[self.endpoint].test
        if self.test != expected:
            raise ValueError(f"`{self.endpoint}` is tested by `{expected}`, got test {self.test!r}")
        if self.arm == self.against:
            raise ValueError(f"`arm` and `against` are both {self.arm!r}")
        return self


class Claims(Section):
    """The whole file: the family of claims over which p-values are corrected."""

    claims: list[Claim] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_once(self) -> "Claims":
        ids = [claim.id for claim in self.claims]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"the id {twice[0]!r} is used twice")
        return self


def read_claims(path: Path) -> list[Claim]:
    """Read and check `claims.yaml`.

    Raises:
        SteadyError: the file is missing, is no YAML, or holds anything unknown or unfit; every fault, with its line.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Run from the repository's root, or pass --claims.")
    try:
        document = YAML().load(path.read_text(encoding="utf-8"))
        return Claims.model_validate(document).claims
    except (YAMLError, UnicodeDecodeError) as error:
        raise SteadyError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        raise SteadyError("\n".join(_fault(path, document, item) for item in error.errors())) from error


def _fault(path: Path, document: Any, item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    where = f"{path}:{_line(document, item['loc'])}: " + (f"`{place}`: " if place else "")
    if item["type"] == "extra_forbidden":
        allowed = Claim if len(item["loc"]) > 1 else Claims
        return f"{where}unknown key. Allowed: {', '.join(allowed.model_fields)}."
    shown = f", got {item['input']!r}" if isinstance(item["input"], str | int | float) else ""
    return f"{where}{item['msg'].removeprefix('Value error, ')}{shown}."


def _line(document: Any, place: tuple[Any, ...]) -> int:
    """The line, from 1, of the innermost thing on the way to a place that knows its line."""
    line = 1
    for part in place:
        if not hasattr(document, "lc"):
            break
        known = document.lc.data or {}
        line = (known[part][0] if part in known else document.lc.line) + 1
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            break
    return line
