"""Measure the prompt sensitivity of any Hugging Face model on any file of groups."""

from pathlib import Path

import click

from steady.errors import reported

DTYPES = ("auto", "float32", "bfloat16", "float16")


@click.command()
@click.argument("prompts", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", required=True, help="A Hub id, a folder, or package:NAME.")
@click.option("--revision", default=None, help="Commit, branch or tag of a Hub model; the full commit is recorded.")
@click.option(
    "--gguf-file", default=None, help="The GGUF file of the folder or the Hub repository to read the model from."
)
@click.option(
    "--adapter",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=None,
    help="A PEFT adapter or an arm.",
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="auto",
    show_default=True,
    help="auto: bfloat16 on a GPU or a CPU that has it.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 …")
@click.option("--threads", type=click.IntRange(min=1), default=None, help="Threads of a CPU.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=30, show_default=True, help="Longest response.")
@click.option(
    "--batch-tokens",
    type=click.IntRange(min=64),
    default=16384,
    show_default=True,
    help="Cached positions held at once.",
)
@click.option(
    "--max-pairs",
    type=click.IntRange(min=1),
    default=None,
    help="Score a random sample of so many pairs in each group.",
)
@click.option(
    "--precision",
    type=click.FloatRange(min=0, min_open=True, max=1),
    default=None,
    help="Stop when POSIX is known to this share of itself.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of samples and intervals.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sensitivity"),
    show_default=True,
    help="Folder to write.",
)
@click.option("--budget", is_flag=True, help="Say what it would cost, and stop.")
def main(
    prompts: Path,
    model: str,
    revision: str | None,
    gguf_file: str | None,
    adapter: Path | None,
    dtype: str,
    device: str,
    threads: int | None,
    max_new_tokens: int,
    batch_tokens: int,
    max_pairs: int | None,
    precision: float | None,
    seed: int,
    out: Path,
    budget: bool,
) -> None:
    """Measure how much a model's answers move when only the wording of PROMPTS moves.

    PROMPTS is JSON Lines: {"group_id": …, "prompt": …}, with an "output" where the right answer is known. Prompts that ask for
    the same thing share a group_id. The model generates, or classifies. A run that is killed goes on when it is called again.
    """
    with reported():
        from steady.measure.loading import Named, quiet
        from steady.measure.measure import Limits, measure_model, summarise
        from steady.measure.page import table

        quiet(threads)
        named = Named(model, revision, adapter, dtype, device, gguf_file=gguf_file)  # type: ignore[arg-type]
        limits = Limits(max_new_tokens, batch_tokens, max_pairs, precision, seed)
        measure_model(named, prompts, out, limits, lambda line: click.echo(line, err=True), budget)
        if not budget:
            click.echo(table(summarise(out, draws=2000, confidence=0.95, seed=seed)))
            click.echo(f"wrote {out}: measures.json, index.html, the answers and the matrices")
