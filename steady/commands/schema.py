"""Write the JSON schema of `params.yaml`."""

from pathlib import Path

import click

from steady.errors import reported


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("params.schema.json"))
def main(out: Path) -> None:
    """Write the JSON schema of params.yaml, which editors use to complete and check keys."""
    with reported():
        from steady.comparison.settings import CompareStage
        from steady.evaluation import EvaluateStage
        from steady.preparing.settings import PrepareParams
        from steady.prompts.settings import FormatStage
        from steady.records import write_json
        from steady.schema import params_schema
        from steady.steadiness import SensitivityStage
        from steady.training.finetune import FinetuneParams

        views = (PrepareParams, FormatStage, FinetuneParams, EvaluateStage, SensitivityStage, CompareStage)
        write_json(out, params_schema(views))
        click.echo(f"wrote {out}; name it in the settings of your editor as the schema of params.yaml")
