"""Score one arm on the validation and test prompts: quality with intervals, every prediction kept."""

import os
import time
from pathlib import Path

import click

from stages.options import file_option, folder_option, params_option
from stages.process import stage_process
from steady.errors import reported
from steady.models.ranks import joined


@click.command(help=__doc__)
@click.option("--arm", required=True, help="Name of the arm, for the messages.")
@params_option
@folder_option("--model", required=True, help="Folder of the arm.")
@folder_option("--prepared", required=True, help="The splits, for the references beside the arm.")
@file_option("--prompts", required=True, help="Validation and test prompts.")
@folder_option("--own", required=True, help="Folder of the file that `evaluate.prompts` names.")
@file_option("--predictions", required=True, help="Predictions to write, in the order of the prompts.")
@folder_option("--texts", required=True, help="Folder to write: scores of generated texts, answers to own prompts.")
@file_option("--confusion", required=True, help="Actual and predicted label of every test prompt.")
@file_option("--metrics", required=True, help="Metrics to write.")
def main(arm: str, params: Path, model: Path, prepared: Path, prompts: Path, own: Path, **out: Path) -> None:  # noqa: D103
    with reported(), stage_process("stages.evaluate") as world, joined(world):
        from steady.evaluate.evaluate import EvaluateStage, evaluate_arm, quality_metrics, write_texts
        from steady.metrics.arm_quality import confusion_rows
        from steady.metrics.files import write_metrics
        from steady.parameters import read_params
        from steady.prompts.own_prompts import read_own_prompts
        from steady.records import Prompt, read_records, write_json, write_records

        started = time.perf_counter()
        view = read_params(params, EvaluateStage)
        asked = read_records(prompts, Prompt)
        root = Path(os.environ.get("DVC_ROOT", "."))
        found = evaluate_arm(model, asked, read_own_prompts(view.evaluate.prompts, own), view, root)
        write_records(out["predictions"], found.answers.predictions)
        write_texts(out["texts"], found.scores, found.own)
        write_json(out["confusion"], confusion_rows(asked, found.answers.predictions, task=found.manifest.label_task))
        metrics = quality_metrics(asked, found, prepared, view)
        write_metrics(out["metrics"], metrics)
        found.clear()  # only after everything is written, so that an interrupted run can still resume
        accuracy = metrics.test.measures["accuracy"].value
        took = f"wrote {out['metrics']} in {time.perf_counter() - started:.1f} s"
        click.echo(f"evaluate {arm}: {len(asked)} prompts, test accuracy {accuracy:.4f}, {took}")


if __name__ == "__main__":
    main()
