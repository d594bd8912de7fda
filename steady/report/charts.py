"""Vega-Lite specifications, and static SVG of them: no script in the page, the same bytes for the same data."""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
# One datum of a chart; each function says which keys it needs
Row = Mapping[str, Any]
ARM_COLOURS = ("var(--arm-1)", "var(--arm-2)", "var(--arm-3)", "var(--arm-4)", "var(--arm-5)", "var(--arm-6)")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
WIDTH = 340
NO_AXIS = {"title": None, "domain": False, "ticks": False}
WORDS = {"field": "words", "type": "nominal"}
CONFIG = {
    "background": None,  # the page has its own, light or dark
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--ink)",
        "gridColor": "var(--line)",
        "domainColor": "var(--soft)",
        "tickColor": "var(--soft)",
        "labelFontSize": 12,
        "labelPadding": 6,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
}


def draw(spec: Spec) -> str:
    """The SVG of a specification; colours are the page's CSS variables, so that it follows light and dark."""
    import vl_convert

    # no network: a specification that named a URL would fail here
    svg = str(vl_convert.vegalite_to_svg({**spec, "config": CONFIG}, vl_version="5.20", allowed_base_urls=[]))
    # `role="img"` would hide the labels of single marks from screen readers
    return svg.replace("<svg ", '<svg role="group" ', 1)


def _by_arm(arms: Sequence[str], values: Sequence[Any]) -> Spec:
    """A value for each arm, without a legend: the page has one for all pictures; of more than six arms values repeat."""
    chosen = [values[place % len(values)] for place in range(len(arms))]
    return {"field": "arm", "scale": {"domain": list(arms), "range": chosen}, "legend": None}


def _axis(title: str, **scale: object) -> Spec:
    """An axis of numbers; five ticks, for the charts are small."""
    return {"type": "quantitative", "scale": scale, "axis": {"title": title, "tickCount": 5}}


def _down(field: str, order: Sequence[str], **axis: object) -> Spec:
    return {"field": field, "type": "nominal", "sort": list(order), "axis": {**NO_AXIS, **axis}}


def _layer(encoding: Spec, kind: str, **mark: object) -> Spec:
    return {"mark": {"type": kind, **mark}, "encoding": encoding}


def _chart(rows: Sequence[Row], height: Any, encoding: Spec, *layers: Spec, width: Any = WIDTH) -> Spec:
    return {
        "width": width,
        "height": height,
        "data": {"values": list(rows)},
        "encoding": encoding,
        "layer": list(layers),
    }


def point(place: str, arm: str, value: float, bounds: Sequence[float] | None, words: str) -> Row:
    """A row of `intervals`; without an interval the mark has no bar."""
    low, high = bounds or (value, value)
    return {"place": place, "arm": arm, "value": value, "low": low, "high": high, "words": words}


def intervals(rows: Sequence[Row], arms: Sequence[str], title: str, domain: Sequence[float]) -> Spec:
    """A point with its interval for every arm in every row, the points of a row joined: the arms answered the same prompts.

    Rows have `place` (the row), `arm`, `value`, `low`, `high`, `words` (what a screen reader says); title and domain are the x axis's.
    """
    # lines join the arms in their order, not by their values
    ranks = {name: rank for rank, name in enumerate(arms)}
    # the whole domain and no more, so that the charts of several arms have one axis
    across = _axis(title, domain=list(domain), nice=False)
    value = {"field": "value", **across}
    joint = {"x": value, "detail": {"field": "place"}, "order": {"field": "rank"}, "color": {"value": "var(--soft)"}}
    shared = {
        "y": _down("place", list(dict.fromkeys(row["place"] for row in rows))),
        "yOffset": {"field": "arm", "type": "nominal", "sort": list(arms)},
        "color": _by_arm(arms, ARM_COLOURS),
        "description": WORDS,
    }
    return _chart(
        [{**row, "rank": ranks[row["arm"]]} for row in rows],
        {"step": 15},
        shared,
        _layer(joint, "line", strokeWidth=1, opacity=0.7, aria=False),
        _layer({"x": {"field": "low", **across}, "x2": {"field": "high"}}, "rule", strokeWidth=2.5, aria=False),
        _layer({"x": value, "shape": _by_arm(arms, SHAPES)}, "point", filled=True, opacity=1, size=55),
    )


