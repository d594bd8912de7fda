"""The figures of the README, rendered from `metrics/`: text between `<!-- figures: NAME -->` and `<!-- end of figures -->`."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from steady.errors import SteadyError
from steady.metrics.cells import ALL
from steady.metrics.files import read_metrics
from steady.metrics.measures import HIGHER, QUALITY, SENSITIVITY, TEXT, headlines, in_tables, on_page
from steady.metrics.resampling import Estimate
from steady.metrics.results import Difference
from steady.metrics.seed_results import ClaimOverSeeds, FamilyOverSeeds, SeedEstimate, SeedEstimates, SeedsResults
from steady.report.tables import markdown_table

Results = TypeVar("Results")
# a block ends at its own mark: figures may hold comments
BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)
NOT_COMMITTED = "*Not among the committed results.*"
REFERENCE_NAMES = {"majority": "majority", "tfidf": "TF-IDF + logistic regression"}


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics/environment.json`: what may change the last digits of a result. Neither host name nor paths.

    `instructions` are those of the processor that kernels are chosen by, and with the kernel the last digits of a sum.
    """

    python: str
    packages: dict[str, str | None]
    system: str
    processor: str
    instructions: list[str]


class HeldOut(msgspec.Struct):
    """`metrics/leave-one-out.json`: family -> step -> measure -> difference on the family that training did not see."""

    held_out_family: dict[str, dict[str, dict[str, Difference]]]


def render(metrics: Path) -> dict[str, str]:
    """Every block of figures by name; SteadyError, with the command that makes it, where a needed file of the folder is missing."""
    seeds = _read(metrics / "seeds.json", SeedsResults, "make seeds")
    environment = _read(metrics / "environment.json", Environment, "python -m steady reproduced --record")
    rotated = metrics / "leave-one-out.json"
    return {
        "found": _found(seeds),
        "arms": _in_short(seeds),
        "all-arms": _arms(seeds),
        "steps": _steps(seeds),
        "claims": markdown_table(["claim", "difference", "verdict"], [_claim(seeds, claim) for claim in seeds.claims]),
        "families": families_text(seeds),
        "recipes": _recipes(metrics),
        "leave-one-out": _leave_one_out(read_metrics(rotated, HeldOut)) if rotated.is_file() else NOT_COMMITTED,
        "environment": _environment(environment),
        "measures": _measures(),
    }


def _read(path: Path, kind: type[Results], maker: str) -> Results:
    if not path.is_file():
        raise SteadyError(f"{path}: no such file, and the README's figures come from it. Make it: `{maker}`.")
    return read_metrics(path, kind)


def _recipes(metrics: Path) -> str:
    """The arms of every recipe that was run over several seeds, then where each step moved which family."""
    parts = []
    # whatever was committed; a recipe without a file is not mentioned
    for path in sorted(metrics.glob("seeds-*.json")):
        found = read_metrics(path, SeedsResults)
        texts = ""
        # answers without labels have no F1: what every arm wrote is shown against the references
        if found.generated and next(iter(found.arms.values()))["macro_f1"].value is None:
            shown = [row for row in in_tables(TEXT) if all(row.name in entries for entries in found.generated.values())]
            rows = [[arm, *(estimated(entries[row.name]) for row in shown)] for arm, entries in found.generated.items()]
            texts = markdown_table(["", *(row.label for row in shown)], rows) + "\n\n"
        # of each trained arm, means over seeds
        tokens = {arm: [one.tokens for one in records if one.tokens] for arm, records in found.training.items()}
        means = ", ".join(f"{arm} {sum(counts) / len(counts):,.0f}" for arm, counts in tokens.items() if counts)
        seen, count = f" Tokens shown in training: {means}." if means else "", len(found.seeds)
        parts.append(
            f"**`{path.stem.removeprefix('seeds-')}`**, {count} seed{'s' if count > 1 else ''}, {found.rows} test rows, "
            f"{found.trainable_percent or 0:.2f} % of the parameters trained.{seen}\n\n{_arms(found)}\n\n{texts}"
            f"{families_text(found)}"
        )
    return "\n\n".join(parts) or NOT_COMMITTED


