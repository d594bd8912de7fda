"""Conditions that make a measurement fail, for continuous integration: `agreement < 0.9`."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from steady.errors import SteadyError
from steady.measure.group_measures import ROWS
from steady.measure.results import Results

COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
FORM = re.compile(r"\s*(difference\s+)?(\w+)\s*(<=|>=|<|>)\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*")


class Gate(NamedTuple):
    """A condition under which a measurement fails; `paired`: it is one of a difference from the first subject."""

    text: str
    paired: bool
    measure: str
    sign: str
    limit: float

    def holds(self, value: float | None) -> bool:
        """Whether the measurement fails; a value that is not there fails too, for nothing was checked."""
        return value is None or COMPARED[self.sign](value, self.limit)


def find_gate(text: str) -> Gate:
    """A condition such as `agreement < 0.9`, or `difference agreement < -0.02` of a difference from the first subject.

    Raises:
        SteadyError: it is no such condition, or there is no such measure.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise SteadyError(f"--fail-if {text!r}: expected a measure, one of < <= > >=, and a number: 'agreement < 0.9'.")
    paired, measure, sign, limit = found.groups()
    if measure not in ROWS:
        raise SteadyError(f"--fail-if {text!r}: there is no measure {measure!r}. There are: {', '.join(ROWS)}.")
    return Gate(text.strip(), bool(paired), measure, sign, float(limit))


def failures(gates: Sequence[Gate], found: Results) -> list[str]:
    """Why a measurement fails: a sentence for each condition that holds and each subject."""
    return [reason for gate in gates for reason in (_paired(gate, found) if gate.paired else _plain(gate, found))]


def _plain(gate: Gate, found: Results) -> list[str]:
    values = {one.name: one.measures.get(gate.measure) for one in found.reports}
    return [
        _reason(gate, f"{gate.measure} of {name}", None if value is None else value.value)
        for name, value in values.items()
        if gate.holds(None if value is None else value.value)
    ]


def _paired(gate: Gate, found: Results) -> list[str]:
    if found.comparison is None:
        return [_reason(gate, f"the difference of {gate.measure}", None)]
    values = {(item.subject, item.measure): item.difference.value for item in found.comparison.differences}
    named = [(one.name, values.get((one.name, gate.measure))) for one in found.reports[1:]]
    return [
        _reason(gate, f"{gate.measure} of {name} less {found.reports[0].name}", value)
        for name, value in named
        if gate.holds(value)
    ]


def _reason(gate: Gate, what: str, value: float | None) -> str:
    if value is None:
        return f"failed: {what} has no value, and --fail-if {gate.text!r} wants one"
    return f"failed: {what} is {value:.4g}: --fail-if {gate.text!r}"
