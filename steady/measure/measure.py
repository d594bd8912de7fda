"""Measure any model on any file of groups: plan, budget, score bundle by bundle, keep, summarise."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steady.errors import SteadyError
from steady.inference.budget import Budget, budget_lines, calibration_groups, minutes, plan_budget
from steady.measure import runs
from steady.measure.group_measures import measure_groups
from steady.measure.loading import Measured, Named, load_measured
from steady.measure.page import page
from steady.measure.prompt_files import PromptFile, fitting, read_prompt_file
from steady.metrics.files import write_metrics
from steady.metrics.resampling import Bootstrap
from steady.records import Rejected, write_bytes
from steady.scoring.groups import PromptGroup, ScoredGroup, bundles, is_precise, sensitivity
from steady.scoring.resume import fingerprint

Say = Callable[[str], None]
MEASURES, PAGE = "measures.json", "index.html"
NOT_REACHED = "not_reached"


@dataclass(frozen=True)
class Limits:
    """How far a measurement goes.

    `max_new_tokens` bounds a response; `batch_tokens` the cached positions held at once; `max_pairs` the pairs of prompts
    scored in each group; `precision` (0.1 is 10 %) stops when POSIX is known so well; `seed` draws pairs and the order of groups.
    """

    max_new_tokens: int = 30
    batch_tokens: int = 16384
    max_pairs: int | None = None
    precision: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class _Job:
    """A loaded model, the groups to score with it and how."""

    measured: Measured
    groups: list[PromptGroup]
    lengths: dict[str, int]
    limits: Limits
    score: Callable[[Sequence[PromptGroup]], list[ScoredGroup]]
    memory: str
    positions: int


def measure_model(
    named: Named, prompts: Path, folder: Path, limits: Limits, say: Say, budget_only: bool = False
) -> None:
    """Score a file of groups into `folder`; a run that was killed goes on where it was.

    Raises:
        SteadyError: the file, the model or the folder is at fault.
    """
    file = read_prompt_file(prompts)
    measured = load_measured(named)
    lengths = dict(zip([p.id for p in file.prompts], measured.count([p.prompt for p in file.prompts]), strict=True))
    room = limits.max_new_tokens if measured.language and not measured.language.encodes else 0
    groups, skipped = fitting(file, lengths, measured.context, room)
    _tell_skipped(skipped, say)
    if not groups:
        raise SteadyError(f"{prompts}: no group is left with two prompts that fit the model; see above.")
    job = _job(measured, groups, lengths, limits, say)
    budget = _tell_budget(job, say)
    if budget_only:
        _tell_minutes(job, budget, say)
        return
    with runs.locked(folder):
        settings = _settings(named, measured, file, limits)
        if runs.open_run(folder, settings):
            say(f"{folder}: this run is finished already")
            return
        scored = _score_all(job, budget, folder, settings.key, say)
        reached = {group.id for group in scored}
        skipped += [
            file.skipped(group.prompt_ids[0], NOT_REACHED, f"group {group.id}: POSIX was precise enough without it")
            for group in groups
            if group.id not in reached
        ]
        runs.finish_run(folder, scored, file.prompts, skipped, settings.key)


def _tell_skipped(skipped: Sequence[Rejected], say: Say) -> None:
    for item in skipped[:20]:
        say(f"{item.source}:{item.line}: not scored: {item.code}: {item.reason}")
    if len(skipped) > 20:
        say(f"… and {len(skipped) - 20} more; all of them are in {runs.SKIPPED}")


def _job(measured: Measured, groups: list[PromptGroup], lengths: dict[str, int], limits: Limits, say: Say) -> _Job:
    if measured.labels is not None:
        from steady.scoring.classifying import score_label_groups

        labels = measured.labels

        def classify(chosen: Sequence[PromptGroup]) -> list[ScoredGroup]:
            return score_label_groups(labels, chosen)

        memory = f"a batch of {labels.batch_size} prompts"
        return _Job(measured, groups, lengths, limits, classify, memory, limits.batch_tokens)

    from steady.inference.likelihood import make_scorer
    from steady.measure.generative import score_groups

    assert measured.language is not None
    scorer = make_scorer(measured.language, limits.max_new_tokens, limits.batch_tokens)
    if not measured.language.end_ids:
        say("the tokenizer has no end token: every response runs to the limit")
    if scorer.memory is None:
        say("this model's cache cannot be branched: one whole sequence at a time, which is many times slower")
    held = 0 if scorer.memory is None else scorer.memory.position * limits.batch_tokens
    memory = f"{held / 2**20:,.0f} MB for {limits.batch_tokens} cached positions"

    def generate(chosen: Sequence[PromptGroup]) -> list[ScoredGroup]:
        return score_groups(scorer, chosen, limits.max_pairs, limits.seed)

    return _Job(measured, groups, lengths, limits, generate, memory, scorer.kept_positions)


def _tell_budget(job: _Job, say: Say) -> Budget:
    unique = [[job.lengths[item] for item in _different(group)] for group in job.groups]
    steps = job.limits.max_new_tokens if job.measured.language else 1
    budget = plan_budget(unique, steps, job.limits.max_pairs)
    budget = budget._replace(prompts=sum(len(group.prompts) for group in job.groups))
    for line in budget_lines(budget, steps, job.memory):
        say(line)
    return budget


def _different(group: PromptGroup) -> list[str]:
    """The ids of the different prompts of a group."""
    return list(dict(zip(reversed(group.prompts), reversed(group.prompt_ids), strict=True)).values())


def _tell_minutes(job: _Job, budget: Budget, say: Say) -> None:
    """Time a few prompts and say what the whole run will take."""
    texts = calibration_groups([group.prompts for group in job.groups])
    sample = PromptGroup("calibration", tuple(str(place) for place in range(len(texts))), tuple(texts))
    job.score([sample])  # the first pass warms up
    started = time.perf_counter()
    done = job.score([sample])
    seconds = time.perf_counter() - started
    group = done[0]
    steps = [len(item.token_ids) - 1 for item in group.predictions] if job.measured.language else [0]
    tokens = sum(job.measured.count(list(dict.fromkeys(texts))))
    unique = dict(zip(group.responses, group.lengths, strict=True)).values()
    passes = tokens + sum(steps) + len(set(texts)) * int(sum(unique) - len(unique))
    low, high = minutes(budget, passes, seconds)
    say(
        f"expected: {low:.1f} minutes if the responses of a group are equal, {high:.1f} if all differ and reach the limit"
    )


def _settings(named: Named, measured: Measured, file: PromptFile, limits: Limits) -> runs.RunSettings:
    folders = [path for path in (Path(named.id), named.adapter) if path is not None and path.is_dir()]
    return runs.RunSettings(
        model=named.id,
        revision=measured.revision,
        adapter=None if named.adapter is None else str(named.adapter),
        weights=" ".join([*(fingerprint(path) for path in folders), *filter(None, [measured.base.gguf_sha256])]),
        dtype=measured.dtype,
        prompts=hashlib.blake2b(file.path.read_bytes(), digest_size=16).hexdigest(),
        max_new_tokens=limits.max_new_tokens if measured.language else 1,
        batch_tokens=limits.batch_tokens,
        max_pairs=limits.max_pairs,
        precision=limits.precision,
        seed=limits.seed,
        labels=list(measured.labels.labels) if measured.labels else [],
        gguf_file=named.gguf_file,
        base=measured.base.public_id if measured.base.quantised else "",
        quantised=measured.base.quantised,
    )


def _score_all(job: _Job, budget: Budget, folder: Path, key: str, say: Say) -> list[ScoredGroup]:
    """Score what is not done yet, and stop early where POSIX is known to the precision that was asked for."""
    from tqdm import tqdm

    order = None
    if job.limits.precision is not None:
        order = [int(place) for place in np.random.default_rng(job.limits.seed).permutation(len(job.groups))]
    sizes = [(len(group.prompts), max(job.lengths[item] for item in group.prompt_ids)) for group in job.groups]
    plan = bundles(sizes, job.positions, job.limits.max_new_tokens, order)
    found: dict[int, list[ScoredGroup]] = {}
    timed = False
    for number, places in enumerate(tqdm(plan, desc="scoring", unit="bundle", disable=None)):
        kept, damage = runs.read_part(folder, number, key)
        if damage:
            say(f"{damage} It is scored again.")
        if kept is None:
            if not timed:
                _tell_minutes(job, budget, say)
                timed = True
            kept = job.score([job.groups[place] for place in places])
            runs.write_part(folder, number, kept, key)
        found[number] = kept
        left = len(plan) - len(found)
        if left and job.limits.precision is not None and _precise(found, job.limits.precision):
            say(f"stopped: POSIX is known to {job.limits.precision:.0%} of itself")
            break
    places_done = [place for number in found for place in plan[number]]
    scored = [group for groups in found.values() for group in groups]
    return [group for _, group in sorted(zip(places_done, scored, strict=True), key=lambda pair: pair[0])]


def _precise(found: dict[int, list[ScoredGroup]], precision: float) -> bool:
    return is_precise(
        [sensitivity(group).psi for groups in found.values() for group in groups if not group.fault], precision
    )


def summarise(folder: Path, draws: int, confidence: float, seed: int) -> dict[str, Any]:
    """Every measure of a finished run, from its files alone; writes `measures.json` and the page.

    Raises:
        SteadyError: the run is not finished, or a file is damaged.
    """
    run = runs.read_run(folder)
    found = measure_groups(run.groups, run.prompts, run.settings.labels, Bootstrap(draws, confidence, seed))
    skipped: dict[str, int] = {}
    for item in run.skipped:
        skipped[item.code] = skipped.get(item.code, 0) + 1
    measures = {
        "model": run.settings.model,
        "revision": run.settings.revision,
        **({"base": run.settings.base, "quantised": run.settings.quantised} if run.settings.quantised else {}),
        "adapter": run.settings.adapter,
        "dtype": run.settings.dtype,
        "max_new_tokens": run.settings.max_new_tokens,
        "labels": run.settings.labels,
        "skipped_prompts": skipped,
        **found,
    }
    write_metrics(folder / MEASURES, measures)
    write_bytes(folder / PAGE, page(measures, run).encode())
    return measures
