"""Measuring from Python: a model, a function or answers that are there already, on groups of prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from steady.errors import SteadyError
from steady.measure.matching import NORMALIZED, check_outputs, find_matcher
from steady.measure.prompt_files import PromptFile, collect, read_prompt_file
from steady.measure.prompt_rows import row_drafts
from steady.measure.report import Compared, Report, compared, report_of
from steady.measure.runs import Run, RunSettings
from steady.measure.subject import CallableSubject, GivenAnswers, Matrix, Subject
from steady.metrics.resampling import Bootstrap
from steady.records import Asked

Groups = str | Path | Mapping[str, Sequence[Any]] | Sequence[Any]
Function = Callable[[list[Asked]], Sequence[str]]


@dataclass(frozen=True)
class GivenGroups:
    """Answers that are there already, by group and prompt, in the order of `groups`.

    `matrices` are `(N, N)` for each group of N prompts, log P(answer of the column | prompt of the row) in nats, and `lengths` the
    tokens of each answer, the end token included; without them there is no POSIX.
    """

    answers: Sequence[Sequence[str]]
    matrices: Sequence[ArrayLike] | None = None
    lengths: Sequence[Sequence[int]] | None = None


class Settings(TypedDict, total=False):
    """What `measure` takes beside the subject and the groups; the names and defaults are those of the command's options."""

    name: str
    match: str
    outputs: Mapping[str, str | Sequence[str]] | Sequence[str | Sequence[str]]
    draws: int
    confidence: float
    seed: int
    max_new_tokens: int
    batch_tokens: int
    max_pairs: int | None
    chat_template: bool | str | None
    system: str
    thinking: bool
    stop: tuple[str, ...]


FEWEST_DRAWS = 100
# Settings that a function or answers cannot follow
OF_MODELS = ("max_new_tokens", "batch_tokens", "max_pairs", "chat_template", "system", "thinking", "stop")


def measure(
    subject: Subject | GivenGroups | Sequence[Sequence[str]] | tuple[Any, Any] | str | Function,
    groups: Groups,
    **settings: Unpack[Settings],
) -> Report:
    """Measure how much answers move when only the wording of prompts moves.

    Args:
        subject: a model and its tokenizer, as transformers loads them; the name of a model, as `--model` takes it; a function from
            a list of prompts to a list of answers; answers by group and prompt (`GivenGroups` with matrices); or any `Subject`.
        groups: a file; prompts by the name of their group; a list of groups; or rows such as those of a file. A prompt is a text
            or a list of messages.
        settings: `match` and the limits as the command's options have them; `outputs`: the right answer, or several, of each
            group, by name or in order; the chat settings are for models.

    Raises:
        SteadyError: groups, settings, the model or the answers are at fault.
    """
    # nobody would follow these
    if strange := [name for name in settings if name not in Settings.__annotations__]:
        raise SteadyError(f"{strange[0]}: no setting of measure. There are: {', '.join(Settings.__annotations__)}.")
    if not _is_model(subject) and (unused := [name for name in OF_MODELS if name in settings]):
        raise SteadyError(f"{unused[0]}: a setting of models, which {type(subject).__name__} is not. Leave it out.")
    file = _prompts(groups, settings.get("outputs"))
    matcher = find_matcher(settings.get("match", NORMALIZED))
    bootstrap = _bootstrap(settings.get("draws", 2000), settings.get("confidence", 0.95), settings.get("seed", 0))
    check_outputs(file, matcher)
    opened = _subject(subject, file, settings)
    chosen, skipped = opened.fitting(file)
    if not chosen:
        raise SteadyError(
            "no group has two prompts that can be asked: " + "; ".join(item.reason for item in skipped[:5])
        )
    # in memory: a function is quick, and whoever wants to go on after a kill calls the command
    plan = opened.bundles(chosen, None)
    scored = [
        group for places in plan for group in opened.score([chosen[place] for place in places], lambda line: None)
    ]
    skipped += opened.unanswered()
    order = {group.id: place for place, group in enumerate(chosen)}
    answered = sorted((group for group in scored if len(group.predictions) > 1), key=lambda group: order[group.id])
    asked = RunSettings(subject=opened.name, facts=opened.facts, prompts=file.digest)
    prompts = {prompt.id: prompt for prompt in file.prompts}
    run = Run(asked, prompts, answered, skipped, opened.notes(), opened.repeats())
    return report_of(run, matcher, bootstrap)


def compare(*reports: Report, draws: int = 2000, confidence: float = 0.95, seed: int = 0) -> Compared:
    """Reports on the same prompts, each compared with the first; SteadyError where they have no group of prompts in common."""
    return compared(reports, _bootstrap(draws, confidence, seed))


def _bootstrap(draws: int, confidence: float, seed: int) -> Bootstrap:
    if draws < FEWEST_DRAWS or not 0 < confidence < 1:
        raise SteadyError(
            f"draws {draws}, confidence {confidence}: at least {FEWEST_DRAWS} draws, and a confidence between 0 and 1."
        )
    return Bootstrap(draws, confidence, seed)


def _is_model(subject: Any) -> bool:
    """Whether it is a model's name, or a model and its tokenizer."""
    # every model of transformers that can be measured has `generate`; a pair of lists of answers has not
    pair = isinstance(subject, tuple) and len(subject) == 2
    return isinstance(subject, str) or (pair and hasattr(subject[0], "generate"))


