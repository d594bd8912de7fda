"""Export an arm as one model."""

from pathlib import Path

import click

from steady.commands import FOLDER, command, params_option


@command()
@click.argument("arm_folder", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--full-precision", is_flag=True, help="Merge the adapter of a quantised base into its full weights.")
@params_option
def main(arm_folder: Path, out: Path, full_precision: bool, params: Path) -> None:
    """Add the adapter in ARM_FOLDER (models/tuned, say) to the weights of its base and write the whole model to OUT, in float32.

    OUT is written only if its logits are those of the base with the adapter beside it, within 1e-5.
    """
    from steady.models.load import quiet_libraries
    from steady.models.merge import TOLERANCE, merge_arm
    from steady.models.params import ModelParams
    from steady.parameters import StageParams, read_params

    # nothing but the base is read, so a copy without the stages' sections serves too
    class View(StageParams):
        model: ModelParams

    quiet_libraries()
    merged = merge_arm(arm_folder, out, read_params(params, View).model, full_precision=full_precision)
    click.echo(
        f"{merged.folder}: {merged.parameters:,} parameters in float32; logits differ by {merged.difference:.1e}, "
        f"allowed is {TOLERANCE:.0e}."
    )
