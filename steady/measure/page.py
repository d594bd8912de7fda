"""What a measurement shows: a table for the terminal, and a page of its own with the groups from worst to best."""

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from steady.measure.runs import Run
from steady.metrics.matrices import ScoredGroup
from steady.records import Prompt
from steady.report.markup import joined, tag
from steady.report.matrices import EXPLAINED, Row, matrix_table

ROWS = {
    "posix": ("POSIX (nats per response token; 0 = insensitive)", "lower"),
    "posix_same": ("  from equal responses: confidence alone", "lower"),
    "posix_diff": ("  from different responses", "lower"),
    "agreement": ("agreement (pairs of prompts with equal answers)", "higher"),
    "consistent_groups": ("groups with one answer", "higher"),
    "answer_entropy": ("answer entropy (0 = one answer, 1 = all differ)", "lower"),
    "unique_responses": ("different responses per group", "lower"),
    "accuracy": ("accuracy (answer equals the output)", "higher"),
    "worst_prompt_accuracy": ("worst-prompt accuracy (right under every wording)", "higher"),
    "worst_wording_accuracy": ("accuracy under the worst wording", "higher"),
    "spread": ("spread over wordings (best minus worst)", "lower"),
}
GROUPS_SHOWN = 60
PROMPTS_SHOWN = 40
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem .7rem; border-bottom: 1px solid #8884; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; padding: .3rem 0; }
pre { white-space: pre-wrap; margin: 0; font-size: .85rem; }
.scroll { overflow-x: auto; }
.warning { border-left: .3rem solid #c60; padding-left: .7rem; }
"""


def number(value: float | None, digits: int = 3) -> str:
    """A number for a reader; a dash for none."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def estimate_text(found: Mapping[str, Any]) -> str:
    """A value with its interval; no bare number."""
    interval = found["interval"]
    bounds = "no interval" if interval is None else f"{number(interval[0])} to {number(interval[1])}"
    return f"{number(found['value'])}  [{bounds}]"


def shown_rows(measures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The measures that have a value, in words, with their intervals."""
    found = measures["measures"]
    return [
        (label, estimate_text(found[name]))
        for name, (label, _) in ROWS.items()
        if name in found and np.isfinite(found[name]["value"])
    ]


def remarks(measures: Mapping[str, Any]) -> list[str]:
    """What a reader must know beside the numbers: what was not scored, and whether the model is merely constant."""
    notes = [f"{count} prompts not scored: {code}" for code, count in measures["skipped_prompts"].items()]
    if measures["same_tokens"]:
        notes.append(
            f"{measures['same_tokens']} prompts have the same tokens as another of their group: they agree without a test"
        )
    if measures["unknown_tokens"]:
        notes.append(f"{measures['unknown_tokens']} prompts hold characters that are unknown to the tokenizer")
    notes += [f"{count} groups without POSIX: {code}" for code, count in measures["not_scored"].items()]
    if measures["empty_answers"]:
        notes.append(f"{measures['empty_answers']} answers are empty: they agree with no other")
    if measures["sampled_pairs"]:
        notes.append("POSIX is estimated from a sample of the pairs of each group; the interval includes that")
    found = measures["degeneracy"]
    if found["degenerate"]:
        notes.append(
            f"DEGENERATE: one answer makes up {found['top_answer_share']:.0%} of the answers to groups of different intent: "
            "a constant model is perfectly steady and useless"
        )
    return notes


def answers_text(measures: Mapping[str, Any]) -> str:
    """What kind of answers were given, and the limit and the framing of the prompts that they depend on."""
    if measures["labels"]:
        return f"labels ({', '.join(measures['labels'])})"
    how = "through the chat template" if measures["chat_template"] else "without a chat template"
    system = f", system message {measures['system']!r}" if measures["system"] else ""
    return f"greedy responses of at most {measures['max_new_tokens']} tokens {how}{system}"


def table(measures: Mapping[str, Any]) -> str:
    """The measures for a terminal."""
    rows = shown_rows(measures)
    width = max(len(label) for label, _ in rows)
    lines = [
        f"{measures['model']}{' + ' + measures['adapter'] if measures['adapter'] else ''}: {measures['groups']} groups, "
        f"{measures['prompts']} prompts, {answers_text(measures)}, {measures['dtype']}",
        *(f"  {label:<{width}}  {text}" for label, text in rows),
        *(f"  note: {note}" for note in remarks(measures)),
    ]
    return "\n".join(lines)


def page(measures: Mapping[str, Any], run: Run) -> str:
    """A page that stands alone: no script, no request. Groups come from worst to best, each with its heat map."""
    groups = {group.id: group for group in run.groups}
    rows = "".join(
        f"<tr><th scope=row>{escape(label.strip())}</th><td class=number>{escape(text)}</td></tr>"
        for label, text in shown_rows(measures)
    )
    notes = "".join(f"<p class=warning>{escape(note)}</p>" for note in remarks(measures))
    shown = measures["by_group"][:GROUPS_SHOWN]
    details = "".join(_group(item, groups[item["id"]], run) for item in shown)
    left = len(measures["by_group"]) - len(shown)
    more = f"<p>{left} steadier groups are in <code>measures.json</code>.</p>" if left else ""
    style = STYLE + (files("steady.report") / "matrices.css").read_text(encoding="utf-8")
    title = escape(f"Prompt sensitivity of {measures['model']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body><h1>{title}</h1>'
        f"<p>{measures['groups']} groups, {measures['prompts']} prompts; {escape(answers_text(measures))} "
        f"(values for other limits do not compare); {escape(measures['dtype'])}. "
        "Intervals resample groups.</p>"
        f"{notes}<table>{rows}</table><h2>Groups, from worst to best</h2>"
        f"<p>{escape(EXPLAINED)}</p>"
        f"{details}{more}</body></html>\n"
    )


def _group(item: Mapping[str, Any], group: ScoredGroup, run: Run) -> str:
    accuracy = "" if item["accuracy"] is None else f", accuracy {number(item['accuracy'], 2)}"
    fault = f", not scored: {item['fault']}" if item["fault"] else ""
    head = (
        f"ψ {number(item['psi'])} · {item['unique_responses']} different responses to {item['prompts']} prompts, "
        f"agreement {number(item['agreement'], 2)}{accuracy}{fault} · {item['id']}"
    )
    rows = [_row(place, run.prompts[item.prompt_id]) for place, item in enumerate(group.predictions, start=1)]
    shown = matrix_table(f"Group {item['id']}", rows[:PROMPTS_SHOWN], [("M", group)])
    left = len(rows) - PROMPTS_SHOWN
    more = f"<p>{left} more prompts are in <code>predictions.jsonl</code>.</p>" if left > 0 else ""
    return f"<details><summary>{escape(head)}</summary>{shown}{more}</details>"


def _row(place: int, prompt: Prompt) -> Row:
    """The number and the wording of a prompt, its text, and the output where one is given."""
    name = f" {prompt.wording}" if prompt.wording else ""
    target = [tag("small", f"\noutput: {prompt.completion}")] if prompt.completion else []
    return Row(joined([f"{place}{name}"]), joined([prompt.prompt, *target]))


def tables(several: Sequence[Mapping[str, Any]]) -> str:
    """The tables of several runs, one below the other."""
    return "\n\n".join(table(measures) for measures in several)