def _prompts(groups: Groups, outputs: Any) -> PromptFile:
    are_rows = not isinstance(groups, str | Path | Mapping) and all(isinstance(item, Mapping) for item in groups)
    if outputs is not None and (are_rows or isinstance(groups, str | Path)):
        raise SteadyError(
            "outputs: they are of groups by name or in order; rows and files have an `output` of their own."
        )
    if isinstance(groups, str | Path):
        return read_prompt_file(Path(groups))
    rows = list(map(dict, groups)) if are_rows else _rows(groups, outputs)
    return collect(Path("groups"), enumerate(rows, start=1), row_drafts)


def _rows(groups: Mapping[str, Sequence[Any]] | Sequence[Any], outputs: Any) -> list[dict[str, Any]]:
    """The groups as rows of a file."""
    named = groups if isinstance(groups, Mapping) else {str(place): members for place, members in enumerate(groups)}
    if strange := [name for name, members in named.items() if isinstance(members, str) or not members]:
        raise SteadyError(f"group {strange[0]}: expected a list of prompts, got {named[strange[0]]!r:.60}.")
    if outputs is not None and not isinstance(outputs, Mapping) and len(outputs) != len(named):
        raise SteadyError(f"outputs: {len(outputs)} of {len(named)} groups; there is one, or a list, for each group.")
    # outputs in order belong to the groups in order
    given = outputs if isinstance(outputs, Mapping) else dict(zip(named, outputs or [], strict=False))
    if unknown := [name for name in given if name not in named]:
        raise SteadyError(f"outputs: there is no group {unknown[0]!r}. There are: {', '.join(map(str, named)):.300}.")
    # a row of a file has a list of outputs, never a tuple
    outputs_of = {name: list(one) if isinstance(one := given.get(name), tuple) else one for name in named}
    return [
        {"group_id": name, "prompt" if isinstance(prompt, str) else "messages": prompt, "output": outputs_of[name]}
        for name, members in named.items()
        for prompt in members
    ]


def _subject(subject: Any, file: PromptFile, settings: Settings) -> Subject:
    name = settings.get("name", "")
    if _is_model(subject):
        return _model(subject, settings)
    if hasattr(subject, "fitting") and hasattr(subject, "score"):
        found: Subject = subject
        return found
    # after the tests above, since a model can be called as well
    if callable(subject):
        called = getattr(subject, "__qualname__", type(subject).__name__)
        return CallableSubject(name or called, {"function": called}, subject)
    given = subject if isinstance(subject, GivenGroups) else GivenGroups(subject)
    try:
        # arrays of NumPy serve too
        answers = [list(texts) for texts in given.answers if not isinstance(texts, str)]
    except TypeError as error:
        raise SteadyError(
            f"{type(subject).__name__} {subject!r:.60} cannot be measured. Give (model, tokenizer), the name of a model, a function "
            "from a list of prompts to a list of answers, or a list of answers for each group."
        ) from error
    return _given(name or "answers", replace(given, answers=answers), file)


def _model(subject: Any, settings: Settings) -> Subject:
    from steady.inference.named import Named, open_language
    from steady.measure.local import Limits, LocalModel, local_model

    given: dict[str, Any] = dict(settings)
    limits = Limits(**{field.name: given[field.name] for field in fields(Limits) if field.name in given})
    chat = {key: given[key] for key in ("chat_template", "system", "thinking", "stop") if key in given}
    if isinstance(subject, str):
        return local_model(Named(subject, **chat), limits)
    model, tokenizer = subject
    name = settings.get("name") or str(getattr(model, "name_or_path", "")) or type(model).__name__
    return LocalModel(name, {"model": name}, open_language(model, tokenizer, Named(name, **chat)), limits)


def _given(name: str, given: GivenGroups, file: PromptFile) -> Subject:
    members: dict[str, list[str]] = {}
    for prompt in file.prompts:
        members.setdefault(prompt.group_id, []).append(prompt.id)
    # by group, since two wrong counts can add up to a right one
    shapes = [[len(ids) for ids in members.values()], [len(answers) for answers in given.answers]]
    if shapes[0] != shapes[1]:
        raise SteadyError(
            f"{name}: groups of {shapes[0]} prompts and answers of {shapes[1]}; there is one answer for each prompt."
        )
    pairs = zip(members.values(), given.answers, strict=True)
    answers = {prompt: answer for ids, texts in pairs for prompt, answer in zip(ids, texts, strict=True)}
    if given.matrices is None:
        return GivenAnswers(name, {}, answers)
    # without lengths an answer counts as one token, as a label of a classifier does
    lengths = [[1] * len(texts) for texts in given.answers] if given.lengths is None else given.lengths
    if not len(given.matrices) == len(lengths) == len(members):
        raise SteadyError(
            f"{name}: {len(given.matrices)} matrices and {len(lengths)} lists of lengths for {len(members)} groups; one each."
        )
    matrices = {
        group: Matrix(np.asarray(matrix, dtype=np.float64), np.asarray(counts, dtype=np.float64))
        for group, matrix, counts in zip(members, given.matrices, lengths, strict=True)
    }
    return GivenAnswers(name, {}, answers, matrices)
