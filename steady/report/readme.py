"""The figures of the README, rendered from `metrics/`: text between `<!-- figures: NAME -->` and `<!-- end of figures -->`."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.report.readme_families import family_rows, in_words, text_rows, tokens_told

Metrics = Mapping[str, Any]
BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)
COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "mean_accuracy": "accuracy, held-out wordings",
    "worst_wording_accuracy": "worst wording",
    "agreement": "agreement",
    "posix": "POSIX",
    "posix_scaled": "POSIX, scaled",
}
ENDPOINT_OF_CLAIM = {"accuracy": "accuracy", "held_out_accuracy": "mean_accuracy", "l2_agreement": "agreement"}
NOT_COMMITTED = "*Not among the committed results.*"
REFERENCE_NAMES = {"majority": "majority", "tfidf": "TF-IDF + logistic regression"}


def render(metrics: Path) -> dict[str, str]:
    """Every block of figures by name.

    Args:
        metrics: the folder; it needs `seeds.json` and `environment.json`, and says so where `leave-one-out.json` is not there.

    Raises:
        SteadyError: one of the files is missing; the message says which command makes it.
    """
    seeds = _read(metrics / "seeds.json", "make seeds")
    rotated = metrics / "leave-one-out.json"
    environment = _read(metrics / "environment.json", "python -m steady reproduced --record")
    return {
        "found": _found(seeds),
        "arms": _arms(seeds),
        "steps": _steps(seeds),
        "claims": _claims(seeds),
        "families": _families(seeds),
        "recipes": _recipes(metrics),
        "leave-one-out": _leave_one_out(_read(rotated, "")) if rotated.is_file() else NOT_COMMITTED,
        "environment": _environment(environment),
    }


def _families(found: Metrics) -> str:
    table = markdown_table(*family_rows(found, estimated))
    return f"{in_words(found)}\n\n<details><summary>by level and family</summary>\n\n{table}\n\n</details>"


def _recipes(metrics: Path) -> str:
    """The arms of every recipe that was run over several seeds, then where each step moved which family."""
    told = []
    for path in sorted(metrics.glob("seeds-*.json")):
        found = _read(path, "")
        name = path.stem.removeprefix("seeds-")
        share, count = found["trainable_percent"], len(found["seeds"])
        seeds = "1 seed" if count == 1 else f"{count} seeds"
        is_open = found.get("generated") and next(iter(found["arms"].values()))["macro_f1"]["value"] is None
        texts = f"{markdown_table(*text_rows(found, estimated))}\n\n" if is_open else ""
        told.append(
            f"**`{name}`**, {seeds}, {found['rows']} test rows, {share:.2f} % of the parameters trained."
            f"{tokens_told(found)}\n\n{_arms(found)}\n\n{texts}{_families(found)}"
        )
    return "\n\n".join(told) or NOT_COMMITTED


def replace_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """The text with every block of figures rendered anew.

    Raises:
        SteadyError: the text names a block that there is not.
    """

    def fill(match: re.Match[str]) -> str:
        name = match[2]
        if name not in blocks:
            raise SteadyError(f"README.md: no figures called {name!r}. There are: {', '.join(blocks)}.")
        return f"{match[1]}{blocks[name]}\n{match[4]}"

    return BLOCK.sub(fill, text)


def without_blocks(text: str) -> str:
    """The text without its blocks of figures."""
    return BLOCK.sub("", text)


def _read(path: Path, maker: str) -> Metrics:
    if not path.is_file():
        raise SteadyError(f"{path}: no such file, and the README's figures come from it. Make it: `{maker}`.")
    values: Metrics = json.loads(path.read_text(encoding="utf-8"))
    return values


def estimated(entry: Metrics) -> str:
    """A value with its interval: `0.931 [0.905, 0.955]`."""
    interval = entry.get("interval")
    if entry["value"] is None:
        return "–"
    return f"{entry['value']:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _percent(entry: Metrics) -> str:
    low, high = entry["interval"]
    return f"{100 * entry['value']:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})"


def _found(seeds: Metrics) -> str:
    arms = seeds["arms"]
    names = list(arms)
    first, last, middle = arms[names[0]], arms[names[-1]], names[1:-1]
    tfidf = seeds["references"].get("tfidf")
    beside = f", and TF-IDF with logistic regression {_percent(tfidf['accuracy'])}" if tfidf else ""
    control = "".join(f"; LoRA on one wording in {_percent(arms[name]['agreement'])}" for name in middle)
    return (
        f"**Better?** Over {len(seeds['seeds'])} training seeds, LoRA trained on many wordings "
        f"({seeds['trainable_percent']:.2f} % of the parameters) labels {_percent(last['accuracy'])} of {seeds['rows']} "
        f"unseen tickets correctly; a linear probe on the same frozen encoder labels {_percent(first['accuracy'])}{beside}.\n\n"
        f"**Steadier?** When only the wording moves, in ways that no arm was trained on, it repeats its answer in "
        f"{_percent(last['agreement'])} of pairs{control}; the probe in {_percent(first['agreement'])}."
    )


def _arms(seeds: Metrics) -> str:
    rows = [[name, *(_with_spread(found[key]) for key in COLUMNS)] for name, found in seeds["arms"].items()]
    for name, found in seeds["references"].items():
        shown = [estimated(found[key]) if key in found else "–" for key in COLUMNS]
        rows.append([REFERENCE_NAMES.get(name, name), *shown])
    return markdown_table(["", *COLUMNS.values()], rows)


def _with_spread(entry: Metrics) -> str:
    spread = entry.get("std")
    return estimated(entry) + (f" ± {spread:.3f}" if spread is not None else "")


def _steps(seeds: Metrics) -> str:
    rows = [
        [name.replace("_to_", " → "), *(_signed(found[key]) for key in COLUMNS)]
        for name, found in seeds["steps"].items()
    ]
    return markdown_table(["step", *COLUMNS.values()], rows)


def _signed(entry: Metrics) -> str:
    low, high = entry["interval"]
    return f"{entry['value']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _claims(seeds: Metrics) -> str:
    rows = []
    for claim in seeds["claims"]:
        told = Counter(claim["verdicts"])
        verdict = ", ".join(f"{name} ({count} of {len(claim['verdicts'])} seeds)" for name, count in told.most_common())
        step = seeds["steps"].get(f"{claim['against']}_to_{claim['arm']}", {})
        entry = step.get(ENDPOINT_OF_CLAIM.get(claim["endpoint"], ""))
        rows.append([claim["statement"], _signed(entry) if entry else "–", verdict])
    return markdown_table(["claim", "difference", "verdict"], rows)


def _leave_one_out(held_out: Metrics) -> str:
    rows = [
        [
            family,
            name.replace("_to_", " → "),
            f"{entry['from']:.3f}",
            f"{entry['to']:.3f}",
            _signed(entry["difference"]),
        ]
        for family, steps in held_out["held_out_family"].items()
        for name, measures in steps.items()
        for entry in [measures["agreement"]]
    ]
    return markdown_table(["family never trained on", "step", "agreement before", "after", "difference"], rows)


def _environment(environment: Metrics) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items() if version)
    return (
        f"Python {environment['python']} on {environment['system']}, {environment['processor']} "
        f"({', '.join(environment['instructions'])}); {packages}."
    )
