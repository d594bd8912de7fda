"""The free answers of the arms: figures, sample answers, previews of the training, the user's own prompts."""

from collections.abc import Iterator, Sequence

from steady.metrics.run import ArmResults, Preview
from steady.report.findings import Findings
from steady.report.markup import Markup, cut, details, joined, shown, table, tag
from steady.report.tables import generated_tables

SAMPLES = 40
LONGEST = 600


def generated_sections(found: Findings) -> Iterator[tuple[str, str, Markup]]:
    """Name, title and content of the sections of models that generate; none for classifiers."""
    if figures := generated_tables({arm.name: arm.evaluate for arm in found.arms}, found.comparison):
        yield "generated", "What do the arms write?", joined([*map(shown, figures), samples(found)])
    if any(arm.own for arm in found.arms):
        yield "own", "Your own prompts", own_prompts(found.arms)
    if rows := preview_rows(found.arms):
        yield "previews", "Answers before and after the training", previews(rows)


def samples(found: Findings) -> Markup:
    """Test prompts, evenly drawn from the file, with the reference and every arm's free answer side by side."""
    places = [place for place, prompt in enumerate(found.evaluation) if prompt.split == "test"]
    # from the whole file: rows beside one another are often of one source
    chosen = places[:: max(1, len(places) // SAMPLES)][:SAMPLES]
    rows = []
    for place in chosen:
        prompt, answers = found.evaluation[place], [arm.predictions[place] for arm in found.arms]
        said = [_said(one.text, one.parsed, " ✓" if one.correct else " ✗") for one in answers]
        rows.append([_prompt(prompt.prompt), prompt.completion, *said])
    header = ["prompt", "reference", *(arm.name for arm in found.arms)]
    return table(f"{len(rows)} of {len(places)} test prompts, and what each arm answers", header, rows)


def _prompt(text: str) -> Markup:
    return tag("pre", cut(text, LONGEST))


def _said(text: str, label: str | None, mark: str = "") -> Markup:
    """A free answer and, where there are labels, the one that the arm chooses among them, if it is another text."""
    chosen = f" (chooses {label})" if label and label != text else ""
    return tag("span", cut(text, LONGEST) or "(nothing)", tag("small", f"{chosen}{mark}"))


def own_prompts(arms: Sequence[ArmResults]) -> Markup:
    """The user's prompts, and every arm's answer side by side."""
    answered = next(arm.own for arm in arms if arm.own)
    # an arm of another run may have answered other prompts
    columns = [arm for arm in arms if len(arm.own) == len(answered)]
    rows = []
    for place, one in enumerate(answered):
        answers = [arm.own[place] for arm in columns]
        rows.append([_prompt(one.prompt), *(_said(answer.text, answer.label) for answer in answers)])
    return table("The prompts of `evaluate.prompts`", ["prompt", *(arm.name for arm in columns)], rows)


def preview_rows(arms: Sequence[ArmResults]) -> list[tuple[str, str, list[Preview]]]:
    """Arm, prompt, and its previews by step, for every prompt that was answered during the training."""
    rows = []
    for arm in arms:
        by_prompt: dict[str, list[Preview]] = {}
        for one in arm.previews:
            by_prompt.setdefault(one.prompt, []).append(one)
        rows += [(arm.name, prompt, sorted(found, key=lambda one: one.step)) for prompt, found in by_prompt.items()]
    return rows


def previews(rows: Sequence[tuple[str, str, list[Preview]]]) -> Markup:
    """First and last answer to each prompt, and all of them on request."""
    ends, every = [], []
    for name, prompt, found in rows:
        first, last = found[0], found[-1]
        moved = [cut(first.text, LONGEST), cut(last.text, LONGEST), f"{first.step} → {last.step}"]
        ends.append([name, _prompt(prompt), *moved])
        every += [[name, _prompt(prompt), one.step, cut(one.text, LONGEST)] for one in found]
    short = table("The fixed prompts of the training", ["arm", "prompt", "before", "after", "optimizer steps"], ends)
    long = table("Previews", ["arm", "prompt", "optimizer step", "answer"], every)
    return joined([short, details("Every preview", long)])


def previews_markdown(arms: Sequence[ArmResults]) -> str:
    """`reports/previews.md`: every preview, under its arm and prompt."""
    lines = ["# Previews", "", "Answers to the fixed prompts while the arms were trained, by optimizer step."]
    rows = preview_rows(arms)
    if not rows:
        lines += ["", "There are none: no arm is a model that generates, or none was trained."]
    last = ""
    for name, prompt, found in rows:
        lines += ["", f"## {name}"] if name != last else []
        # a heading for each arm, above its first prompt
        last = name
        quoted = [f"    {line}" for line in prompt.splitlines()]
        lines += ["", "Prompt:", "", *quoted, "", "| step | answer |", "|---|---|"]
        lines += [f"| {one.step} | {_cell(one.text)} |" for one in found]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # an answer must neither end the cell nor be HTML to a viewer of Markdown
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split()) or "(nothing)"
