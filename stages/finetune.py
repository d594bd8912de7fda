"""Train one arm: nothing, a probe, LoRA or every weight."""

import logging
import os
import sys
import time
from pathlib import Path

import click

from stages.options import file_option, folder_option, params_option
from stages.process import stage_process
from steady.errors import reported
from steady.models.ranks import joined, written_by_first


@click.command(help=__doc__)
@click.option("--arm", required=True, help="A key of `arms` in the parameters.")
@params_option
@file_option("--train", required=True, help="Examples of the train split.")
@file_option("--schedule", required=True, help="Which wording each example is shown under, epoch by epoch.")
@file_option("--phrasebook", required=True, help="The wordings that the schedule names.")
@file_option("--validation", required=True, help="Prompts that choose the best epoch.")
@folder_option("--own", required=True, help="Folder of the file that `sft.preview_prompts` names.")
@folder_option("--out", required=True, help="Folder of the arm: weights, tokenizer, manifest, card.")
@folder_option("--curves", required=True, help="Folder of the DVCLive curves and of the previews.")
def main(arm: str, params: Path, train: Path, schedule: Path, phrasebook: Path, **paths: Path) -> None:  # noqa: D103
    with reported(), stage_process("stages.finetune") as world, joined(world):
        from steady.models.load import quiet_libraries

        quiet_libraries()  # before the Trainer is imported, for it imports PEFT
        from steady.finetune.finetune import finetune
        from steady.finetune.params import FinetuneParams
        from steady.finetune.run import TrainingData, label_list
        from steady.parameters import read_params
        from steady.prompts.own_prompts import read_own_prompts
        from steady.prompts.schedule import TrainingPrompts
        from steady.records import Prompt, read_records

        started, view = time.perf_counter(), read_params(params, FinetuneParams)
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
        logging.getLogger("steady").setLevel(logging.INFO)
        prompts = TrainingPrompts.read(train, schedule, phrasebook)
        data = TrainingData(
            prompts,
            validation=read_records(paths["validation"], Prompt),
            labels=label_list(view.data.labels, prompts, view.model.task),
            multi_label=view.data.multi_label,
            own_prompts=read_own_prompts(view.of_arm(arm).sft.preview_prompts, paths["own"]),
        )
        click.echo(f"finetune {arm}: {len(prompts)} examples of {train}")
        root = Path(os.environ.get("DVC_ROOT", "."), ".checkpoints")
        with written_by_first(paths["out"], paths["curves"]) as (out, curves):
            training = finetune(arm, view, data, out, curves, root).training
        share = f"{training.get('trainable_percent', 0):g} % trainable"
        click.echo(f"finetune {arm}: {paths['out']}, {share}, {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
