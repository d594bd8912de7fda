"""Vega-Lite specifications, and static SVG of them: no script in the page, the same bytes for the same data."""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
VEGA_LITE = "5.20"
ARM_COLOURS = ("var(--arm-1)", "var(--arm-2)", "var(--arm-3)", "var(--arm-4)", "var(--arm-5)", "var(--arm-6)")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
WIDTH = 230
CONFIG = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--ink)",
        "gridColor": "var(--line)",
        "domainColor": "var(--soft)",
        "tickColor": "var(--soft)",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
}


def draw(spec: Spec) -> str:
    """The SVG of a specification; colours are the page's CSS variables, so that it follows light and dark."""
    import vl_convert

    whole = {**spec, "config": CONFIG}
    svg = str(vl_convert.vegalite_to_svg(whole, vl_version=VEGA_LITE, allowed_base_urls=[]))
    return svg.replace("<svg ", '<svg role="group" ', 1)


def _colour(arms: Sequence[str]) -> Spec:
    return {"field": "arm", "scale": {"domain": list(arms), "range": list(ARM_COLOURS[: len(arms)])}, "legend": None}


def _shape(arms: Sequence[str]) -> Spec:
    return {"field": "arm", "scale": {"domain": list(arms), "range": list(SHAPES[: len(arms)])}, "legend": None}


def _described(words: str) -> Spec:
    return {"field": words, "type": "nominal"}


def intervals(rows: Sequence[Mapping[str, Any]], arms: Sequence[str], title: str, domain: Sequence[float]) -> Spec:
    """A point with its interval for every arm in every row, the points of a row joined: the same prompts, asked of each arm.

    Args:
        rows: `place` (the row), `arm`, `value`, `low`, `high`, `words` (what a screen reader says).
        title: of the x axis.
        domain: of the x axis.
    """
    places = list(dict.fromkeys(row["place"] for row in rows))
    across = {
        "type": "quantitative",
        "scale": {"domain": list(domain), "nice": False},
        "axis": {"title": title, "tickCount": 5},
    }
    shared: Spec = {
        "y": {
            "field": "place",
            "type": "nominal",
            "sort": places,
            "axis": {"title": None, "domain": False, "ticks": False},
        },
        "yOffset": {"field": "arm", "type": "nominal", "sort": list(arms)},
        "color": _colour(arms),
        "description": _described("words"),
    }
    line = {"x": {"field": "low", **across}, "x2": {"field": "high"}}
    point = {"x": {"field": "value", **across}, "shape": _shape(arms)}
    joint = {
        "x": point["x"],
        "detail": {"field": "place"},
        "order": {"field": "rank"},
        "color": {"value": "var(--soft)"},
    }
    ranks = {name: rank for rank, name in enumerate(arms)}
    return {
        "width": WIDTH,
        "height": {"step": 15},
        "data": {"values": [{**row, "rank": ranks[row["arm"]]} for row in rows]},
        "encoding": shared,
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.7, "aria": False}, "encoding": joint},
            {"mark": {"type": "rule", "strokeWidth": 2.5, "aria": False}, "encoding": line},
            {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 55}, "encoding": point},
        ],
    }


def dots(rows: Sequence[Mapping[str, Any]], arm: int, domain: Sequence[float]) -> Spec:
    """A dot for every wording with its interval behind it; `arm` is the arm's place, for its colour and shape.

    Args:
        rows: `family`, `value`, `low`, `high`, `lane` (0 to 1, spreads the dots of a family), `words`.
    """
    families = list(dict.fromkeys(row["family"] for row in rows))
    across = {
        "type": "quantitative",
        "scale": {"domain": list(domain), "nice": False},
        "axis": {"title": "accuracy", "tickCount": 5},
    }
    shared: Spec = {
        "y": {
            "field": "family",
            "type": "nominal",
            "sort": families,
            "axis": {"title": None, "domain": False, "ticks": False},
        },
        "yOffset": {"field": "lane", "type": "quantitative", "scale": {"domain": [-0.2, 1.2]}},
        "description": _described("words"),
    }
    rule = {"type": "rule", "strokeWidth": 1.2, "opacity": 0.35, "color": ARM_COLOURS[arm], "aria": False}
    point = {
        "type": "point",
        "filled": True,
        "opacity": 0.8,
        "size": 32,
        "shape": SHAPES[arm],
        "color": ARM_COLOURS[arm],
    }
    return {
        "width": WIDTH,
        "height": {"step": 56},
        "data": {"values": list(rows)},
        "encoding": shared,
        "layer": [
            {"mark": rule, "encoding": {"x": {"field": "low", **across}, "x2": {"field": "high"}}},
            {"mark": point, "encoding": {"x": {"field": "value", **across}}},
        ],
    }


def matrix(rows: Sequence[Mapping[str, Any]], labels: Sequence[str], columns: Sequence[str]) -> Spec:
    """A confusion matrix: counts in cells, shaded by their share of the row.

    Args:
        rows: `actual`, `predicted`, `count`, `share`, `words`.
    """
    axis = {"title": None, "domain": False, "ticks": False}
    shade = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": [0.03, 0.85]},
        "legend": None,
    }
    return {
        "width": {"step": 42},
        "height": {"step": 30},
        "data": {"values": list(rows)},
        "encoding": {
            "x": {
                "field": "predicted",
                "type": "nominal",
                "sort": list(columns),
                "axis": {**axis, "labelAngle": -35, "title": "predicted"},
            },
            "y": {"field": "actual", "type": "nominal", "sort": list(labels), "axis": {**axis, "title": "actual"}},
            "description": _described("words"),
        },
        "layer": [
            {"mark": {"type": "rect", "color": "var(--arm-1)"}, "encoding": {"fillOpacity": shade}},
            {
                "mark": {"type": "text", "fontSize": 12, "aria": False, "color": "var(--ink)"},
                "encoding": {"text": {"field": "count", "type": "quantitative"}},
            },
        ],
    }


def curves(rows: Sequence[Mapping[str, Any]], arms: Sequence[str], title: str) -> Spec:
    """Lines over optimizer steps.

    Args:
        rows: `step`, `value`, `arm`, `words`.
    """
    dashes = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3]]
    return {
        "width": WIDTH,
        "height": 150,
        "data": {"values": list(rows)},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "axis": {"title": "optimizer step", "tickCount": 5}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "scale": {"zero": False},
                "axis": {"title": title, "tickCount": 5},
            },
            "color": _colour(arms),
        },
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 2, "aria": False},
                "encoding": {
                    "strokeDash": {
                        "field": "arm",
                        "scale": {"domain": list(arms), "range": dashes[: len(arms)]},
                        "legend": None,
                    }
                },
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 14},
                "encoding": {"shape": _shape(arms), "description": _described("words")},
            },
        ],
    }


def legend(arms: Sequence[str]) -> Spec:
    """Which colour and shape is which arm."""
    across = {"field": "place", "type": "quantitative", "scale": {"domain": [-0.1, len(arms)]}, "axis": None}
    return {
        "width": 20 + 110 * len(arms),
        "height": 16,
        "data": {"values": [{"arm": name, "place": place} for place, name in enumerate(arms)]},
        "encoding": {"x": across, "y": {"value": 8}},
        "layer": [
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 70, "aria": False},
                "encoding": {"color": _colour(arms), "shape": _shape(arms)},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 9, "fontSize": 13, "color": "var(--ink)"},
                "encoding": {"text": {"field": "arm"}},
            },
        ],
    }
