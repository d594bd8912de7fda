"""The section that walks through the matrices of the test groups, from worst to best."""

from collections import Counter
from typing import NamedTuple

from steady.metrics.matrices import ScoredGroup
from steady.records import CANONICAL, Prompt
from steady.report.findings import Findings
from steady.report.markup import Markup, details, joined, marked, tag, text
from steady.report.matrices import EXPLAINED, Row, matrix_table, psi, response_line
from steady.report.tables import number

MOST_WORST, MOST_BEST = 20, 3
# Of HTML in the section: the page stays small however long the prompts are
MOST_CHARACTERS = 900_000
LONGEST_PROMPT = 900


class Ranked(NamedTuple):
    """A group under every arm, and POSIX of each (None: not scored); `rank` counts from 1, the worst."""

    rank: int
    arms: list[tuple[str, ScoredGroup]]
    psis: list[float | None]


def matrix_groups(found: Findings) -> Markup:
    """The worst groups of the last arm and its steadiest ones, each with its matrix; nothing where there are no matrices."""
    ranked, faults = ranking(found)
    if not ranked:
        return Markup("")
    prompts = {prompt.id: prompt for prompt in found.sensitivity}
    shown: list[tuple[Ranked, Markup]] = []
    characters = 0
    for group in [*ranked[:MOST_WORST], *ranked[MOST_WORST:][-MOST_BEST:]]:
        part = _group(found, prompts, group)
        characters += len(part)
        # the steadiest group is always shown, so that the scale has both its ends
        if shown and characters > MOST_CHARACTERS and group.rank != len(ranked):
            continue
        shown.append((group, part))
    walked = []
    for place, (group, part) in enumerate(shown):
        links = []
        if place > 0:
            links.append(tag("a", "← worse", href=f"#matrix-{shown[place - 1][0].rank}"))
        if place + 1 < len(shown):
            links.append(tag("a", "steadier →", href=f"#matrix-{shown[place + 1][0].rank}"))
        content = [_summary(group), tag("p", joined(links), class_="walk"), part]
        walked.append(details(*content, open_=place == 0, id=f"matrix-{group.rank}", class_="matrix"))
    left = f" {len(ranked) - len(shown)} between them are left out." if len(ranked) > len(shown) else ""
    missing = "".join(f" {count} could not be scored: {fault.replace('_', ' ')}." for fault, count in faults.items())
    lead = (
        f"{len(ranked)} test texts, from the one whose answers moved most with the wording in {found.arms[-1].name} to the "
        f"steadiest.{left}{missing} {EXPLAINED}"
    )
    # which arm's matrices to show; without style sheets all of them stand side by side
    names = {str(place): arm.name for place, arm in enumerate(found.arms)}
    names |= {"all": "all, side by side"} if len(found.arms) > 1 else {}
    buttons = []
    for key, name in names.items():
        checked = " checked" if key == str(len(found.arms) - 1) else ""
        radio = Markup(f'<input type="radio" name="matrix-arm" id="show-{key}"{checked}>')
        buttons.append(tag("label", radio, f" {name}"))
    choice = tag("fieldset", tag("legend", "Matrix of"), *buttons, class_="choice")
    return joined([tag("p", lead), choice, *walked])


def ranking(found: Findings) -> tuple[list[Ranked], Counter[str]]:
    """The test groups by POSIX in the last arm, worst first, and how many could not be scored for which reason."""
    tests = {prompt.group_id for prompt in found.sensitivity if prompt.split != "train"}
    columns = [{group.id: group for group in arm.groups if group.id in tests} for arm in found.arms]
    names = [arm.name for arm in found.arms]
    # an arm of another run may have scored fewer groups
    everywhere = [name for name in columns[-1] if all(name in column for column in columns)]
    rows = [list(zip(names, (column[name] for column in columns), strict=True)) for name in everywhere]
    psis = [[psi(group) for _, group in row] for row in rows]
    # of the last arm, by which the groups are ranked
    faults = Counter(row[-1][1].fault for row in rows)
    order = sorted((-(values[-1] or 0.0), place) for place, values in enumerate(psis) if values[-1] is not None)
    ranked = [Ranked(rank, rows[place], psis[place]) for rank, (_, place) in enumerate(order, start=1)]
    return ranked, Counter({str(fault): count for fault, count in faults.items() if fault})


def _summary(group: Ranked) -> Markup:
    name, last = group.arms[-1]
    votes = Counter(response_line(item) for item in last.predictions)
    others = len(votes) - 4
    tally = ", ".join(f"{answer} {count}" for answer, count in votes.most_common(4))
    tally += f", {others} more" if others > 0 else ""
    before = ", ".join(f"{arm} {number(value)}" for (arm, _), value in zip(group.arms[:-1], group.psis, strict=False))
    against = f" ({before})" if before else ""
    return tag("span", f"{group.rank}. ψ {number(group.psis[-1])} in {name}{against}: {tally}")


def _group(found: Findings, prompts: dict[str, Prompt], group: Ranked) -> Markup:
    # every arm has the same prompts in the same order
    members = [prompts[item.prompt_id] for item in group.arms[-1][1].predictions]
    first = next((prompt for prompt in members if prompt.wording == CANONICAL), members[0])
    rows = []
    for prompt in members:
        family, _, rest = prompt.wording.partition("/")
        level = found.wordings[prompt.wording].level if prompt.wording in found.wordings and rest else ""
        head = joined([tag("b", family), tag("small", f"{level} {rest}", class_="id") if rest else ""])
        worded, half = prompt.prompt, LONGEST_PROMPT // 2
        # finding what differs takes time with the square of the length, so very long prompts are cut and not marked
        if len(worded) + len(first.prompt) > 2 * LONGEST_PROMPT:
            shown = text(worded if len(worded) <= LONGEST_PROMPT else f"{worded[:half]} … {worded[-half:]}")
        else:
            shown = text(worded) if prompt is first else marked(first.prompt, worded)
        rows.append(Row(head, shown))
    return matrix_table(f"Text {first.group_id}, target: {first.completion}", rows, group.arms)
