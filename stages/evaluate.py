"""Score one arm on the validation and test prompts: quality with intervals, every prediction kept."""

import time
from pathlib import Path

import click

from steady.errors import reported

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(help=__doc__)
@click.option("--arm", required=True, help="Name of the arm, for the messages.")
@click.option("--params", type=FILE, default=Path("params.yaml"), show_default=True, help="Settings of the run.")
@click.option("--model", type=FOLDER, required=True, help="Folder of the arm.")
@click.option("--prepared", type=FOLDER, required=True, help="The splits, for the references beside the arm.")
@click.option("--prompts", type=FILE, required=True, help="Validation and test prompts.")
@click.option("--predictions", type=FILE, required=True, help="Predictions to write, in the order of the prompts.")
@click.option("--confusion", type=FILE, required=True, help="Actual and predicted label of every test prompt.")
@click.option("--metrics", type=FILE, required=True, help="Metrics to write.")
def main(  # noqa: D103
    arm: str,
    params: Path,
    model: Path,
    prepared: Path,
    prompts: Path,
    predictions: Path,
    confusion: Path,
    metrics: Path,
) -> None:
    with reported():
        from steady.evaluation import EvaluateStage, quality_metrics
        from steady.metrics.arm_quality import confusion_rows
        from steady.metrics.files import write_metrics
        from steady.parameters import read_params
        from steady.records import Prompt, read_records, write_json, write_records
        from steady.scoring.answers import score_arm

        started = time.perf_counter()
        view = read_params(params, EvaluateStage)
        asked = read_records(prompts, Prompt)
        answers, manifest = score_arm(model, asked, view.model, view.evaluate.batch_size, view.runtime)
        write_records(predictions, answers)
        write_json(confusion, confusion_rows(asked, answers))
        found = quality_metrics(asked, answers, manifest, prepared, view)
        write_metrics(metrics, found)
        accuracy = found["test"]["accuracy"]["value"]
        seconds = time.perf_counter() - started
        click.echo(
            f"evaluate {arm}: {len(asked)} prompts, test accuracy {accuracy:.4f}, wrote {metrics} in {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
