"""One line of a benchmark."""

from typing import NamedTuple


class Row(NamedTuple):
    """What was measured, the value with its unit, and the bar it is held against, None where there is none."""

    name: str
    value: float
    unit: str
    bar: float | None
