"""The answers of an arm to prompts, whatever model it is: a label for each, or a text and, where there are labels, a choice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from steady.inference.arm import load_scorer
from steady.inference.classifier import Logits
from steady.metrics.results import CLASSIFIES
from steady.models.arm import ArmManifest, read_manifest
from steady.models.load import pick_device, prepare_torch
from steady.models.params import ModelParams
from steady.parameters import Runtime
from steady.records import Prompt
from steady.scoring.adjusting import adjusted
from steady.scoring.classifying import label_groups
from steady.scoring.parts import shared_logits
from steady.scoring.predictions import ArmAnswers, classify
from steady.scoring.resume import Partial, code_digest, fingerprint, partial_of

if TYPE_CHECKING:
    from steady.inference.scorer import Scorer


class Scoring(NamedTuple):
    """How an arm is asked: prompts in a batch, the longest answer in tokens, and where a stopped run is kept (None: nowhere).
    `temperature`: the matrices of a model that generates are made with the logits divided by it too.
    """

    model: ModelParams
    batch_size: int
    max_new_tokens: int
    runtime: Runtime
    root: Path | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class OpenArm:
    """A loaded arm; `logits` of a classifier, or `scorer` of a model that generates."""

    folder: Path
    manifest: ArmManifest
    settings: Scoring
    logits: Logits | None
    scorer: "Scorer | None"


def open_arm(folder: Path, settings: Scoring) -> OpenArm:
    """Load an arm; SteadyError where it is missing, damaged, or made from another base."""
    manifest = read_manifest(folder)
    params, device = settings.model, settings.runtime.device
    prepare_torch(params, manifest.seed)
    if params.task == CLASSIFIES:
        return OpenArm(folder, manifest, settings, load_scorer(folder, params, device), None)
    from steady.inference.arm import load_arm_language
    from steady.inference.likelihood import make_scorer
    from steady.inference.scorer import KEPT_SHARE

    language = load_arm_language(folder, params, device)
    # the budget counts positions: so many prompts of the longest length with their responses take the prompts' share of it
    positions = settings.batch_size * (manifest.max_length + settings.max_new_tokens)
    temperatures = () if settings.temperature is None else (settings.temperature,)
    scorer = make_scorer(language, settings.max_new_tokens, round(positions / KEPT_SHARE), temperatures)
    return OpenArm(folder, manifest, settings, None, scorer)


def answer(arm: OpenArm, prompts: Sequence[Prompt], *, paired: bool = False, references: bool = False) -> ArmAnswers:
    """Ask an arm; `paired`: make the matrix of every group of prompts, `references`: score the right answers too.
    SteadyError where a prompt does not fit the model, or its numbers are not finite.
    """
    task, settings = arm.manifest.label_task, arm.settings
    if arm.logits is not None:
        batch_size, progress = settings.batch_size, settings.runtime.progress
        partial = _partial(arm, prompts)
        texts = [prompt.prompt for prompt in prompts]
        score = shared_logits(arm.logits, texts, batch_size, partial, progress)
        predictions = classify(score, prompts, task.labels, batch_size, progress, task.multi_label)
        if arm.manifest.adjusted:
            predictions = adjusted(predictions, prompts, arm.manifest)
        groups = label_groups(prompts, predictions, task) if paired else []
        return ArmAnswers(predictions, groups=groups, partial=partial)
    from steady.scoring.generated import Wanted, generated_answers

    assert arm.scorer is not None
    # An adjusted answer is a choice among labels, whose matrix follows from the probabilities of the labels.
    wanted = Wanted(paired and not arm.manifest.adjusted, references)
    partial = _partial(arm, prompts, *wanted)
    answers = generated_answers(arm.scorer, prompts, task, wanted, partial, settings.runtime.progress)
    if not arm.manifest.adjusted:
        return answers
    predictions = adjusted(answers.predictions, prompts, arm.manifest)
    groups = label_groups(prompts, predictions, task) if paired else []
    return replace(answers, predictions=predictions, groups=groups)


def _partial(arm: OpenArm, prompts: Sequence[Prompt], *wanted: bool) -> Partial:
    """The folder of saved bundles: one for each arm, base, code version, set of prompts and scoring settings."""
    settings = arm.settings
    if settings.root is None:
        return Partial()
    base = Path(settings.model.id)
    return partial_of(
        settings.root,
        fingerprint(arm.folder),
        fingerprint(base) if base.is_dir() else "",
        settings.model,
        arm.scorer.batch_tokens if arm.scorer else settings.batch_size,
        settings.max_new_tokens,
        settings.temperature,
        str(pick_device(settings.runtime.device)),
        code_digest(),
        [(prompt.id, prompt.group_id, prompt.prompt, prompt.completion, prompt.references) for prompt in prompts],
        *wanted,
    )
