"""Measure a subject on a file of prompts: what it costs, score bundle by bundle, keep, summarise."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steady.errors import SteadyError
from steady.inference.progress import progress_bar
from steady.measure import runs
from steady.measure.prompt_files import PromptFile
from steady.measure.subject import Say, Subject
from steady.metrics.matrices import ScoredGroup, sensitivity
from steady.models.ranks import from_first, my_places, rank, size, wait_for_all
from steady.scoring.groups import PromptGroup, is_precise
from steady.scoring.resume import code_digest

NOT_REACHED = "not_reached"


@dataclass(frozen=True)
class Extent:
    """How far a run goes: `precision` (0.1 is 10 %) stops when POSIX is known so well; `seed` draws the order of groups then."""

    precision: float | None = None
    seed: int = 0


def measure_subject(
    subject: Subject, file: PromptFile, folder: Path, extent: Extent, say: Say, budget_only: bool = False
) -> None:
    """Score a file of groups into `folder`; a run that was killed goes on.

    Several processes (`steady.models.ranks`) score some bundles each, and process 0 alone writes the run.
    """
    groups, skipped = subject.fitting(file)
    for item in skipped[:20]:
        say(f"{item.source}:{item.line}: not scored: {item.code}: {item.reason}")
    if len(skipped) > 20:
        say(f"… and {len(skipped) - 20} more; all of them are in {runs.SKIPPED}")
    if not groups:
        raise SteadyError(
            f"{file.path}: no group is left with two prompts to compare; see above. Prompts that ask for the same thing "
            "share a `group_id`."
        )
    subject.budget(groups, say, budget_only)
    if budget_only:
        return
    # the lock is that of all processes
    with runs.locked(folder) if rank() == 0 else nullcontext():
        settings = runs.RunSettings(
            subject=subject.name,
            facts=subject.facts,
            prompts=file.digest,
            precision=extent.precision,
            # without an early stop the order of groups is that of the file, whatever the seed
            seed=extent.seed if extent.precision is not None else None,
        )
        # after the lock, so that no other process begins it meanwhile
        if from_first(rank() == 0 and runs.open_run(folder, settings)):
            say(f"{folder}: this run is finished already")
            return
        scored = _score_all(subject, groups, folder, settings, say)
        if rank():
            return
        reached = {group.id for group in scored}
        skipped += [
            file.skipped(group.prompt_ids[0], NOT_REACHED, f"group {group.id}: POSIX was precise enough without it")
            for group in groups
            if group.id not in reached
        ]
        skipped += subject.unanswered()
        compared = [group for group in scored if len(group.predictions) > 1]
        if not compared:
            raise SteadyError(f"{file.path}: no group has two answers: {skipped[-1].reason}")
        prompts = {prompt.id: prompt for prompt in file.prompts}
        done = runs.Run(settings, prompts, compared, skipped, subject.notes(), subject.repeats())
        runs.finish_run(folder, done)


def _score_all(
    subject: Subject, groups: Sequence[PromptGroup], folder: Path, settings: runs.RunSettings, say: Say
) -> list[ScoredGroup]:
    """Score what is not done yet, and stop early where POSIX is known to the precision that was asked for."""
    order, precision = None, settings.precision
    if precision is not None:
        order = [int(place) for place in np.random.default_rng(settings.seed).permutation(len(groups))]
    plan = subject.bundles(groups, order)
    key = f"{settings.key} {code_digest()}"  # what other code scored is not gone on with
    found: dict[int, list[ScoredGroup]] = {}
    mine = my_places(len(plan))
    for number in progress_bar(mine, "scoring", "bundle", rank() == 0):
        kept, damage = runs.read_part(folder, number, key)
        if damage:
            say(f"{damage} It is scored again.")
        if kept is None:
            kept = subject.score([groups[place] for place in plan[number]], say)
            # at once: a kill loses one bundle
            runs.write_part(folder, number, kept, key)
        found[number] = kept
        if len(found) < len(plan) and precision is not None:
            so_far = [group for groups in found.values() for group in groups if not group.fault]
            if is_precise([sensitivity(group).psi for group in so_far], precision):
                say(f"stopped: POSIX is known to {precision:.0%} of itself")
                break
    if size() > 1:
        wait_for_all()
        # process 0 has the bundles of all processes, in order; the others their own
        for number in range(len(plan)) if rank() == 0 else ():
            kept = found.pop(number, None) or runs.read_part(folder, number, key)[0]
            if kept is None:
                raise SteadyError(
                    f"{folder}: bundle {number} of another process is not there, or is damaged. The folder has to lie on a disk "
                    "that all machines share. Run the same command again."
                )
            found[number] = kept
    # bundles are of like length, the results in the order of the file
    places_done = [place for number in found for place in plan[number]]
    scored = [group for kept in found.values() for group in kept]
    return [group for _, group in sorted(zip(places_done, scored, strict=True), key=lambda pair: pair[0])]
