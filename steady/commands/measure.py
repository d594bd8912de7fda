"""Measure how much a model's answers move when only the wording moves: any model, any file of prompts."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from steady.commands import FILE, FOLDER, command, revision_option, threads_option
from steady.errors import SteadyError

if TYPE_CHECKING:
    from steady.measure.prompt_files import PromptFile
    from steady.measure.subject import Subject

OF_WEIGHTS = ("revision", "gguf_file", "adapters", "same_base", "thinking")
OF_LOCAL = (*OF_WEIGHTS, "dtype", "device", "threads", "batch_tokens", "precision")
OF_ASKING = ("chat", "system", "stop", "max_new_tokens", "max_pairs")
OF_ITEMS = ("wordings", "per_family")
OF_ENDPOINT = ("repeats", "posix", "concurrency", "timeout", "request_fields", "api_key_variable", "replies")
FAILED = 3
Options = dict[str, Any]  # of the command, by name
AT_LEAST_ONE = click.IntRange(min=1)


@command()
@click.argument("sources", nargs=-1, required=False, type=click.Path(path_type=Path))
@click.option("--model", "models", multiple=True, help="A Hub id, a folder, or package:NAME; several are compared.")
@click.option(
    "--column", "columns", multiple=True, metavar="KEY=NAME", help="What the file calls a key: prompt=question."
)
@click.option(
    "--source",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="How the file is read: delimiter=;, encoding=latin-1, records=KEY of a JSON document, hub_split=test, config=NAME …",
)
@click.option(
    "--items", type=click.Path(path_type=Path), help="A file of items to be worded, in place of one of prompts."
)
@click.option("--wordings", type=FILE, help="The bank that words them; default: their own instructions.")
@click.option("--per-family", type=AT_LEAST_ONE, default=2, help="Wordings of each family of rewordings.")
@revision_option
@click.option("--gguf-file", help="The GGUF file of the folder or repository to read the model from.")
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    help="A PEFT adapter or an arm; several are compared, and `none` is the model without one.",
)
@click.option("--same-base", is_flag=True, help="Adapters are of --model, whatever name they were saved under.")
@click.option(
    "--chat-template",
    "chat",
    default="auto",
    help="auto (where the tokenizer has one), on, off, or the name of one of its templates.",
)
@click.option("--system", default="", show_default=False, help="System message of prompts that bring none.")
@click.option(
    "--thinking/--no-thinking", default=False, show_default=False, help="Let a thinking model think before it answers."
)
@click.option("--stop", multiple=True, help="A response ends behind this text, which is left out of it.")
@click.option(
    "--match",
    help="What counts as the same and as right: exact, normalized, contains, number, regex:PATTERN, label:A,B, "
    "python:MODULE.FUNCTION; default: normalized, the labels of --wordings, or what a finished run was read by.",
)
@click.option(
    "--dtype",
    type=click.Choice(("auto", "float32", "bfloat16", "float16")),
    default="auto",
    help="auto: bfloat16 on a GPU or a CPU that has it.",
)
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
@threads_option
@click.option("--max-new-tokens", type=AT_LEAST_ONE, default=30, help="Longest response.")
@click.option("--batch-tokens", type=click.IntRange(min=64), default=16384, help="Tokens held in the cache.")
@click.option("--max-pairs", type=AT_LEAST_ONE, help="Score so many random pairs of each group.")
@click.option(
    "--precision",
    type=click.FloatRange(min=0, min_open=True, max=1),
    help="Stop when POSIX is known to this share of itself.",
)
@click.option("--draws", type=click.IntRange(min=100), default=2000, help="Bootstrap draws.")
@click.option(
    "--confidence", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, help="Of intervals."
)
@click.option("--seed", type=int, default=0, help="Of samples and intervals.")
@click.option("--endpoint", help="An OpenAI-compatible server, http://localhost:8000/v1; --model is a name there.")
@click.option(
    "--repeats",
    type=AT_LEAST_ONE,
    default=2,
    help="Times that a server is sent each prompt; how far its own answers agree is the noise floor.",
)
@click.option(
    "--posix", is_flag=True, help="POSIX from a server's log-probabilities of given tokens, once it passed a canary."
)
@click.option("--concurrency", type=click.IntRange(1, 256), default=8, help="Requests in flight to a server.")
@click.option("--timeout", type=click.FloatRange(min=1), default=120.0, help="Seconds that a request may take.")
@click.option(
    "--request-fields",
    default="{}",
    show_default=False,
    help="JSON object: fields of a request to add or, with null, to leave out.",
)
@click.option(
    "--api-key-variable",
    default="STEADY_API_KEY",
    help="The environment variable that holds a server's key; the key is never written or shown.",
)
@click.option(
    "--replies",
    type=FILE,
    help="File that keeps a server's replies, so that none is asked for twice; default: replies.jsonl in --out.",
)
@click.option(
    "--answers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file of prompts that have an `answer` each; no model is needed, and several files are compared.",
)
@click.option("--out", type=FOLDER, help="Folder to write; default: measured.")
@click.option(
    "--print",
    "form",
    type=click.Choice(("table", "line", "markdown", "json")),
    default="table",
    help="What is written to stdout: line is one a subject, markdown is for a pull request.",
)
@click.option(
    "--fail-if",
    "gates",
    multiple=True,
    help="Exit with code 3 where it holds: 'agreement < 0.9', 'difference accuracy < -0.02'.",
)
@click.option("--budget", is_flag=True, help="Print what it would cost, and stop.")
def main(sources: tuple[Path, ...], **options: Any) -> None:
    """Measure how much a model's answers move when only the wording of prompts moves.

    SOURCES is one file of prompts: JSON Lines, CSV, TSV or Parquet, or a data set of the Hub (`hub:OWNER/NAME`, or its folder), with
    `group_id` and `prompt` (or `messages`), and an `output` where the right answer is known. Prompts that ask for the same thing
    share a group_id. A run that is killed goes on when it is called again.

    Or SOURCES are folders of finished runs: every measure is computed again from the saved answers, without a model, and several
    folders are compared.
    """
    from steady.measure import texts
    from steady.measure.gates import failures, find_gate
    from steady.measure.matching import NORMALIZED, find_matcher
    from steady.measure.report import MEASURES, PAGE, compared, distinct, last_match, summarise
    from steady.metrics.files import laid_out, rounded, write_metrics
    from steady.metrics.resampling import Bootstrap

    # what can be wrong with the options is said before a model is loaded
    gates = [find_gate(text) for text in options["gates"]]
    if options["match"] is not None:
        find_matcher(options["match"])
    folders = _runs(sources, options)
    if options["budget"]:
        return
    bootstrap = Bootstrap(options["draws"], options["confidence"], options["seed"])
    reports = []
    for folder in folders:
        # without --match a run is read as it was read before
        matcher = find_matcher(options["match"] or last_match(folder) or NORMALIZED)
        reports.append(summarise(folder, matcher, bootstrap))
    found = compared(distinct(reports, folders), bootstrap)
    place = folders[0] if found.comparison is None else options["out"]
    if found.comparison is not None and place is not None:
        write_metrics(place / MEASURES, found.to_dict())
        found.page(place / PAGE)
    if options["form"] == "json":
        printed = laid_out(rounded(found.to_dict()))
    else:
        printed = {"table": texts.tables, "line": texts.lines, "markdown": texts.markdown}[options["form"]](found)
    click.echo(printed)
    if place is not None and options["form"] == "table":
        click.echo(f"page: {place / PAGE}", err=True)
    if reasons := failures(gates, found):
        click.echo("\n".join(reasons), err=True)
        raise click.exceptions.Exit(FAILED)


def _runs(sources: tuple[Path, ...], options: Options) -> list[Path]:
    """The folders of finished runs: those that were named, or those of the subjects that were measured just now."""
    from steady.measure.choosing import prompts_of, subject_folders
    from steady.measure.processes import launched, this_process

    if options["answers"]:
        return list(_given(sources, options))
    # nothing is loaded yet: a wrong option is said first
    subjects = list(_subjects(options))
    _refuse_twice([name for name, _ in subjects])
    if not subjects:
        strange = next((source for source in sources if not source.is_dir()), None)
        if strange is not None or not sources:
            raise SteadyError(
                f"{strange or 'nothing to measure'}: no folder of a run. To measure a model on prompts, add --model."
            )
        unread = ("items", "columns", "settings", *OF_ITEMS, *OF_LOCAL, *OF_ASKING)
        _refuse_mixed(unread, "of prompts and models, and a finished run is read again as it is")
        return list(sources)
    if options["items"] is None:
        _refuse_mixed(("per_family",), "of --items")
    options["out"] = out = options["out"] or Path("measured")
    file = prompts_of(sources, options)
    folders = subject_folders(out, [name for name, _ in subjects])
    if not launched(options):
        with this_process():
            for folder, (_, opened) in zip(folders, subjects, strict=True):
                _score(opened(), file, folder, options)
    return folders


def _refuse_twice(subjects: Sequence[str | Path]) -> None:
    if twice := [name for name, times in Counter(subjects).items() if times > 1]:
        raise SteadyError(f"{twice[0]}: named twice; a subject is compared with others, not with itself.")


def _given(sources: tuple[Path, ...], options: Options) -> Iterator[Path]:
    """Measure files of answers, each into a folder."""
    from steady.measure.answer_files import read_answer_file
    from steady.measure.choosing import file_options, subject_folders
    from steady.measure.matching import NORMALIZED, check_outputs, find_matcher

    if sources or options["models"] or options["items"] or options["endpoint"]:
        raise SteadyError(
            "--answers: the prompts and answers are in its file; leave out SOURCES, --model, --items and --endpoint."
        )
    _refuse_mixed(OF_LOCAL + OF_ENDPOINT + OF_ASKING + OF_ITEMS, "of a model, which --answers does not need")
    _refuse_twice(options["answers"])
    options["out"] = out = options["out"] or Path("measured")
    folders = subject_folders(out, [path.name for path in options["answers"]])
    for folder, path in zip(folders, options["answers"], strict=True):
        file, subject = read_answer_file(path, *file_options(options))
        check_outputs(file, find_matcher(options["match"] or NORMALIZED))
        _score(subject, file, folder, options)
        yield folder


def _score(subject: "Subject", file: "PromptFile", folder: Path, options: Options) -> None:
    from steady.measure.running import Extent, measure_subject
    from steady.models.ranks import rank

    def say(line: str) -> None:
        if rank() == 0:
            click.echo(line, err=True)

    extent = Extent(options["precision"], options["seed"])
    measure_subject(subject, file, folder, extent, say, options["budget"])


def _subjects(options: Options) -> Iterator[tuple[str, "Callable[[], Subject]"]]:
    """The subjects by name, each with what opens it: one at a time is in memory."""
    from steady.measure.choosing import NO_ADAPTER, local_subject

    models, adapters = options["models"], options["adapters"]
    if options["endpoint"] is None:
        _refuse_mixed(OF_ENDPOINT, "which needs --endpoint")
    else:
        _refuse_mixed(OF_LOCAL, "of a model on this machine, not of --endpoint")
        if not models:
            raise SteadyError("--endpoint: add --model, the name of the model on the server.")
        # the server has the adapters, if any: a name there is a subject
        yield from ((model, partial(_remote, model, options)) for model in models)
        return
    if len(models) > 1 and adapters:
        raise SteadyError("--adapter: adapters lie on one base. Give one --model, or no --adapter.")
    for model in models:
        for adapter in adapters or [NO_ADAPTER]:
            name = model if adapter == NO_ADAPTER else f"{model} + {adapter}"
            yield name, partial(local_subject, model, adapter, options)


def _refuse_mixed(names: tuple[str, ...], reason: str) -> None:
    """Refuse options that would not be followed, such as those of a model of this machine with a server."""
    context = click.get_current_context()
    # a default is no wish: only what was typed is refused
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(item.opts[0] for item in context.command.params if item.name == name)
            raise SteadyError(f"{option}: an option {reason}. Leave it out.")


def _remote(model: str, options: Options) -> "Subject":
    from steady.measure.endpoint.subject import endpoint_subject

    # opened after --out is known
    return endpoint_subject(model, {**options, "replies": options["replies"] or options["out"] / "replies.jsonl"})
