"""Stage ``prepare``: corpus to training rows, held-out rows and task facts."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from pretrain import corpus
from pretrain.params import CorpusParams, read_params

logger = logging.getLogger(__name__)


def read_source(params: CorpusParams) -> tuple[dict[str, dict[str, str]], list[corpus.Row]]:
    """Facts and rows from the checkout or the corpus file, whichever the params name."""
    if params.checkout is not None:
        limits = corpus.CheckoutLimits(params.max_file_bytes, params.max_characters, params.max_task_rows, params.seed)
        return corpus.read_checkout(params.checkout, limits)
    if params.rows is None or params.tasks is None:
        raise corpus.CorpusError("params.yaml sets neither corpus.checkout nor corpus.rows")
    return corpus.read_corpus_file(params.rows, params.tasks)


@click.command()
@click.option("--params", "params_path", type=Path, default=Path("pretrain/params.yaml"))
@click.option("--output", type=Path, default=Path("pretrain/data/prepared"))
def main(params_path: Path, output: Path) -> None:
    """Filter the corpus and set the held-out part aside."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    params = read_params(params_path).corpus
    try:
        facts, raw = read_source(params)
    except corpus.CorpusError as error:
        raise click.ClickException(str(error)) from error
    rows = list(corpus.clean_rows(raw))
    held_out = [r for r in rows if corpus.is_held_out(r.input, params.held_out_percent)]
    train = [r for r in rows if not corpus.is_held_out(r.input, params.held_out_percent)]
    tasks = corpus.build_tasks(facts, train, params.max_labels, params.min_rows_per_label)
    output.mkdir(parents=True, exist_ok=True)
    corpus.write_rows(output / "train.jsonl", train)
    corpus.write_rows(output / "held_out.jsonl", [r for r in held_out if r.task in tasks])
    corpus.write_tasks(output / "tasks.json", tasks)
    logger.info("read %d rows; %d train, %d held out", len(raw), len(train), len(held_out))
    named = sum(task.is_classification for task in tasks.values())
    logger.info("%d tasks, %d of them classification", len(tasks), named)


if __name__ == "__main__":
    main()
