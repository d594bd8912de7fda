"""Task quality of an arm: the evaluate stage, and the references that need no language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steady.metrics.answers import read_answers
from steady.metrics.arm_quality import evaluate_metrics
from steady.metrics.arm_text import generated_metrics, text_scores
from steady.metrics.params import EvaluateParams
from steady.metrics.references import LabelledTexts, text_references
from steady.metrics.resampling import Bootstrap
from steady.metrics.results import EvaluateResults
from steady.metrics.run import GENERATED, NOTE, OWN
from steady.models.arm import ArmManifest
from steady.models.params import ModelParams
from steady.parameters import Runtime, StageParams
from steady.records import Example, OwnAnswer, Prompt, TextScores, read_records, write_bytes, write_records
from steady.scoring.answers import Scoring, answer, open_arm
from steady.scoring.predictions import ArmAnswers


class EvaluateStage(StageParams):
    """The view of `params.yaml` that the evaluate stage has."""

    seed: int
    model: ModelParams
    evaluate: EvaluateParams
    runtime: Runtime


@dataclass(frozen=True)
class Evaluated:
    """The answers of an arm: to the prompts of the run, with the `scores` of generated texts, and to the user's own prompts.
    `temperature` is that of a model that generates (`fit_token_temperature`), None for a classifier.
    """

    manifest: ArmManifest
    answers: ArmAnswers
    scores: list[TextScores]
    own: list[OwnAnswer]
    temperature: float | None

    def clear(self) -> None:
        """Remove what a stopped run would go on from."""
        self.answers.partial.clear()


def evaluate_arm(
    folder: Path, prompts: Sequence[Prompt], own: Sequence[Prompt], view: EvaluateStage, root: Path | None
) -> Evaluated:
    """Answer the prompts with the arm in `folder`; a stopped run goes on from what is saved below `root`.
    SteadyError where the arm is missing, damaged, or made from another base, or a prompt does not fit the model.
    """
    settings = Scoring(view.model, view.evaluate.batch_size, view.evaluate.max_new_tokens, view.runtime, root)
    arm = open_arm(folder, settings)
    answers = answer(arm, prompts, references=True)
    task = arm.manifest.label_task
    scored = zip(prompts, answers.predictions, answers.references, strict=True) if answers.references else []
    scores = [text_scores(prompt, prediction, task, reference) for prompt, prediction, reference in scored]
    found = answer(arm, own) if own else ArmAnswers([])
    found.partial.clear()  # few prompts: scored again after an interruption
    texts = [
        OwnAnswer(prompt_id=prompt.id, prompt=prompt.prompt, text=prediction.text, label=prediction.parsed)
        for prompt, prediction in zip(own, found.predictions, strict=True)
    ]
    temperature = None
    if arm.scorer is not None and not arm.manifest.adjusted:  # of labels another one is fitted
        from steady.inference.token_temperature import fit_token_temperature

        validation = [prompt for prompt in prompts if prompt.split == "validation"]
        temperature = fit_token_temperature(arm.scorer, validation)
    return Evaluated(arm.manifest, answers, scores, texts, temperature)


def quality_metrics(
    prompts: Sequence[Prompt], found: Evaluated, prepared: Path, view: EvaluateStage
) -> EvaluateResults:
    """`evaluate.json`: task quality and, beside the arms of a label task, the references that need no language model."""
    task, own = found.manifest.label_task, view.evaluate
    bootstrap = Bootstrap(own.bootstrap_draws, own.confidence, view.seed)
    predictions, references = found.answers.predictions, None
    if task.labels:
        # The majority and TF-IDF with logistic regression on the plain inputs: a prompt around them would only add shared words.
        splits = [read_records(prepared / f"{split}.jsonl", Example) for split in ("train", "validation", "test")]
        train, validation = (
            LabelledTexts([one.input for one in rows], [one.output for one in rows]) for rows in splits[:2]
        )
        inputs = {example.id: example.input for example in splits[2]}
        texts = [inputs[prompt.example_id] for prompt in prompts if prompt.split == "test"]
        references = text_references(train, validation, texts, task, view.seed)
    metrics = evaluate_metrics(
        read_answers(prompts, predictions, task.labels, task.multi_label),
        bootstrap,
        references=references,
        trainable_percent=found.manifest.training.get("trainable_percent"),
        temperature=found.temperature,
    )
    answers = list(zip(prompts, predictions, strict=True))
    metrics.generated = generated_metrics(answers, found.scores, bool(task.labels), own.within_words, bootstrap)
    if found.scores:
        metrics.generated.max_new_tokens = own.max_new_tokens
        metrics.generated.cut_prompts = found.answers.cut
    metrics.task = view.model.task
    return metrics


def write_texts(folder: Path, scores: Sequence[TextScores], own: Sequence[OwnAnswer]) -> None:
    """Write the scores of generated texts and the answers to the user's own prompts, as far as there are any.
    A classifier has neither. The folder is an output of the stage all the same, and then holds a line that says why.
    """
    for name, records in ((GENERATED, scores), (OWN, own)):
        if records:
            write_records(folder / name, records)
        else:
            (folder / name).unlink(missing_ok=True)
    if not scores and not own:
        write_bytes(folder / NOTE, b"No texts: this model answers with a label alone, see predictions.jsonl.\n")
