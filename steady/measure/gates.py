"""Conditions that make a measurement fail, for continuous integration: `agreement < 0.9`."""

import operator
import re
from collections.abc import Sequence
from typing import NamedTuple

from steady.errors import SteadyError
from steady.measure.comparing import Results
from steady.measure.group_measures import ROWS

COMPARED = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
FORM = re.compile(r"\s*(difference\s+)?(\w+)\s*(<=|>=|<|>)\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*")


class Gate(NamedTuple):
    """A condition under which a measurement fails, as does a value that is not there; `paired`: of a difference from the first."""

    text: str
    paired: bool
    measure: str
    sign: str
    limit: float


def find_gate(text: str) -> Gate:
    """`agreement < 0.9`, or `difference agreement < -0.02` from the first subject, as a condition; SteadyError where it is none."""
    found = FORM.fullmatch(text)
    if found is None:
        raise SteadyError(f"--fail-if {text!r}: expected a measure, one of < <= > >=, and a number: 'agreement < 0.9'.")
    paired, measure, sign, limit = found.groups()
    # a misspelt measure would never fail
    if measure not in ROWS:
        raise SteadyError(f"--fail-if {text!r}: there is no measure {measure!r}. There are: {', '.join(ROWS)}.")
    return Gate(text.strip(), bool(paired), measure, sign, float(limit))


def failures(gates: Sequence[Gate], found: Results) -> list[str]:
    """Why a measurement fails: a sentence for each condition that holds and each subject."""
    first, reasons = found.reports[0].name, []
    values: dict[str, float | None]
    for gate in gates:
        key = gate.measure
        # what the condition is about, in words, with its value: for each subject, or each difference from the first one
        if not gate.paired:
            known = {one.name: one.measures[key].value for one in found.reports if key in one.measures}
            values = {f"{key} of {one.name}": known.get(one.name) for one in found.reports}
        elif found.comparison is None:
            values = {f"the difference of {key}": None}
        else:
            moved = {one.subject: one.difference.value for one in found.comparison.differences if one.measure == key}
            values = {f"{key} of {one.name} less {first}": moved.get(one.name) for one in found.reports[1:]}
        for what, value in values.items():
            if value is None:
                reasons.append(f"failed: {what} has no value, and --fail-if {gate.text!r} wants one")
            elif COMPARED[gate.sign](value, gate.limit):
                reasons.append(f"failed: {what} is {value:.4g}: --fail-if {gate.text!r}")
    return reasons