def replace_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """The text with every block of figures rendered anew; SteadyError where the text names a block that there is not."""

    def fill(match: re.Match[str]) -> str:
        name = match[2]
        if name not in blocks:
            raise SteadyError(f"README.md: no figures called {name!r}. There are: {', '.join(blocks)}.")
        return f"{match[1]}{blocks[name]}\n{match[4]}"

    return BLOCK.sub(fill, text)


def _bounds(entry: Estimate | SeedEstimate) -> Sequence[float] | None:
    return entry.interval if isinstance(entry, Estimate) else entry.bounds


def estimated(entry: Estimate | SeedEstimate | None, sign: str = "") -> str:
    """A value with its interval: `0.931 [0.905, 0.955]`; with the sign `+`, a difference: `+0.031 [-0.005, +0.055]`."""
    if entry is None or entry.value is None:
        return "–"
    bounds = _bounds(entry)
    return f"{entry.value:{sign}.3f}" + (f" [{bounds[0]:{sign}.3f}, {bounds[1]:{sign}.3f}]" if bounds else "")


def with_spread(entry: SeedEstimate) -> str:
    """A value with its interval and the standard deviation over seeds."""
    return estimated(entry) + ("" if entry.std is None or entry.std != entry.std else f" ± {entry.std:.3f}")


def _percent(entry: Estimate | SeedEstimate) -> str:
    bounds = _bounds(entry)
    interval = f" (95 % interval {100 * bounds[0]:.1f} to {100 * bounds[1]:.1f})" if bounds else ""
    return f"{100 * (entry.value or 0):.1f} %{interval}"


def _unseen(seeds: SeedsResults) -> tuple[str, dict[str, SeedEstimates]]:
    """Paraphrases that no arm was trained on or, in a run without any, all such wordings: in words, and their measures by arm."""
    if cell := seeds.families.get("L1", {}).get("paraphrase"):
        return "paraphrases of the instruction that no arm was trained on", cell.arms
    return "wordings that no arm was trained on", seeds.arms


def _found(seeds: SeedsResults) -> str:
    wordings, arms = _unseen(seeds)
    # the arm that the run is about
    last = list(seeds.arms)[-1]
    trained = "" if seeds.trainable_percent is None else f" ({seeds.trainable_percent:.2f} % of the parameters trained)"
    reference = seeds.references.get("tfidf")

    def listed(entries: Mapping[str, SeedEstimates], measure: str) -> str:
        return ", ".join(f"`{name}` {_percent(found[measure])}" for name, found in entries.items())

    return (
        f"**Under {wordings}, the share of right answers is: {listed(arms, 'mean_accuracy')}.** "
        + (f"Means over {count} training seeds" if (count := len(seeds.seeds)) > 1 else "One training seed")
        + f", with 95 % intervals; `{last}` trains on many wordings{trained}.\n\n"
        f"**Better?** Of {seeds.rows} unseen test rows in the plain wording are right: {listed(seeds.arms, 'accuracy')}"
        + (f"; TF-IDF with logistic regression {_percent(reference['accuracy'])}" if reference else "")
        + ".\n\n**Steadier?** Of all pairs of wordings of one text have the same answer, "
        + (f"under those paraphrases: {listed(arms, 'agreement')}; " if arms is not seeds.arms else "")
        + f"under kinds of rewording that no arm was trained on: {listed(seeds.arms, 'agreement')}."
    )


def _in_short(seeds: SeedsResults) -> str:
    """What the front page has room for; docs/results.md has every measure and reference."""
    _, unseen = _unseen(seeds)
    rows = []
    for name, found in seeds.arms.items():
        paraphrased, worst = unseen[name]["mean_accuracy"], found["worst_wording_accuracy"]
        rows.append([name, *map(estimated, [found["accuracy"], paraphrased, worst, found["agreement"]])])
    return markdown_table(["", "accuracy", "unseen paraphrases", "worst wording", "agreement"], rows)


def families_text(found: SeedsResults) -> str:
    """What moved where, and the table by level, family and arm below it."""
    shown = in_tables(SENSITIVITY)
    rows = [
        [level, family, arm, *(estimated(measures[row.name]) for row in shown)]
        for level, family, cell in _cells(found)
        for arm, measures in cell.arms.items()
    ]
    table = markdown_table(["level", "family", "arm", *(row.label for row in shown)], rows)
    moved = "\n".join(f"* {name.replace('_to_', ' → ')}: {_moved(found, name)}" for name in found.steps)
    return f"{moved}\n\n<details><summary>by level and family</summary>\n\n{table}\n\n</details>"


