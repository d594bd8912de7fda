"""The free answers of the arms: figures, sample answers, previews of the training, the user's own prompts."""

from collections.abc import Iterator, Sequence

from steady.metrics.run import ArmResults, Preview
from steady.report.findings import Findings
from steady.report.markup import Markup, details, joined, shown, table, tag
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
    rows = [
        [
            tag("pre", _short(found.evaluation[place].prompt)),
            found.evaluation[place].completion,
            *(_answer(arm, place) for arm in found.arms),
        ]
        for place in chosen
    ]
    header = ["prompt", "reference", *(arm.name for arm in found.arms)]
    return table(f"{len(rows)} of {len(places)} test prompts, and what each arm answers", header, rows)


def _answer(arm: ArmResults, place: int) -> Markup:
    prediction = arm.predictions[place]
    chosen = f" (chooses {prediction.parsed})" if prediction.parsed and prediction.parsed != prediction.text else ""
    mark = "✓" if prediction.correct else "✗"
    return tag("span", _short(prediction.text) or "(nothing)", tag("small", f"{chosen} {mark}"))


def own_prompts(arms: Sequence[ArmResults]) -> Markup:
    """The user's prompts, and every arm's answer side by side."""
    answered = next(arm.own for arm in arms if arm.own)
    columns = [arm for arm in arms if len(arm.own) == len(answered)]
    rows = [
        [tag("pre", _short(one.prompt)), *(_own(arm, place) for arm in columns)] for place, one in enumerate(answered)
    ]
    return table("The prompts of `evaluate.prompts`", ["prompt", *(arm.name for arm in columns)], rows)


def _own(arm: ArmResults, place: int) -> Markup:
    answer = arm.own[place]
    chosen = f" (chooses {answer.label})" if answer.label and answer.label != answer.text else ""
    return tag("span", _short(answer.text) or "(nothing)", tag("small", chosen))


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
    ends = [
        [
            name,
            tag("pre", _short(prompt)),
            _short(found[0].text),
            _short(found[-1].text),
            f"{found[0].step} → {found[-1].step}",
        ]
        for name, prompt, found in rows
    ]
    every = [
        [name, tag("pre", _short(prompt)), one.step, _short(one.text)] for name, prompt, found in rows for one in found
    ]
    short = table("The fixed prompts of the training", ["arm", "prompt", "before", "after", "optimizer steps"], ends)
    return joined(
        [short, details("Every preview", table("Previews", ["arm", "prompt", "optimizer step", "answer"], every))]
    )


def previews_markdown(arms: Sequence[ArmResults]) -> str:
    """`reports/previews.md`: every preview, under its arm and prompt."""
    lines = ["# Previews", "", "Answers to the fixed prompts while the arms were trained, by optimizer step."]
    rows = preview_rows(arms)
    if not rows:
        lines += ["", "There are none: no arm is a model that generates, or none was trained."]
    last = ""
    for name, prompt, found in rows:
        lines += ["", f"## {name}"] if name != last else []
        last = name
        quoted = [f"    {line}" for line in prompt.splitlines()]
        lines += ["", "Prompt:", "", *quoted, "", "| step | answer |", "|---|---|"]
        lines += [f"| {one.step} | {_cell(one.text)} |" for one in found]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # an answer must neither end the cell nor be HTML to a viewer of Markdown
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split()) or "(nothing)"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
