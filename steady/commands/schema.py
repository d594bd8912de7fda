"""Write the JSON schema of `params.yaml`."""

from pathlib import Path

import click

from steady.errors import reported


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("params.schema.json"))
def main(out: Path) -> None:
    """Write the JSON schema of params.yaml, which editors use to complete and check keys."""
    with reported():
        from steady.compare.params import CompareStage
        from steady.evaluate.evaluate import EvaluateStage
        from steady.finetune.finetune import FinetuneParams
        from steady.parameters_schema import params_schema
        from steady.prepare.params import PrepareParams
        from steady.prompts.params import FormatStage
        from steady.records import write_json
        from steady.sensitivity.sensitivity import SensitivityStage

        views = (PrepareParams, FormatStage, FinetuneParams, EvaluateStage, SensitivityStage, CompareStage)
        write_json(out, params_schema(views))
        click.echo(f"wrote {out}; name it in the settings of your editor as the schema of params.yaml")
