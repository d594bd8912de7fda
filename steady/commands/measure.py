"""Measure how much a model's answers move when only the wording moves: any model, any file of prompts."""

from pathlib import Path
from typing import Any

import click

from steady.errors import SteadyError, reported

FOLDER = click.Path(path_type=Path, file_okay=False)
CHAT = {"auto": None, "on": True, "off": False}


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", default=None, help="A Hub id, a folder, or package:NAME.")
@click.option("--revision", default=None, help="Commit, branch or tag of a Hub model; the full commit is recorded.")
@click.option("--gguf-file", default=None, help="The GGUF file of the folder or repository to read the model from.")
@click.option("--adapter", type=FOLDER, default=None, help="A PEFT adapter or an arm.")
@click.option("--same-base", is_flag=True, help="The adapter is one of --model, whatever name it was saved under.")
@click.option(
    "--chat-template",
    "chat",
    type=click.Choice(list(CHAT)),
    default="auto",
    show_default=True,
    help="Ask through the tokenizer's chat template; auto: where it has one.",
)
@click.option("--system", default="", help="System message of the chat template.")
@click.option(
    "--dtype",
    type=click.Choice(("auto", "float32", "bfloat16", "float16")),
    default="auto",
    show_default=True,
    help="auto: bfloat16 on a GPU or a CPU that has it.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 …")
@click.option("--threads", type=click.IntRange(min=1), default=None, help="Threads of a CPU.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=30, show_default=True, help="Longest response.")
@click.option(
    "--batch-tokens", type=click.IntRange(min=64), default=16384, show_default=True, help="Tokens held in the cache."
)
@click.option("--max-pairs", type=click.IntRange(min=1), default=None, help="Score so many random pairs of each group.")
@click.option(
    "--precision",
    type=click.FloatRange(min=0, min_open=True, max=1),
    default=None,
    help="Stop when POSIX is known to this share of itself.",
)
@click.option("--draws", type=click.IntRange(min=100), default=2000, show_default=True, help="Bootstrap draws.")
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of intervals.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of samples and intervals.")
@click.option("--out", type=FOLDER, default=Path("measured"), show_default=True, help="Folder to write.")
@click.option("--budget", is_flag=True, help="Print what it would cost, and stop.")
def main(sources: tuple[Path, ...], model: str | None, out: Path, **options: Any) -> None:
    """Measure how much a model's answers move when only the wording of a file of prompts moves.

    SOURCES is one file, JSON Lines: {"group_id": …, "prompt": …}, with an "output" where the right answer is known. Prompts
    that ask for the same thing share a group_id. A run that is killed goes on when it is called again.

    Or SOURCES are folders of finished runs: every measure is computed again from the saved answers, without a model.
    """
    with reported():
        from steady.measure.measure import summarise
        from steady.measure.page import tables

        draws, confidence, seed = (options[name] for name in ("draws", "confidence", "seed"))
        folders = [source for source in sources if source.is_dir()]
        if model is None and len(folders) < len(sources):
            strange = next(source for source in sources if source not in folders)
            raise SteadyError(f"{strange}: no folder of a run. To measure a model on a file of prompts, add --model.")
        if model is None:
            click.echo(tables([summarise(folder, draws, confidence, seed) for folder in folders]))
            return
        if len(sources) != 1 or folders:
            raise SteadyError(f"--model: give one file of prompts, got {', '.join(map(str, sources))}.")
        _score(sources[0], model, out, options)
        if not options["budget"]:
            click.echo(tables([summarise(out, draws, confidence, seed)]))
            click.echo(f"wrote {out}: measures.json, index.html, the answers and the matrices")


def _score(prompts: Path, model: str, out: Path, options: dict[str, Any]) -> None:
    from steady.inference.named import Named, prepare
    from steady.measure.measure import Limits, measure_model

    prepare(options["threads"])
    place = {
        name: options[name] for name in ("revision", "adapter", "dtype", "device", "system", "gguf_file", "same_base")
    }
    limits = {name: options[name] for name in ("max_new_tokens", "batch_tokens", "max_pairs", "precision", "seed")}
    named = Named(model, chat_template=CHAT[options["chat"]], **place)
    measure_model(named, prompts, out, Limits(**limits), lambda line: click.echo(line, err=True), options["budget"])
