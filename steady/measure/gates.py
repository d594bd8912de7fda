"""Conditions that make a measurement fail, for continuous integration: `agreement < 0.9`."""

import operator
import re
from collections.abc import Iterator, Sequence
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
    reasons = []
    for gate in gates:
        for what, value in _values(gate, found):
            if value is None:
                reasons.append(f"failed: {what} has no value, and --fail-if {gate.text!r} wants one")
            elif COMPARED[gate.sign](value, gate.limit):
                reasons.append(f"failed: {what} is {value:.4g}: --fail-if {gate.text!r}")
    return reasons


def _values(gate: Gate, found: Results) -> Iterator[tuple[str, float | None]]:
    """What a condition is about, in words, with its value: for each subject, or each difference from the first one."""
    if not gate.paired:
        for one in found.reports:
            estimate = one.measures.get(gate.measure)
            yield f"{gate.measure} of {one.name}", None if estimate is None else estimate.value
    elif found.comparison is None:
        yield f"the difference of {gate.measure}", None
    else:
        values = {(item.subject, item.measure): item.difference.value for item in found.comparison.differences}
        for one in found.reports[1:]:
            yield f"{gate.measure} of {one.name} less {found.reports[0].name}", values.get((one.name, gate.measure))
