"""What the stages read of `params.yaml`, all of them together."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steady.parameters import StageParams


def stage_views() -> "tuple[type[StageParams], ...]":
    """The view of every stage that reads parameters, in the order of the pipeline."""
    from steady.compare.params import CompareStage
    from steady.evaluate.evaluate import EvaluateStage
    from steady.finetune.params import FinetuneParams
    from steady.prepare.params import PrepareParams
    from steady.prompts.params import FormatStage
    from steady.sensitivity.sensitivity import SensitivityStage

    return (PrepareParams, FormatStage, FinetuneParams, EvaluateStage, SensitivityStage, CompareStage)


def check_params(path: Path) -> None:
    """Read a `params.yaml` as every stage will; SteadyError where a stage would refuse it; the faults are listed."""
    from steady.parameters import read_params

    # a stage looks only at its own sections
    for view in stage_views():
        read_params(path, view)
