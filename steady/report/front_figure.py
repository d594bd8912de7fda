"""The figure of the README: the arms under wordings that none was trained on, as SVG for a light and for a dark page."""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from steady.metrics.cells import ALL
from steady.metrics.files import read_metrics
from steady.metrics.seed_results import SeedEstimates, SeedsResults
from steady.report import charts
from steady.report.charts import Row

WIDTH = 300  # small, so that its letters can still be read where a phone shrinks it
PANELS = (("mean_accuracy", "share of right answers"), ("agreement", "share of pairs of wordings with the same answer"))
GROUPS = (("L1", "paraphrase", "unseen paraphrases"), ("L2", ALL, "unseen kinds of rewording"))


def front_figures(metrics: Path) -> dict[str, str]:
    """The figure by file name, from `seeds.json` in the folder; the same results give the same bytes, whatever the fonts.

    GitHub shows an SVG as an image that knows no theme: there are two files, with the colours of the report's page in them.
    """
    seeds = read_metrics(metrics / "seeds.json", SeedsResults)
    names = list(seeds.arms)
    panels = [
        {**charts.intervals(list(_rows(seeds, measure)), names, title, (0.0, 1.0)), "width": WIDTH}
        for measure, title in PANELS
    ]
    drawn = charts.draw({"vconcat": [charts.legend(names), *panels], "spacing": 14, "padding": 4})
    style = files("steady.report").joinpath("page.css").read_text(encoding="utf-8")
    # the colours of the report's page, light and dark
    light, dark = (
        dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    )
    return {"arms-light.svg": _coloured(drawn, light), "arms-dark.svg": _coloured(drawn, dark)}


def _rows(seeds: SeedsResults, measure: str) -> Iterator[Row]:
    places: list[tuple[str, Mapping[str, SeedEstimates], str]] = []
    if measure == "mean_accuracy":
        # under one wording alone there is nothing to agree with
        places.append(("the plain wording", seeds.arms, "accuracy"))
    for level, family, words in GROUPS:
        if cell := seeds.families.get(level, {}).get(family):
            places.append((words, cell.arms, measure))
    for place, arms, name in places:
        for arm, found in arms.items():
            value, bounds = found[name].value, found[name].bounds
            if value is not None:
                low, high = bounds or (value, value)
                yield charts.point(place, arm, value, bounds, f"{place}, {arm}: {value:.3f} [{low:.3f}, {high:.3f}]")


def _coloured(svg: str, palette: Mapping[str, str]) -> str:
    return re.sub(r"var\((--[a-z0-9-]+)\)", lambda match: palette[match[1]], svg) + "\n"
