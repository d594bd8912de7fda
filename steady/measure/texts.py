"""What a measurement found, in text: a table for the terminal, one line, Markdown for a pull request."""

from collections.abc import Sequence

import numpy as np

from steady.measure.comparing import Result, Results, SubjectDifference, headline_keys
from steady.measure.group_measures import ROWS
from steady.metrics.measures import HIGHER
from steady.metrics.resampling import FEWEST_GROUPS, Estimate

GROUPS_IN_MARKDOWN = 5
SHOWN_FACTS = ("max_new_tokens", "chat_template", "thinking", "system", "stop", "dtype", "quantised", "revision")


def number(value: float | None, digits: int = 3) -> str:
    """A number for a reader; a dash for none."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def estimate_text(found: Estimate) -> str:
    """A value with its interval; no bare number."""
    bounds = "no interval" if found.interval is None else " to ".join(map(number, found.interval))
    return f"{number(found.value)}  [{bounds}]"


def difference_text(found: SubjectDifference) -> str:
    """A difference with its interval, and its corrected p where it is one of those that are tested together."""
    interval = found.difference.interval
    bounds = "no interval" if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"
    p = "" if found.p_holm is None else f", p {found.p_holm:.2g}"
    return f"{found.difference.value:+.3f}  [{bounds}]{p}"


def verdict(found: SubjectDifference, alpha: float) -> str:
    """Better, worse, or neither that could be told from chance; nothing for measures that are not tested."""
    interval = found.difference.interval
    if found.p_holm is None or interval is None:
        return ""
    # both must say so: the interval is not corrected for the number of tests
    if found.p_holm >= alpha or interval[0] <= 0 <= interval[1]:
        return "no difference shown"
    return "better" if (interval[0] > 0) == (ROWS[found.measure].better == HIGHER) else "worse"


def line(report: Result) -> str:
    """The measures that speak for a subject, in one line."""
    measures = report.measures
    # the measures that everybody knows come first
    keys = dict.fromkeys(["agreement", "accuracy", "posix", *headline_keys(report.judged)])
    named = {ROWS[key].label.removeprefix("mean "): measures[key].value for key in keys if key in measures}
    found = " · ".join(f"{label} {number(value, 2)}" for label, value in named.items())
    return f"{report.name}: {found} ({report.measured.groups} groups)"


def remarks(report: Result) -> list[str]:
    """What a reader must know beside the numbers: what was not scored or read, and whether the model is merely constant."""
    found, counts = report.measured, report.measured.answers
    notes = [f"{count} prompts not scored: {code}" for code, count in report.skipped.items()]
    notes += [f"{count} groups without POSIX: {code}" for code, count in found.not_scored.items()]
    if counts.unread:
        empty = f", {counts.empty} of them empty" if counts.empty else ""
        notes.append(
            f"format loss: nothing could be read of {counts.unread} of {found.prompts} answers{empty}; they agree with no other"
        )
    if counts.contained:
        notes.append(
            f"{counts.contained} answers contain their output and are not equal to it: --match contains counts them as right"
        )
    if found.groups < FEWEST_GROUPS:
        notes.append(f"no intervals: they resample groups, and need at least {FEWEST_GROUPS}")
    if found.sampled_pairs:
        notes.append("POSIX is estimated from a sample of the pairs of each group; the interval includes that")
    if found.degeneracy.degenerate:
        notes.append(
            f"DEGENERATE: one answer makes up {found.degeneracy.top_answer_share:.0%} of the answers to groups of different "
            "intent: a constant model is perfectly steady and useless"
        )
    return [*notes, *report.notes]


def about(report: Result) -> str:
    """What was asked of a subject, in one line: how many prompts, how answers are read, the facts that numbers depend on."""
    shown = {name: report.facts[name] for name in SHOWN_FACTS if report.facts.get(name) not in (None, "", [])}
    facts = [f"{name.replace('_', ' ')} {value!r}" for name, value in shown.items()]
    found = report.measured
    parts = ("right", "wrong", "unread", "without_output")
    counts = [f"{count} {part.replace('_', ' ')}" for part in parts if (count := getattr(found.answers, part))]
    asked = f"{found.groups} groups, {found.prompts} prompts"
    return ", ".join([asked, f"answers read by {found.match} ({', '.join(counts)})", *facts])


def table(report: Result) -> str:
    """The measures of one subject for a terminal."""
    rows = [(ROWS[key].title, estimate_text(found)) for key, found in report.measures.items()]
    width = max(len(title) for title, _ in rows)
    lines = [
        f"{report.name}: {about(report)}",
        *(f"  {title:<{width}}  {text}" for title, text in rows),
        *(f"  note: {note}" for note in remarks(report)),
    ]
    return "\n".join(lines)


def tables(found: Results) -> str:
    """The tables of all subjects, and their differences from the first."""
    parts = [table(report) for report in found.reports]
    if found.comparison is None:
        return "\n\n".join(parts)
    first, *others = (report.name for report in found.reports)
    for name in others:
        rows = [item for item in found.comparison.differences if item.subject == name]
        width = max(len(ROWS[item.measure].title) for item in rows)
        shown = [f"  {ROWS[item.measure].title:<{width}}  {difference_text(item)}" for item in rows]
        head = f"{name} less {first}, on {found.comparison.groups} groups of the same prompts:"
        parts.append("\n".join([head, *shown]))
    return "\n\n".join(parts)


def lines(found: Results) -> str:
    """A line for each subject."""
    return "\n".join(line(report) for report in found.reports)


def markdown(found: Results) -> str:
    """A summary for a pull request: the measures of every subject, differences, the worst groups, what a reader must know."""
    head, measures = side_by_side(found)
    rows = [[*cells, *(difference_text(item) if item else "–" for item in moved)] for cells, moved in measures]
    notes = [f"- {_cell(report.name)}: {_cell(note)}" for report in found.reports for note in remarks(report)]
    # sorted from worst to best
    worst = found.reports[0].measured.by_group[:GROUPS_IN_MARKDOWN]
    groups = [
        [item.id, number(item.agreement, 2), number(item.psi), str(item.unique_responses)]
        for item in worst
        # a steady group is no finding
        if item.agreement < 1 or item.psi
    ]
    title = f"### Prompt sensitivity\n\n{_cell(about(found.reports[0]))}"
    parts = [title, _markdown_table(head, rows), "\n".join(notes)]
    if groups:
        title = f"Worst groups of {_cell(found.reports[0].name)}:"
        parts.append(f"{title}\n\n{_markdown_table(['group', 'agreement', 'ψ', 'different responses'], groups)}")
    return "\n\n".join(part for part in parts if part)


def side_by_side(found: Results) -> tuple[list[str], list[tuple[list[str], list[SubjectDifference | None]]]]:
    """The head of a table of all subjects and, for each measure, its title and values and the differences from the first."""
    names = [report.name for report in found.reports]
    # by measure and subject; empty where a subject alone was measured
    differences = {
        (item.measure, item.subject): item for item in (found.comparison.differences if found.comparison else ())
    }
    others = names[1:] if found.comparison else []
    rows = []
    for key in dict.fromkeys(key for report in found.reports for key in report.measures):
        values = [estimate_text(one.measures[key]) if key in one.measures else "–" for one in found.reports]
        rows.append(([ROWS[key].title, *values], [differences.get((key, name)) for name in others]))
    return ["measure", *names, *(f"{name} less {names[0]}" for name in others)], rows


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in body)


def _cell(text: str) -> str:
    """Text that is no markup in a cell: names of models and groups come from users' files."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in "|`*_[]!@#\\" else sign for sign in flat)
