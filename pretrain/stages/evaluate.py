"""Stage ``evaluate``: an exported model to its figures."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import click
import torch
from tokenizers import Tokenizer

from pretrain import evaluation
from pretrain.corpus import read_rows, read_tasks
from pretrain.generation import load_model
from pretrain.params import read_params
from pretrain.unseen import read_unseen_tasks


@click.command()
@click.option("--params", "params_path", type=Path, default=Path("pretrain/params.yaml"))
@click.option("--data", type=Path, default=Path("pretrain/data"))
@click.option("--model", type=Path, required=True)
@click.option("--output", type=Path, required=True)
def main(params_path: Path, data: Path, model: Path, output: Path) -> None:
    """Measure a model on held-out rows and on unseen tasks."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logger = logging.getLogger(__name__)
    torch.manual_seed(0)
    params = read_params(params_path)
    prepared = data / "prepared"
    held_out = evaluation.HeldOut(
        train=read_rows(prepared / "train.jsonl"),
        rows=read_rows(prepared / "held_out.jsonl"),
        tasks=read_tasks(prepared / "tasks.json"),
    )
    loaded = load_model(model)
    settings = params.evaluate
    record: dict[str, Any] = {"classification": evaluation.evaluate_classification(loaded, held_out, settings)}
    logger.info("%s", record["classification"])
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    record["language"] = evaluation.evaluate_language(loaded, held_out, tokenizer, settings)
    logger.info("%s", record["language"])
    unseen = read_unseen_tasks(settings.unseen_tasks, settings.unseen_rows_per_task, params.corpus.max_labels)
    record["unseen_tasks"] = evaluation.evaluate_unseen(loaded, unseen, settings)
    record["generations"] = evaluation.generate_samples(loaded, held_out, settings)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
