"""Measure any model on any file of groups: plan, budget, score bundle by bundle, keep, summarise."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.inference.budget import CALIBRATION_PROMPTS, Budget, budget_lines, minutes, plan_budget
from steady.inference.named import Named, OpenModel, open_model
from steady.measure import runs
from steady.measure.group_measures import measure_groups
from steady.measure.page import page
from steady.measure.prompt_files import PromptFile, fitting, read_prompt_file
from steady.metrics.files import write_metrics
from steady.metrics.matrices import ScoredGroup, sensitivity
from steady.metrics.resampling import Bootstrap
from steady.records import Prompt, Rejected, write_bytes
from steady.scoring.groups import PromptGroup, bundles, is_precise
from steady.scoring.resume import code_digest, fingerprint

Say = Callable[[str], None]
MEASURES, PAGE = "measures.json", "index.html"
NOT_REACHED = "not_reached"
NAMED = 20
"""Prompts that are named on the terminal, of a kind."""


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

    opened: OpenModel
    groups: list[PromptGroup]
    lengths: dict[str, int]
    limits: Limits
    score: Callable[[Sequence[PromptGroup]], list[ScoredGroup]]
    memory: str
    positions: int
    small: Callable[[list[list[int]]], list[list[int]]]
    """Cuts a plan of bundles so that a killed run loses little."""


def measure_model(
    named: Named, prompts: Path, folder: Path, limits: Limits, say: Say, budget_only: bool = False
) -> None:
    """Score a file of groups into `folder`; a run that was killed goes on where it was.

    Raises:
        SteadyError: the file, the model or the folder is at fault.
    """
    file = read_prompt_file(prompts)
    opened = open_model(named)
    ids = dict(zip([p.id for p in file.prompts], opened.encode([p.prompt for p in file.prompts]), strict=True))
    lengths = {name: len(tokens) for name, tokens in ids.items()}
    room = limits.max_new_tokens if opened.language and not opened.language.encodes else 0
    groups, skipped = fitting(file, lengths, opened.context, room)
    _tell_skipped(skipped, say)
    faithful = _tell_unfaithful(file, ids, opened.unknown, say)
    if not groups:
        raise SteadyError(f"{prompts}: no group is left with two prompts that fit the model; see above.")
    job = _job(opened, groups, lengths, limits, say)
    budget = _tell_budget(job, say)
    if budget_only:
        job.score([_sample(job)])  # the first passes of a process are slower
        _timed(job, budget, [_sample(job)], say)
        return
    with runs.locked(folder):
        settings = msgspec.structs.replace(_settings(named, opened, file, limits), **faithful)
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
    for item in skipped[:NAMED]:
        say(f"{item.source}:{item.line}: not scored: {item.code}: {item.reason}")
    if len(skipped) > NAMED:
        say(f"… and {len(skipped) - NAMED} more; all of them are in {runs.SKIPPED}")


def _tell_unfaithful(
    file: PromptFile, ids: Mapping[str, Sequence[int]], unknown: int | None, say: Say
) -> dict[str, int]:
    """Name and count what the tokenizer hides: prompts that it cannot tell from another of their group, and unknown tokens.

    They are scored all the same, and a reader has to know: equal tokens agree without a test.
    """
    first: dict[tuple[str, tuple[int, ...]], Prompt] = {}
    lines: list[str] = []
    counts = {"same_tokens": 0, "unknown_tokens": 0}
    for prompt in file.prompts:
        place, tokens = f"{file.path.name}:{file.lines[prompt.id]}", tuple(ids[prompt.id])
        other = first.setdefault((prompt.group_id, tokens), prompt)
        if other.prompt != prompt.prompt:
            counts["same_tokens"] += 1
            lines.append(
                f"{place}: the same tokens as line {file.lines[other.id]}: the model cannot tell the two apart"
            )
        if unknown is not None and unknown in tokens:
            counts["unknown_tokens"] += 1
            lines.append(f"{place}: {tokens.count(unknown)} of {len(tokens)} tokens are unknown to the tokenizer")
    for line in lines[:NAMED]:
        say(line)
    if len(lines) > NAMED:
        say(f"… and {len(lines) - NAMED} more of that kind")
    return counts


def _job(opened: OpenModel, groups: list[PromptGroup], lengths: dict[str, int], limits: Limits, say: Say) -> _Job:
    if opened.labels is not None:
        from steady.scoring.classifying import score_label_groups

        labels = opened.labels

        def classify(chosen: Sequence[PromptGroup]) -> list[ScoredGroup]:
            return score_label_groups(labels, chosen)

        memory = f"a batch of {labels.batch_size} prompts"
        return _Job(opened, groups, lengths, limits, classify, memory, limits.batch_tokens, lambda plan: plan)

    from steady.inference.likelihood import make_scorer
    from steady.scoring.answering import score_groups, small_bundles

    assert opened.language is not None
    scorer = make_scorer(opened.language, limits.max_new_tokens, limits.batch_tokens)
    if not opened.language.end_ids:
        say("the tokenizer has no end token: every response runs to the limit")
    if opened.language.folds_system:
        say("the chat template takes no system message: it stands at the head of the first user's message")
    if scorer.memory is None:
        say("this model's cache cannot be branched: one whole sequence at a time, which is many times slower")
    held = 0 if scorer.memory is None else scorer.memory.position * limits.batch_tokens
    memory = f"{held / 2**20:,.0f} MB for {limits.batch_tokens} cached positions"

    def generate(chosen: Sequence[PromptGroup]) -> list[ScoredGroup]:
        return score_groups(scorer, chosen, limits.max_pairs, limits.seed)

    def small(plan: list[list[int]]) -> list[list[int]]:
        # a response for each prompt, and all responses of a group under each of its prompts
        sizes = [(len(group.prompts), sum(lengths[name] for name in group.prompt_ids)) for group in groups]
        work = [tokens + (count + count * count) * limits.max_new_tokens for count, tokens in sizes]
        return small_bundles(scorer.language, plan, work)

    return _Job(opened, groups, lengths, limits, generate, memory, scorer.kept_positions, small)


def _tell_budget(job: _Job, say: Say) -> Budget:
    unique = [[job.lengths[item] for item in _different(group)] for group in job.groups]
    steps = job.limits.max_new_tokens if job.opened.language else 1
    budget = plan_budget(unique, steps, job.limits.max_pairs)
    budget = budget._replace(prompts=sum(len(group.prompts) for group in job.groups))
    for line in budget_lines(budget, steps, job.memory):
        say(line)
    return budget


def _different(group: PromptGroup) -> list[str]:
    """The ids of the different prompts of a group."""
    return list(dict(zip(reversed(group.prompts), reversed(group.prompt_ids), strict=True)).values())


def _timed(job: _Job, budget: Budget, groups: Sequence[PromptGroup], say: Say) -> list[ScoredGroup]:
    """Score groups, and say by the time that they took what the whole run will take."""
    started = time.perf_counter()
    done = job.score(groups)
    seconds = time.perf_counter() - started
    passes = sum(_passes(job, group, scored) for group, scored in zip(groups, done, strict=True))
    low, high = minutes(budget, passes, seconds)
    say(
        f"expected: {low:.1f} minutes if the responses of a group are equal, {high:.1f} if all differ and reach the limit"
    )
    return done


def _passes(job: _Job, group: PromptGroup, scored: ScoredGroup) -> int:
    """Token passes that a group took, as `plan_budget` counts them."""
    tokens = sum(job.lengths[name] for name in _different(group))
    if job.opened.language is None:
        return tokens
    decoded = dict(zip(group.prompts, scored.lengths, strict=True))
    responses = dict(zip(scored.responses, scored.lengths, strict=True))
    steps = [sum(lengths.values()) - len(lengths) for lengths in (decoded, responses)]
    share = float(np.mean(~np.isnan(scored.matrix)))  # of the matrix that was scored
    return tokens + int(steps[0] + len(decoded) * steps[1] * share)


def _sample(job: _Job) -> PromptGroup:
    """A few prompts to time where nothing else is scored: the first ones of the group in the middle."""
    group = job.groups[len(job.groups) // 2]
    return PromptGroup(group.id, group.prompt_ids[:CALIBRATION_PROMPTS], group.prompts[:CALIBRATION_PROMPTS])


def _settings(named: Named, opened: OpenModel, file: PromptFile, limits: Limits) -> runs.RunSettings:
    folders = [path for path in (Path(named.id), named.adapter) if path is not None and path.is_dir()]
    return runs.RunSettings(
        model=named.id,
        revision=opened.revision,
        adapter=None if named.adapter is None else str(named.adapter),
        weights=" ".join([*(fingerprint(path) for path in folders), *filter(None, [opened.base.gguf_sha256])]),
        dtype=opened.dtype,
        prompts=hashlib.blake2b(file.path.read_bytes(), digest_size=16).hexdigest(),
        max_new_tokens=limits.max_new_tokens if opened.language else 1,
        batch_tokens=limits.batch_tokens,
        max_pairs=limits.max_pairs,
        precision=limits.precision,
        seed=limits.seed,
        labels=list(opened.labels.labels) if opened.labels else [],
        chat_template=bool(opened.language and opened.language.chat_template),
        system=named.system,
        gguf_file=named.gguf_file,
        base=opened.base.public_id if opened.base.quantised else "",
        quantised=opened.base.quantised,
    )


def _score_all(job: _Job, budget: Budget, folder: Path, key: str, say: Say) -> list[ScoredGroup]:
    """Score what is not done yet, and stop early where POSIX is known to the precision that was asked for."""
    from tqdm import tqdm

    order = None
    if job.limits.precision is not None:
        order = [int(place) for place in np.random.default_rng(job.limits.seed).permutation(len(job.groups))]
    sizes = [(len(group.prompts), max(job.lengths[item] for item in group.prompt_ids)) for group in job.groups]
    plan = job.small(bundles(sizes, job.positions, job.limits.max_new_tokens, order))
    key = f"{key} {code_digest()}"  # what other code scored is not gone on with
    found: dict[int, list[ScoredGroup]] = {}
    timed = False
    for number, places in enumerate(tqdm(plan, desc="scoring", unit="bundle", disable=None)):
        kept, damage = runs.read_part(folder, number, key)
        if damage:
            say(f"{damage} It is scored again.")
        if kept is None:
            chosen = [job.groups[place] for place in places]
            kept = job.score(chosen) if timed else _timed(job, budget, chosen, say)
            timed = True
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
    measures = {
        "model": run.settings.model,
        "revision": run.settings.revision,
        **({"base": run.settings.base, "quantised": run.settings.quantised} if run.settings.quantised else {}),
        "adapter": run.settings.adapter,
        "dtype": run.settings.dtype,
        "max_new_tokens": run.settings.max_new_tokens,
        "labels": run.settings.labels,
        "chat_template": run.settings.chat_template,
        "system": run.settings.system,
        "same_tokens": run.settings.same_tokens,
        "unknown_tokens": run.settings.unknown_tokens,
        "skipped_prompts": dict(Counter(item.code for item in run.skipped)),
        **found,
    }
    write_metrics(folder / MEASURES, measures)
    write_bytes(folder / PAGE, page(measures, run).encode())
    return measures
