"""Single rows: those won and lost from arm to arm, and the texts whose answer changed with the wording, worst first."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from steady.records import CANONICAL, Prediction, Prompt
from steady.report.findings import Findings
from steady.report.markup import Markup, details, joined, marked, table, tag

MOST_GROUPS = 15
MOST_WORDINGS = 12
LONGEST_ANSWER = 120
SEARCH = Markup(
    '<input id="search" type="search" autocomplete="off" aria-controls="rows" placeholder="a word, a label, won, lost …">'
)


class Group(NamedTuple):
    """One text under its wordings; `rows` are places in the sensitivity file, the canonical wording first."""

    group_id: str
    rows: list[int]


def groups_of(prompts: Sequence[Prompt]) -> list[Group]:
    """The groups of the test split, in the order of the file; a group without a canonical prompt is left out."""
    rows: dict[str, list[int]] = {}
    for place, prompt in enumerate(prompts):
        if prompt.split != "train":  # training groups are steady by heart
            rows.setdefault(prompt.group_id, []).append(place)
    # the sort is stable: after the canonical wording the others keep the order of the file
    for places in rows.values():
        places.sort(key=lambda place: prompts[place].wording != CANONICAL)
    return [Group(name, places) for name, places in rows.items() if prompts[places[0]].wording == CANONICAL]


def disagreement(answers: Sequence[str]) -> float:
    """The share of pairs of answers that differ; 0 for fewer than two."""
    count = len(answers)
    equal = sum(votes * (votes - 1) for votes in Counter(answers).values())
    return 1 - equal / (count * (count - 1)) if count > 1 else 0.0


def shown_answer(prediction: Prediction) -> str:
    """The label that the answer was read as, or its text where that is no label; an open answer is its text."""
    # of open answers there is no label to fall back on
    if prediction.parsed is None and not prediction.label_logprobs:
        return prediction.text.strip()[:LONGEST_ANSWER] or "(nothing)"
    return prediction.parsed or f"(no label: {prediction.text.strip()[:40]})"


def changed_groups(found: Findings) -> Markup:
    """The groups that moved most, by the disagreement of the last arm and, where that is equal, of the others."""
    # the last arm decides, for it is the one that the run is about
    everyone = [arm.reworded_predictions for arm in found.arms]
    ranked = []
    for place, group in enumerate(groups_of(found.sensitivity)):
        moved = [disagreement([shown_answer(answers[row]) for row in group.rows]) for answers in reversed(everyone)]
        # a text that no arm moved on is no example
        if any(moved):
            ranked.append(([-share for share in moved], place, group))
    # groups themselves are not ordered: equal shares keep the order of the file
    ranked.sort(key=lambda entry: entry[:2])
    last = found.arms[-1].name
    moved_last = sum(moved[0] < 0 for moved, _, _ in ranked)
    lead = tag(
        "p",
        f"{len(ranked)} of {len(groups_of(found.sensitivity))} test texts changed their answer with the wording in at least "
        f"one arm, {moved_last} of them in {last}. The {min(MOST_GROUPS, len(ranked))} that moved most in {last} stand "
        "below. Words that a wording ",
        tag("ins", "adds"),
        " or ",
        tag("del", "leaves out"),
        " against the canonical one are marked; ⏎ and ⇥ show line breaks and tabs.",
    )
    shown = [_group(found, group, number == 0) for number, (_, _, group) in enumerate(ranked[:MOST_GROUPS])]
    return joined([lead, *shown])


def _group(found: Findings, group: Group, is_open: bool) -> Markup:
    prompts, last = found.sensitivity, found.arms[-1]
    canonical = prompts[group.rows[0]]
    answers = [shown_answer(last.reworded_predictions[row]) for row in group.rows]
    tally = ", ".join(f"{label} {count}" for label, count in Counter(answers).most_common())
    share = f"{disagreement(answers):.0%} of pairs differ in {last.name}"
    summary = tag("span", f"{share}: {tally}; target {canonical.completion}")
    first, *others = group.rows

    def unmoved(row: int) -> list[bool]:
        given = [arm.reworded_predictions for arm in reversed(found.arms)]
        return [shown_answer(arm[row]) == shown_answer(arm[first]) for arm in given]

    # the canonical row, then those whose answer moved in the last arm, then those that moved in another one
    shown = [first, *sorted(others, key=lambda row: (unmoved(row), row))[: MOST_WORDINGS - 1]]
    rows = []
    for row in shown:
        text = prompts[row].prompt
        worded = text if row == first else marked(canonical.prompt, text)
        rows.append([_name(found, row), *_cells(found, row, first), tag("pre", worded)])
    header = ["wording", *(arm.name for arm in found.arms), "prompt"]
    # said, so that the table is not taken for all there is
    hidden = len(group.rows) - len(rows)
    note = tag("p", f"{hidden} more wordings left this arm's answer as it was.", class_="soft") if hidden else ""
    return details(summary, table(f"Text {group.group_id}", header, rows, stacked=True), note, open_=is_open)


def _name(found: Findings, row: int) -> Markup:
    name = found.sensitivity[row].wording
    level = found.wordings[name].level if name in found.wordings else ""
    family, _, rest = name.partition("/")
    return joined([tag("b", family), tag("small", f" {level}" if rest else ""), tag("small", rest, class_="id")])


def _cells(found: Findings, row: int, first: int) -> list[Markup]:
    cells = []
    for arm in found.arms:
        answer = shown_answer(arm.reworded_predictions[row])
        right = " ✓" if arm.reworded_predictions[row].correct else " ✗"
        if answer == shown_answer(arm.reworded_predictions[first]):
            cells.append(tag("span", answer, right))
        else:
            cells.append(tag("span", tag("b", answer), right, tag("small", " moved"), class_="moved"))
    return cells


def won_and_lost(found: Findings) -> Markup:
    """A searchable table of the test rows that one arm labels correctly and another does not."""
    places = {prompt.id: place for place, prompt in enumerate(found.evaluation)}
    by_name = {arm.name: arm for arm in found.arms}
    rows = []
    for step in found.comparison.steps.values():
        # places in the file are the same for every arm
        before, after = by_name[step.from_].predictions, by_name[step.to].predictions
        for outcome, ids in (("won", step.quality.won_prompts), ("lost", step.quality.lost_prompts)):
            for place in (places[name] for name in ids):
                prompt, answers = found.evaluation[place], [shown_answer(arm[place]) for arm in (before, after)]
                moved = [outcome, f"{step.from_} → {step.to}", prompt.completion, *answers]
                rows.append([*moved, tag("pre", prompt.prompt)])
    label = tag("label", "Search these rows ", for_="search")
    matches = tag("span", f" {len(rows)} rows", id="matches", role="status", aria_live="polite")
    search = tag("p", label, SEARCH, matches, class_="search")
    header = ["outcome", "step", "target", "before", "after", "prompt"]
    return joined([search, table("Rows won and lost on the test split", header, rows, stacked=True, name="rows")])
