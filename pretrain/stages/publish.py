"""Stage ``publish``: an exported model with its card and figures to ``models/base``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click
from transformers import AutoConfig, AutoModel

from pretrain.architectures import count_parameters
from pretrain.card import Facts, render_card
from pretrain.corpus import read_tasks
from pretrain.data_page import render_data_page
from pretrain.export import SUMS, write_sums
from pretrain.params import read_params

RECORDS = ("curve.json", "environment.json")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


@click.command()
@click.argument("name")
@click.option("--params", "params_path", type=Path, default=Path("pretrain/params.yaml"))
@click.option("--prepared", type=Path, default=Path("pretrain/data/prepared"))
@click.option("--exported", type=Path, required=True)
@click.option("--trained", type=Path, required=True)
@click.option("--evaluation", type=Path, required=True)
@click.option("--output", type=Path, required=True, help="Folder of all published models.")
@click.option("--sums", type=Path, required=True, help="Copy of the sums, for the pipeline.")
def main(
    name: str,
    params_path: Path,
    prepared: Path,
    exported: Path,
    trained: Path,
    evaluation: Path,
    output: Path,
    sums: Path,
) -> None:
    """Publish model NAME of the params file."""
    folder = output / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(exported, folder)
    shutil.copyfile(evaluation, folder / "evaluation.json")
    for record in RECORDS:
        shutil.copyfile(trained / record, folder / record)
    write_sums(folder)
    with (prepared / "train.jsonl").open(encoding="utf-8") as lines:
        train_rows = sum(1 for _ in lines)
    params = read_params(params_path).models[name]
    tasks = read_tasks(prepared / "tasks.json")
    facts = Facts(
        name=name,
        parameters=count_parameters(
            AutoModel.from_config(AutoConfig.from_pretrained(exported, trust_remote_code=False))
        ),
        params=params,
        curve=read_json(trained / "curve.json"),
        environment=read_json(trained / "environment.json"),
        evaluation=read_json(evaluation),
        tasks=tasks,
        train_rows=train_rows,
        sums=(folder / SUMS).read_text(encoding="utf-8"),
    )
    (folder / "README.md").write_text(render_card(facts), encoding="utf-8")
    (output / "DATA.md").write_text(render_data_page(tasks, train_rows), encoding="utf-8")
    sums.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / SUMS, sums)


if __name__ == "__main__":
    main()
