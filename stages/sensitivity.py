"""Score one arm on the reworded prompts: how far do its answers move when only the wording moves?"""

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
@file_option("--evaluated", required=True, help="Metrics of the evaluate stage; the temperature is in them.")
@file_option("--prompts", required=True, help="Groups of reworded prompts.")
@file_option("--wordings", required=True, help="What each wording is.")
@file_option("--predictions", required=True, help="Predictions to write, in the order of the prompts.")
@folder_option("--matrices", required=True, help="Folder to write: the matrices M[i][j] of every group.")
@file_option("--metrics", required=True, help="Metrics to write.")
def main(arm: str, params: Path, model: Path, evaluated: Path, prompts: Path, wordings: Path, **out: Path) -> None:  # noqa: D103
    with reported(), stage_process("stages.sensitivity") as world, joined(world):
        from steady.metrics.files import read_metrics, write_metrics
        from steady.metrics.results import EvaluateResults
        from steady.parameters import read_params
        from steady.records import Prompt, Wording, read_records, write_records
        from steady.sensitivity.sensitivity import SensitivityStage, answer_reworded, moved_answers, write_groups

        started = time.perf_counter()
        view = read_params(params, SensitivityStage)
        asked = read_records(prompts, Prompt)
        temperature = read_metrics(evaluated, EvaluateResults).temperature
        root = Path(os.environ.get("DVC_ROOT", "."))
        manifest, answers = answer_reworded(model, asked, view, root, temperature)
        write_records(out["predictions"], answers.predictions)
        write_groups(out["matrices"], answers)
        known = read_records(wordings, Wording)
        write_metrics(out["metrics"], moved_answers(answers, asked, known, manifest, temperature, view))
        answers.partial.clear()  # only after everything is written, so that an interrupted run can still resume
        seconds = time.perf_counter() - started
        click.echo(f"sensitivity {arm}: {len(asked)} prompts, wrote {out['metrics']} in {seconds:.1f} s")


if __name__ == "__main__":
    main()
