"""Stage ``tokenizer``: training rows to a byte-level BPE."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from pretrain.corpus import read_rows, read_tasks
from pretrain.params import read_params
from pretrain.tokenizer import train_tokenizer


@click.command()
@click.option("--params", "params_path", type=Path, default=Path("pretrain/params.yaml"))
@click.option("--data", type=Path, default=Path("pretrain/data/prepared"))
@click.option("--output", type=Path, default=Path("pretrain/data/tokenizer.json"))
def main(params_path: Path, data: Path, output: Path) -> None:
    """Train the tokenizer on inputs, outputs and definitions of the training rows."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    params = read_params(params_path).tokenizer
    rows = read_rows(data / "train.jsonl")
    tasks = read_tasks(data / "tasks.json")
    texts = [f"{row.input}\n{row.output}" for row in rows]
    texts += [task.definition for task in tasks.values()] * 5
    tokenizer = train_tokenizer(texts, params.vocab_size, params.sentinels)
    tokenizer.save(str(output))
    logging.getLogger(__name__).info("wrote %s, %d entries", output, tokenizer.get_vocab_size())


if __name__ == "__main__":
    main()
