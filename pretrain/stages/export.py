"""Stage ``export``: trained weights to a 16-bit model folder."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from pretrain.export import export_model
from pretrain.params import read_params


@click.command()
@click.argument("name")
@click.option("--params", "params_path", type=Path, default=Path("pretrain/params.yaml"))
@click.option("--trained", type=Path, required=True)
@click.option("--tokenizer", type=Path, default=Path("pretrain/data/tokenizer.json"))
@click.option("--output", type=Path, required=True)
def main(name: str, params_path: Path, trained: Path, tokenizer: Path, output: Path) -> None:
    """Export model NAME of the params file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    length = read_params(params_path).models[name].architecture.max_position_embeddings
    export_model(trained, tokenizer, length, output)
    size = sum(path.stat().st_size for path in output.iterdir())
    logging.getLogger(__name__).info("wrote %s, %.1f MB", output, size / 1e6)


if __name__ == "__main__":
    main()