def _cells(found: SeedsResults) -> Iterator[tuple[str, str, FamilyOverSeeds]]:
    for level, families in found.families.items():
        for family, cell in families.items():
            yield level, family, cell


def _moved(found: SeedsResults, step: str) -> str:
    """Where a step made a family better or worse: those whose interval leaves zero out, on unseen groups (L1, L2)."""
    unseen = [entry for entry in _cells(found) if entry[0] != "L0" and entry[1] != "all"]
    cells = [(f"{family} ({level})", cell) for level, family, cell in unseen]
    better: list[str] = []
    worse: list[str] = []
    for row in on_page(SENSITIVITY):
        # an undefined interval leaves nothing out
        bounds = [(place, cell.steps[step][row.name].bounds or (0.0, 0.0)) for place, cell in cells]
        above = ", ".join(place for place, (low, _) in bounds if low > 0)
        below = ", ".join(place for place, (low, high) in bounds if low <= 0 and high < 0)
        up, down = (better, worse) if row.better == HIGHER else (worse, better)
        up += [f"{row.label}: {above}"] if above else []
        down += [f"{row.label}: {below}"] if below else []
    nothing = "nothing that the intervals would bear out"
    return (
        f"better in {' · '.join(better) or nothing}; worse in {' · '.join(worse) or nothing}, "
        f"of {len(cells)} families on unseen groups."
    )


def _arms(seeds: SeedsResults) -> str:
    columns = headlines()
    rows = [[name, *(with_spread(found[row.name]) for row in columns)] for name, found in seeds.arms.items()]
    for name, reference in seeds.references.items():
        rows.append([REFERENCE_NAMES.get(name, name), *(estimated(reference.get(row.name)) for row in columns)])
    return markdown_table(["", *(row.label for row in columns)], rows)


def _steps(seeds: SeedsResults) -> str:
    rows = [
        [name.replace("_to_", " → "), *(estimated(found[row.name], "+") for row in headlines())]
        for name, found in seeds.steps.items()
    ]
    return markdown_table(["step", *(row.label for row in headlines())], rows)


def _claim(seeds: SeedsResults, claim: ClaimOverSeeds) -> list[str]:
    counts = Counter(claim.verdicts).most_common()
    several = len(claim.verdicts) > 1
    verdict = ", ".join(
        f"{name} ({count} of {len(claim.verdicts)} seeds)" if several else name for name, count in counts
    )
    step = f"{claim.against}_to_{claim.arm}"
    places = {
        row.endpoint(level if family == ALL else f"{level}_{family}"): cell.steps.get(step, {}).get(row.name)
        for level, family, cell in _cells(seeds)
        for row in SENSITIVITY
    }
    # held-out and the test split are no levels, so they are among the headlines alone
    places |= {row.endpoint(str(row.headline)): seeds.steps.get(step, {}).get(row.name) for row in headlines()}
    return [claim.statement, estimated(places.get(claim.endpoint), "+"), verdict]


def _leave_one_out(held_out: HeldOut) -> str:
    rows = [
        [family, name.replace("_to_", " → "), f"{entry.from_:.3f}", f"{entry.to:.3f}", estimated(entry.difference, "+")]
        for family, steps in held_out.held_out_family.items()
        for name, measures in steps.items()
        for entry in [measures["agreement"]]
    ]
    return markdown_table(["family never trained on", "step", "agreement before", "after", "difference"], rows)


def _measures() -> str:
    """Every measure with its formula, by kind: the tables of `docs/measures.md`."""
    tables = []
    for title, measures in (("Quality", QUALITY), ("Sensitivity", SENSITIVITY), ("Generated text", TEXT)):
        rows = []
        for row in measures:
            # a bar would end the cell, and an underscore or a star would be taken for Markdown
            formula = row.formula.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
            rest = [row.unit, row.better, row.test or "–", row.source or "–"]
            rows.append([f"{row.label} (`{row.name}`)", formula, *rest])
        table = markdown_table(["measure", "formula", "unit", "better", "test", "source"], rows)
        tables.append(f"## {title}\n\n{table}")
    return "\n\n".join(tables)


def _environment(environment: Environment) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items() if version)
    return (
        f"Python {environment.python} on {environment.system}, {environment.processor} "
        f"({', '.join(environment.instructions)}); {packages}."
    )