def dots(rows: Sequence[Row], arm: int, domain: Sequence[float]) -> Spec:
    """A dot and interval for every wording: rows of `family`, `value`, `low`, `high`, `lane` (0 to 1, within the family), `words`."""
    across = _axis("accuracy", domain=list(domain), nice=False)
    look, shape = ARM_COLOURS[arm % len(ARM_COLOURS)], SHAPES[arm % len(SHAPES)]
    shared = {
        "y": _down("family", list(dict.fromkeys(row["family"] for row in rows))),
        "yOffset": {"field": "lane", "type": "quantitative", "scale": {"domain": [-0.2, 1.2]}},
        "description": WORDS,
    }
    ends = {"x": {"field": "low", **across}, "x2": {"field": "high"}}
    value = {"x": {"field": "value", **across}}
    return _chart(
        rows,
        {"step": 56},
        shared,
        _layer(ends, "rule", strokeWidth=1.2, opacity=0.35, color=look, aria=False),
        _layer(value, "point", filled=True, opacity=0.8, size=32, shape=shape, color=look),
    )


def matrix(rows: Sequence[Row], labels: Sequence[str], columns: Sequence[str]) -> Spec:
    """A confusion matrix: counts in cells, shaded by their share of the row; a row has these and `actual`, `predicted`, `words`."""
    scale = {"domain": [0, 1], "range": [0.03, 0.85]}  # never quite transparent, so that every cell is seen
    shade = {"field": "share", "type": "quantitative", "scale": scale, "legend": None}
    count = {"text": {"field": "count", "type": "quantitative"}}
    shared = {
        "x": _down("predicted", columns, labelAngle=-35, title="predicted"),
        "y": _down("actual", labels, title="actual"),
        "description": WORDS,
    }
    cells = _layer({"fillOpacity": shade}, "rect", color="var(--arm-1)")
    numbers = _layer(count, "text", fontSize=12, aria=False, color="var(--ink)")
    return _chart(rows, {"step": 30}, shared, cells, numbers, width={"step": 42})


def curves(rows: Sequence[Row], arms: Sequence[str], title: str) -> Spec:
    """Lines over optimizer steps; a row has `step`, `value`, `arm` and `words`."""
    step, value = {"field": "step", **_axis("optimizer step")}, {"field": "value", **_axis(title, zero=False)}
    points = {"shape": _by_arm(arms, SHAPES), "description": WORDS}
    dashes = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3])
    return _chart(
        rows,
        150,
        {"x": step, "y": value, "color": _by_arm(arms, ARM_COLOURS)},
        _layer({"strokeDash": _by_arm(arms, dashes)}, "line", strokeWidth=2, aria=False),
        _layer(points, "point", filled=True, opacity=1, size=14),
    )


def legend(arms: Sequence[str]) -> Spec:
    """Which colour and shape is which arm."""
    across = {"field": "place", "type": "quantitative", "scale": {"domain": [-0.1, len(arms)]}, "axis": None}
    look = {"color": _by_arm(arms, ARM_COLOURS), "shape": _by_arm(arms, SHAPES)}
    return _chart(
        [{"arm": name, "place": place} for place, name in enumerate(arms)],
        16,
        {"x": across, "y": {"value": 8}},
        _layer(look, "point", filled=True, opacity=1, size=70, aria=False),
        _layer({"text": {"field": "arm"}}, "text", align="left", dx=9, fontSize=13, color="var(--ink)"),
        width=20 + 110 * len(arms),
    )
