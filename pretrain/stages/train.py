"""Stage ``train``: training rows and tokenizer to weights; one process or several (torchrun)."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import click
import torch
from tokenizers import Tokenizer
from torch import distributed

from pretrain.architectures import build_model, count_parameters
from pretrain.corpus import read_rows, read_tasks
from pretrain.objectives import build_objective
from pretrain.params import read_params
from pretrain.training import Runtime, Trainer, write_curve, write_environment

logger = logging.getLogger(__name__)


def join_processes() -> torch.device:
    """Join the other processes when a launcher such as torchrun started this one; returns the device."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


@click.command()
@click.argument("name")
@click.option("--params", "params_path", type=Path, default=Path("pretrain/params.yaml"))
@click.option("--data", type=Path, default=Path("pretrain/data"))
@click.option("--checkpoints", type=Path, default=Path("pretrain/.checkpoints"))
@click.option("--output", type=Path, required=True, help="Folder for weights and curve.")
@click.option("--save-steps", type=int, default=50, show_default=True)
@click.option("--logging-steps", type=int, default=10, show_default=True)
@click.option("--minutes", type=float, help="Begin the decay early enough to end by then.")
@click.option("--stop-after", type=int, help="Stop at this step, to be resumed.")
def main(
    name: str,
    params_path: Path,
    data: Path,
    checkpoints: Path,
    output: Path,
    save_steps: int,
    logging_steps: int,
    minutes: float | None,
    stop_after: int | None,
) -> None:
    """Train model NAME of the params file, resuming from its newest sound checkpoint."""
    device = join_processes()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    params = read_params(params_path).models[name]
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    model = build_model(params.architecture, tokenizer.get_vocab_size(), params.train.seed)
    logger.info("%s: %d parameters", name, count_parameters(model))
    rows, tasks = read_rows(data / "prepared/train.jsonl"), read_tasks(data / "prepared/tasks.json")
    feed, loss = build_objective(params, rows, tasks, tokenizer)
    deadline = None if minutes is None else time.time() + 60 * minutes
    runtime = Runtime(save_steps, logging_steps, deadline, device)
    trainer = Trainer(model, feed, loss, params.train, runtime, checkpoints / name)
    trainer.train(stop_after)
    if trainer.rank == 0 and trainer.progress.step == trainer.last_step:
        output.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(output)
        write_curve(output / "curve.json", trainer)
        write_environment(output / "environment.json", trainer)


if __name__ == "__main__":
    main()
