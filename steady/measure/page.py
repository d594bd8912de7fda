"""The page of a measurement: what was found, and every group with its prompts and answers side by side, worst first."""

from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from string import ascii_uppercase

from steady.measure.comparing import Result, Results, SubjectDifference
from steady.measure.group_measures import GroupSummary, from_worst
from steady.measure.texts import about, difference_text, number, remarks, side_by_side, verdict
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction
from steady.report.markup import Markup, details, joined, table, tag
from steady.report.matrices import EXPLAINED, Row, matrix_table

GROUPS_SHOWN = 60
PROMPTS_SHOWN = 40
LONGEST_TEXT = 1200  # characters of a prompt or an answer
COLOURS = 6
LETTERS = (
    "Sorted by ψ, and by agreement where there are no log-probabilities. Answers with one letter were read as the same; ✓ and ✗ "
    "compare with the output, and a dash is an answer of which nothing could be read."
)


def page(found: Results) -> str:
    """A page that stands alone: no script, no request. Everything that comes from models and files is text on it."""
    title = f"Prompt sensitivity of {' and '.join(report.name for report in found.reports)}"
    sheets = ("measure/page.css", "report/matrices.css")
    style = "".join((files("steady") / sheet).read_text(encoding="utf-8") for sheet in sheets)
    has_matrices = any(group.matrix.size for report in found.reports for group in report.judged.groups)
    abouts: list[Markup] = []
    for report in found.reports:
        facts = [(name, value) for name, value in report.facts.items() if value not in (None, "", [])]
        abouts.append(tag("p", tag("b", report.name), ": ", about(report)))
        abouts += [tag("p", note, class_="warning") for note in remarks(report)]
        abouts.append(details("what its answers depend on", table("Facts", ["fact", "value"], facts)))
    body = joined(
        [
            tag("h1", title),
            *abouts,
            _measures(found),
            tag("p", "Intervals resample groups. Values of subjects that were asked differently do not compare."),
            tag("h2", "Groups, from worst to best"),
            tag("p", LETTERS),
            tag("p", f"Log-probabilities: {EXPLAINED}") if has_matrices else "",
            *_groups(found),
        ]
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{tag("title", title)}'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body>{body}</body></html>\n'
    )


def _measures(found: Results) -> Markup:
    """A row for each measure: the value of every subject, and the differences from the first one."""
    head, measures = side_by_side(found)
    caption, alpha = "Measures, with their intervals", 0.0
    if found.comparison:
        caption += f"; differences are paired, on {found.comparison.groups} groups of the same prompts; p after Holm"
        alpha = found.comparison.alpha

    def difference(item: SubjectDifference | None) -> Markup:
        word = "" if item is None else verdict(item, alpha)
        text = "–" if item is None else ": ".join(filter(None, [difference_text(item), word]))
        return tag("span", text, class_=word if word in ("better", "worse") else None)

    rows = [[*cells, *map(difference, moved)] for cells, moved in measures]
    return tag("div", table(caption, head, rows), class_="numbers")


def _groups(found: Results) -> list[Markup]:
    """The groups of the first subject, those first where some subject is worst."""
    by_group = [{item.id: item for item in report.measured.by_group} for report in found.reports]
    scored = [{group.id: group for group in report.judged.groups} for report in found.reports]
    # by whichever subject is worst, so that no trouble hides behind a good first one
    worst = {name: min(from_worst(one[name]) for one in by_group if name in one) for name in by_group[0]}
    # one order for all subjects, so that the page reads row by row
    order = sorted(worst, key=lambda name: worst[name])
    shown: list[Markup] = []
    for name in order[:GROUPS_SHOWN]:
        parts = zip(found.reports, by_group, scored, strict=True)
        # a subject that could not be asked this group has no column
        asked = [(report, one[name], of[name]) for report, one, of in parts if name in one]
        # the worst one is open, so that a reader sees what a group holds
        shown.append(_group(name, asked, open_=not shown))
    left = len(order) - len(shown)
    return [*shown, tag("p", f"{left} steadier groups are in measures.json.")] if left else shown


Answered = tuple[Result, GroupSummary, ScoredGroup]


def _group(name: str, subjects: Sequence[Answered], open_: bool) -> Markup:
    heads = [_head(item, report.name if len(subjects) > 1 else "") for report, item, _ in subjects]
    paired = [(report.name, group) for report, _, group in subjects if group.matrix.size]
    parts = [_answers(name, subjects)]
    if paired:
        # the prompts stand above already, so rows have numbers alone
        rows = [Row(joined([place]), joined([""])) for place in range(1, len(paired[0][1].predictions) + 1)]
        parts.append(details("log-probabilities", matrix_table(f"Log-probabilities of group {name}", rows, paired)))
    return details(f"{name} · {' · '.join(heads)}", *parts, open_=open_)


def _head(item: GroupSummary, name: str) -> str:
    parts = [f"agreement {number(item.agreement, 2)}"]
    parts += [f"ψ {number(item.psi)}"] * (item.psi is not None)
    parts += [f"accuracy {number(item.accuracy, 2)}"] * (item.accuracy is not None)
    parts += [f"nothing read of {item.unread}"] * bool(item.unread)
    parts += [f"no POSIX: {item.fault}"] * bool(item.fault)
    parts.append(f"{item.unique_responses} different responses to {item.prompts} prompts")
    return f"{name} {', '.join(parts)}".strip()


def _answers(name: str, subjects: Sequence[Answered]) -> Markup:
    """A row for each prompt, with the answer of every subject beside it."""
    report, _, group = subjects[0]
    readings = Counter(item.parsed for _, _, one in subjects for item in one.predictions if item.parsed is not None)
    # letters by frequency over all subjects: A is what most answers say
    places = {reading: place for place, (reading, _) in enumerate(readings.most_common())}
    answers = [{item.prompt_id: item for item in one.predictions} for _, _, one in subjects]
    rows = []
    for place, item in enumerate(group.predictions[:PROMPTS_SHOWN], start=1):
        prompt = report.judged.prompts[item.prompt_id]
        target = [tag("small", f"\noutput: {' | '.join(prompt.outputs)}")] if prompt.outputs else []
        given = [_answer(found.get(item.prompt_id), places) for found in answers]
        head = f"{place} {prompt.wording}".strip()
        rows.append([head, tag("pre", _cut(prompt.prompt), *target), *given])
    header = ["", "prompt", *(one.name for one, _, _ in subjects)]
    # a page with thousands of rows opens slowly
    left = len(group.predictions) - PROMPTS_SHOWN
    more = [tag("p", f"{left} more prompts are in predictions.jsonl.")] if left > 0 else []
    return tag("div", table(f"Answers of group {name}", header, rows), *more, class_="answers")


def _answer(item: Prediction | None, places: dict[str, int]) -> Markup:
    if item is None:
        return tag("span", "not asked")
    mark = {True: " ✓", False: " ✗", None: ""}[item.correct] if item.parsed is not None else ""
    place = None if item.parsed is None else places[item.parsed]
    letter = "–" if place is None else ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)
    colour = f"kind k{place}" if place is not None and place < COLOURS else "kind"
    return tag("pre", tag("span", f"{letter}{mark}", class_=colour), _cut(item.text) or "(empty)")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… [{len(text)} characters]"
