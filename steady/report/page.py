"""The page as one file: its parts in the order in which a reader asks, its style, and the few lines of script it needs."""

from collections.abc import Iterator
from importlib.resources import files

from steady.metrics.results import ClaimResult
from steady.report import examples, pictures, tables
from steady.report.findings import Findings
from steady.report.generated import generated_sections
from steady.report.markup import Markup, details, joined, shown, table, tag, text
from steady.report.matrix_browser import matrix_groups

TERMS = {
    "arm": "One way to make the model: without fine-tuning, or fine-tuned in some way (section arms of params.yaml). All arms "
    "answer the same prompts; the first is what the others are compared with.",
    "wording": "One way to put the same question: other spelling, layout, instruction, or politeness. The canonical wording "
    "is the plain one.",
    "agreement": "Of all pairs of wordings of one text, the share that gets the same answer. 1 is perfectly steady.",
    "POSIX": "How much the log-probability of an answer moves when the wording does, in nats a token (Chatterjee et al. "
    "2024). 0 is perfectly steady. It also moves with confidence alone, so it never stands by itself.",
    "L0, L1, L2": "L0: texts and wordings of the training. L1: new texts under new wordings of families that were trained "
    "on. L2: new texts under families never trained on; a claim of steadiness is a claim about L2.",
    "interval": "95 %, by drawing whole texts again and again (bootstrap); two arms are compared on the same draws. "
    "There is none for fewer than five texts.",
    "p (Holm)": "How often chance alone would show such a difference, corrected for the number of claims.",
    "could have seen": "The smallest effect that the test would have found in 4 of 5 repetitions.",
}

DOTS = (
    "A dot is one wording on the test texts, the line its 95 % interval. How far the dots of a family spread is how much the "
    "wording matters."
)


def sentence(found: Findings) -> str:
    """The answer in one sentence: how often each arm is right when the question is put in words that none was trained on.

    Where the answers are texts and none of them equals a reference, it gives the perplexity of the references instead.
    """
    # paraphrases are what people do; a run without them is told by all wordings that were held out
    cells = {arm.name: arm.sensitivity.levels.get("L1", {}).get("paraphrase") for arm in found.arms}
    paraphrased = all(cell is not None and cell.n_groups for cell in cells.values())
    shown = {arm.name: (paraphrased and cells[arm.name]) or arm.sensitivity.held_out for arm in found.arms}
    by_arm = {name: cell.measures["mean_accuracy"].value for name, cell in shown.items()}
    written = {arm.name: arm.evaluate.generated for arm in found.arms}
    if not found.arms[0].evaluate.labels and not any(by_arm.values()) and all(written.values()):
        # long answers are never a reference word by word
        what = "Perplexity of the reference answers of the test split"
        by_arm = {name: one.test["reference_perplexity"].value for name, one in written.items() if one}
    else:
        wordings = "paraphrases of the instruction" if paraphrased else "wordings"
        what = f"Accuracy under {wordings} that no arm was trained on"
    values = ", ".join(f"{name} {tables.number(value)}" for name, value in by_arm.items())
    # made before the test, in claims.yaml
    claims = found.comparison.claims
    supported = sum(claim.verdict == "supported" for claim in claims)
    return f"{what}: {values}. {supported} of the {len(claims)} claims made before the test are supported."


def _verdict(claim: ClaimResult) -> Markup:
    """A claim with its verdict in words, and the numbers that it rests on."""
    numbers = claim.reason
    if claim.difference is not None:
        numbers = (
            f"{claim.endpoint.replace('_', ' ').capitalize()}: {claim.against} {tables.number(claim.from_)} → {claim.arm} "
            f"{tables.number(claim.to)}; difference {tables.estimated(claim.difference, signed=True)}, p (Holm) "
            f"{tables.p_value(claim.p_holm)}; could have seen {tables.number(claim.smallest_detectable)}; n = {claim.n}"
        )
    kind = f"verdict {claim.verdict.replace(' ', '-')}"
    small = tag("small", numbers) if numbers else ""
    return tag("li", tag("strong", claim.verdict, class_=kind), " ", claim.statement, small)


def sections(found: Findings) -> Iterator[tuple[str, str, Markup]]:
    """Name, title and content of every section."""
    quality = {arm.name: arm.evaluate for arm in found.arms}
    sensitivity = {arm.name: arm.sensitivity for arm in found.arms}
    key = pictures.legend(found.arms)
    good = [key, pictures.quality_picture(found), shown(tables.quality_table(quality))]
    yield "quality", "How good are the arms?", joined(good)
    steady = [
        key,
        pictures.sensitivity_pictures(found),
        details("All numbers as a table", shown(tables.sensitivity_table(sensitivity))),
        tag("h3", "Accuracy under every single wording"),
        tag("p", DOTS),
        pictures.wording_pictures(found),
    ]
    yield "steadiness", "Does the answer move when only the wording moves?", joined(steady)
    # what moved comes before how it was run: a reader who stops early has seen the findings
    stuck = ", ".join(arm.name for arm in found.arms if arm.sensitivity.degeneracy.degenerate)
    useless = tag("p", f"{stuck} gives one answer to nearly everything: steady, and useless.", class_="warning")
    moved = [useless if stuck else "", shown(tables.steps_table(found.comparison))]
    yield "steps", "What did each step give?", joined(moved)
    yield "texts", "Texts whose answer changed with the wording", examples.changed_groups(found)
    if matrices := matrix_groups(found):
        yield "matrices", "How probable every answer is under every wording", matrices
    yield "won-and-lost", "Rows won and lost", examples.won_and_lost(found)
    yield from generated_sections(found)
    if several := tables.label_tables(quality):
        yield "labels", "Which labels are found, and which are missed?", joined(map(shown, several))
    elif found.arms[0].evaluate.labels:  # open answers have no classes to confuse
        yield "confusion", "Which labels are taken for which?", pictures.confusion_pictures(found)
    if curves := pictures.curve_pictures(found):
        yield "training", "How did the training go?", joined([key, curves])
    yield "prompts", "What the model sees", _prompts(found)
    yield "data", "The data", _data(found)
    yield "run", "How it was run", _run(found)
    terms = [part for name, meaning in TERMS.items() for part in (tag("dt", name), tag("dd", meaning))]
    yield "terms", "Words used here", tag("dl", *terms)


