"""Stage ``publish``: an exported model with its card and figures to ``models/base``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
from transformers import AutoConfig, AutoModel

from pretrain.architectures import count_parameters
from pretrain.card import Facts, render_card, render_data_page
from pretrain.corpus import read_tasks
from pretrain.export import SUMS, write_sums
from pretrain.params import read_params


@click.command()
@click.argument("name")
@click.option("--params", "params_path", type=Path, default=Path("pretrain/params.yaml"))
@click.option("--prepared", type=Path, default=Path("pretrain/data/prepared"))
@click.option("--exported", type=Path, required=True)
@click.option("--curve", type=Path, required=True)
@click.option("--evaluation", type=Path, required=True)
@click.option("--output", type=Path, required=True, help="Folder of all published models.")
@click.option("--sums", type=Path, required=True, help="Copy of the sums, for the pipeline.")
def main(
    name: str,
    params_path: Path,
    prepared: Path,
    exported: Path,
    curve: Path,
    evaluation: Path,
    output: Path,
    sums: Path,
) -> None:
    """Publish model NAME of the params file."""
    folder = output / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(exported, folder)
    shutil.copyfile(evaluation, folder / "evaluation.json")
    shutil.copyfile(curve, folder / "curve.json")
    write_sums(folder)
    with (prepared / "train.jsonl").open(encoding="utf-8") as lines:
        train_rows = sum(1 for _ in lines)
    params = read_params(params_path).models[name]
    tasks = read_tasks(prepared / "tasks.json")
    facts = Facts(
        name=name,
        parameters=count_parameters(AutoModel.from_config(AutoConfig.from_pretrained(exported))),
        params=params,
        card=params.card,
        curve=json.loads(curve.read_text(encoding="utf-8")),
        evaluation=json.loads(evaluation.read_text(encoding="utf-8")),
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
