"""`python -m steady check-data`: what prepare would make of a file, without writing anything."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steady.commands import command
from steady.errors import SteadyError

if TYPE_CHECKING:
    from steady.prepare.params import DataParams
    from steady.prepare.prepare import Checked
    from steady.prompts.params import LabelNames


WORDS = ("true", "false", "null", "yes", "no", "on", "off", "none")  # of which YAML readers may make something else


@command()
@click.argument("path", required=False)
@click.option("--format", "format_name", help="Format of PATH; `python -m steady sources` lists them.")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the source, in YAML: columns='{text: body}'.",
)
@click.option("--labels", help="Allowed labels, parted by commas; without them, any.")
@click.option("--multi-label", is_flag=True, help="A row may have several of the labels, or none.")
@click.option("--params", type=click.Path(path_type=Path), default="params.yaml", help="Read where no PATH is given.")
@click.option("--samples", default=3, help="Examples to show.")
@click.option("--findings", default=20, help="Findings to list.")
def main(labels: str | None, multi_label: bool, samples: int, findings: int, **given: Any) -> None:
    """Check PATH, or without one the sources of params.yaml: a table of what is in it, findings, and a sample.

    Exits with 1 where a row would be rejected.
    """
    import tempfile

    from steady.prepare.prepare import check
    from steady.prompts.params import LabelNames

    # labels that params.yaml has not: the file is looked at before anybody writes settings
    task = LabelNames(labels=tuple(labels.split(",")) if labels else None, multi_label=multi_label)
    settings = _settings(task, **given)
    # Checking writes what prepare writes on the way, and keeps none of it.
    with tempfile.TemporaryDirectory() as folder:
        checked = check(settings, Path(folder), samples)
    for line in _table(checked):
        click.echo(line)
    if checked.description.labels and not labels:
        click.echo(f"data.labels: [{', '.join(map(quoted, checked.description.labels))}]  (or null: those that occur)")
    for line in checked.lines[:findings]:
        click.secho(line, fg="red")
    if (more := sum(checked.codes.values()) - findings) > 0:
        click.secho(f"… and {more} more findings; list them with --findings.", fg="red")
    for example in checked.samples:
        click.secho(f"\n{example.source}:{example.line}  {example.id}  group {example.group_id}", fg="blue")
        # The last turn is the output, which is shown as such.
        turns = [(message.role, message.content) for message in (example.messages or [])[:-1]]
        asked = turns or [("instruction", example.instruction), ("input", example.input)]
        for name, text in [*asked, ("output", example.output), ("rejected", example.rejected or "")]:
            if text:
                click.secho(f"{name}: ", fg="green" if name == "output" else "yellow", nl=False)
                click.echo(text if len(text) <= 500 else f"{text[:500]}…")
    # A script can stop on it.
    if checked.codes:
        raise SteadyError(f"{sum(checked.codes.values())} findings. Correct the rows, or name codes in `leave_out`.")


def quoted(label: str) -> str:
    """A label as YAML has it in a list."""
    is_plain = re.fullmatch(r"[A-Za-z][\w /-]*", label) and label.lower() not in WORDS
    return label if is_plain else json.dumps(label, ensure_ascii=False)


def _settings(
    task: "LabelNames", path: str | None, format_name: str | None, options: tuple[str, ...], params: Path
) -> "DataParams":
    """The sources to check, as the section `data` would have them."""
    from pydantic import ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from steady.parameters import read_params
    from steady.prepare.params import DataParams, PrepareParams

    if path is None:
        # without a file the settings themselves are what is checked, so labels and format come from them
        return read_params(params, PrepareParams).data
    if format_name is None:
        raise SteadyError("--format is missing. `python -m steady sources` lists the formats with an example row each.")
    source: dict[str, Any] = {"path": path, "format": format_name}
    for option in options:
        key, found, value = option.partition("=")
        if not found:
            raise SteadyError(f"--option {option!r}: expected KEY=VALUE, such as leave_out=[empty_output].")
        try:
            source[key] = YAML(typ="safe", pure=True).load(value)
        except YAMLError as error:
            raise SteadyError(f"--option {option!r}: the value is no YAML: {error}") from error
    # All rows in train: sizes are asked for, and nothing is split here.
    values = {"sources": [source], "train_rows": 1.0, "validation_rows": 0, "test_rows": 0}
    try:
        return DataParams.model_validate(values | task.model_dump())
    except ValidationError as error:
        # the first two parts of a place are `sources` and 0, which nobody wrote
        faults = [(".".join(map(str, item["loc"][2:])), item["msg"], item["input"]) for item in error.errors()]
        raise SteadyError("\n".join(f"{place}: {reason}, got {got!r}." for place, reason, got in faults)) from error


def _table(checked: "Checked") -> list[str]:
    """Lines of two columns."""
    description = checked.description
    rows: list[tuple[str, Any]]
    rows = [(f"rows {outcome.replace('_', ' ')}", number) for outcome, number in checked.outcomes.items()]
    rows += [(f"  left out: {code}", number) for code, number in checked.left_out.items()]
    rows += [(f"  findings: {code}", number) for code, number in checked.codes.items()]
    rows += [("groups", description.groups), ("near-duplicate pairs", checked.near)]
    rows += [(f"label {name}", number) for name, number in description.labels.items()]
    rows += [(f"language {name}", number) for name, number in (description.languages or {}).items()]
    for name in ("characters_of_prompts", "characters_of_outputs"):
        spread: dict[str, int] | None = getattr(description, name)
        shown = ", ".join(f"{key} {value}" for key, value in spread.items()) if spread else "none"
        rows.append((name.replace("_", " "), shown))
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]
