"""`claims.yaml`: what the project set out to show, written down before the test split was scored."""

from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError, field_validator, model_validator

from steady.errors import SteadyError
from steady.metrics.cells import ALL, HELD_OUT
from steady.metrics.measures import QUALITY, SENSITIVITY, Test, in_tables
from steady.parameters import Section, read_yaml
from steady.prompts.families import names


class Endpoint(NamedTuple):
    """Where an endpoint is measured (a cell, or None for the rows of the test split), what, and how it is tested."""

    cell: tuple[str, str] | None
    measure: str
    test: Test


PLACES = (HELD_OUT, "L1", "L2")


def _endpoints() -> dict[str, Endpoint]:
    """`accuracy`, and every tested measure of the tables under a place: a level, or a family of it (`l1_paraphrase_accuracy`)."""
    found = {row.name: Endpoint(None, row.name, row.test) for row in QUALITY if row.test}
    for place, family in product(PLACES, (ALL, *names())):
        # The held-out cell pools the families and has none of its own.
        if place == HELD_OUT and family != ALL:
            continue
        for row in in_tables(SENSITIVITY):
            if row.test:
                name = row.endpoint(place if family == ALL else f"{place}_{family}")
                found[name] = Endpoint((place, family), row.name, row.test)
    return found


ENDPOINTS = _endpoints()


class Claim(Section):
    """One primary claim: that `endpoint` of `arm` is higher (or lower) than that of the arm it is put `against`."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    statement: str = Field(min_length=1)
    endpoint: str
    arm: str
    against: str
    direction: Literal["higher", "lower"]
    test: Test

    @field_validator("endpoint")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ENDPOINTS:
            near = get_close_matches(value, ENDPOINTS, n=5, cutoff=0.3)
            raise ValueError(
                "not an endpoint. Allowed: a measure of the test split (accuracy), or one of sensitivity after a place: held_out, "
                f"l1, l2, or a family of a level (l1_paraphrase). Near: {', '.join(near) or 'none'}"
            )
        return value

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
    """Read and check `claims.yaml`; SteadyError where it is missing, is no YAML, or holds anything unfit: every fault, by line."""
    document = read_yaml(path, "no such file. Run from the repository's root, or pass --claims.", with_lines=True)
    try:
        return Claims.model_validate(document).claims
    except ValidationError as error:
        raise SteadyError("\n".join(_fault(path, document, item) for item in error.errors())) from error


def _fault(path: Path, document: Any, item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    where = f"{path}:{_line(document, item['loc'])}: " + (f"`{place}`: " if place else "")
    if item["type"] == "extra_forbidden":
        allowed = Claim if len(item["loc"]) > 1 else Claims
        return f"{where}unknown key. Allowed: {', '.join(allowed.model_fields)}."
    # the value of a missing key is the whole mapping, which nobody wants to read
    shown = f", got {item['input']!r}" if isinstance(item["input"], str | int | float) else ""
    return f"{where}{item['msg'].removeprefix('Value error, ')}{shown}."


def _line(document: Any, place: tuple[Any, ...]) -> int:
    """The line, from 1, of the innermost thing on the way to a place that knows its line."""
    line = 1
    for part in place:
        if not hasattr(document, "lc"):
            break
        # ruamel keeps the line of each key with the mapping that holds it
        known = document.lc.data or {}
        line = (known[part][0] if part in known else document.lc.line) + 1
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            break
    return line
