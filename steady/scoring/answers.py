"""The answers of an arm to prompts."""

from collections.abc import Sequence
from pathlib import Path

from steady.models import ModelParams, prepare_torch
from steady.parameters import Runtime
from steady.records import Prediction, Prompt
from steady.scoring.arm import ArmManifest, load_scorer, read_manifest
from steady.scoring.predictions import classify


def score_arm(
    folder: Path, prompts: Sequence[Prompt], params: ModelParams, batch_size: int, runtime: Runtime
) -> tuple[list[Prediction], ArmManifest]:
    """The arm's answers, in the order of the prompts, and how the arm was made.

    Raises:
        SteadyError: the arm is missing, damaged, or made from another base.
    """
    manifest = read_manifest(folder)
    prepare_torch(params, manifest.seed)
    score = load_scorer(folder, params, runtime.device)
    return classify(score, prompts, manifest.labels, batch_size, runtime.progress), manifest