def _prompts(found: Findings) -> Markup:
    from markdown_it import MarkdownIt

    # raw HTML in the data stays text
    preview = Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(found.preview))
    counted = [
        [split, family, *(numbers[key] for key in ("prompts", "mean", "p95", "max", "truncated"))]
        for split, families in found.format.tokens.items()
        for family, numbers in families.items()
    ]
    header = ["split", "family", "prompts", "mean", "95 %", "longest", "cut"]
    lengths = table(f"Tokens of the prompts; they are cut at {found.format.max_length}", header, counted)
    kinds = ["trained", "held_out_L1", "held_out_L2", "drawn_L0", "drawn_L1_L2", "alike"]
    wordings = table(
        "Wordings by family (alike: left out, for the model reads them as it reads another one)",
        ["family", *(kind.replace("_", " ") for kind in kinds)],
        [[family, *(counts[kind] for kind in kinds)] for family, counts in found.format.wordings.items()],
    )
    examples = details("Two examples under some wordings of each family", tag("div", preview, class_="preview"))
    return joined([wordings, lengths, examples])


def _data(found: Findings) -> Markup:
    rows = found.data.rows
    counts = table("Rows of the sources", list(rows), [list(rows.values())])
    labels = found.data.labels or []
    by_split = [
        [name, split.rows, split.groups, *((split.labels or {}).get(label, 0) for label in labels)]
        for name, split in found.data.splits.items()
    ]
    splits = table("Rows by split and label", ["split", "rows", "groups", *labels], by_split)
    if not found.rejected:
        return joined([counts, splits, tag("p", "No row was rejected.")])
    rejects = [[f"{row.source}:{row.line}", row.code, row.reason, row.raw[:200]] for row in found.rejected[:100]]
    caption = f"{len(found.rejected)} rejected rows" + (", the first 100" if len(found.rejected) > 100 else "")
    return joined([counts, splits, table(caption, ["where", "code", "reason", "raw"], rejects)])


def _run(found: Findings) -> Markup:
    recorded, seconds = found.provenance, found.provenance.seconds
    lists = {name: ", ".join(map(str, value)) for name, value in recorded.facts.items() if isinstance(value, list)}
    parts = []
    if facts := list((recorded.facts | lists).items()):
        parts.append(table("Commit and machine, as recorded with the committed results", ["what", "is"], facts))
    if seconds:
        # stages that came from the cache have no seconds and are not listed
        total = sum(seconds.values())
        timed = [[stage, f"{value:.1f}", f"{value / total:.0%}"] for stage, value in seconds.items()]
        parts.append(table("Seconds by stage", ["stage", "seconds", "share"], [*timed, ["all", f"{total:.1f}", ""]]))
    # a package may have been absent, or not looked for
    pinned = [line.split("==") for line in found.versions]
    versions = [[name, version, recorded.packages.get(name) or ""] for name, version in pinned]
    parts.append(details("Parameters (params.yaml)", tag("pre", found.params)))
    parts.append(details("Versions", table("Direct dependencies", ["package", "pinned", "recorded"], versions)))
    return joined(parts)


def render_page(found: Findings) -> str:
    """HTML that needs nothing beside it; equal findings give equal bytes."""
    parts = list(sections(found))
    title = tag("h1", "Steady: is it better, and is it the same however it is asked?")
    verdicts = tag("ul", *map(_verdict, found.comparison.claims), class_="verdicts")
    header = tag("header", title, tag("p", sentence(found), class_="answer"), verdicts)
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in parts]
    contents = tag("nav", tag("ol", *links), aria_label="Contents")
    whole = [tag("section", tag("h2", title), content, id=name) for name, title, content in parts]
    body = joined([header, contents, tag("main", *whole)])
    return html_page("Steady: report", body, "quality")


def html_page(title: str, body: Markup, findings: str) -> str:
    """A page with style and script in it; `findings` is the id that keyboard users may skip to."""
    sheets = ("page.css", "matrices.css")
    style = "".join((files("steady.report") / sheet).read_text(encoding="utf-8") for sheet in sheets)
    script = (files("steady.report") / "page.js").read_text(encoding="utf-8")
    # the page shows what models wrote: nothing in it may fetch anything
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{text(title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#{findings}">Skip to the findings</a>
{body}
<div id="tip" role="tooltip" hidden></div>
<script>
{script}</script>
</body>
</html>
"""
