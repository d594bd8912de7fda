"""Grids of the commands that summarize several runs, such as `seeds` and `study`: each run in a copy of the repository.

A copy has what Git tracks or would track, with other parameters. Its task runs `dvc repro` there, and the command reads the
results where they lie. A grid of `steady cluster` makes experiments of commits instead, in clones.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.cluster.plan import PLAN, SHARED, Folder, Plan
from steady.cluster.start import Echo, Make, launch, request_of, shown
from steady.cluster.status import statuses, table
from steady.errors import SteadyError
from steady.repro.workspaces import cache_of, check_params, tracked_files

MARK = ".made-of"  # in a copy: a digest of what it was made of


@dataclass(frozen=True)
class Copies:
    """The runs of one command, which was typed as `command` and with `--collect` reads the results; `name` is that of the grid.

    Attributes:
        points: what each copy changes, as overrides of `steady cluster -S`.
        make: makes the copy of a run.
        inputs: what determines the copies beside `points` and the files of the repository; JSON.
    """

    name: str
    command: str
    points: list[list[str]]
    make: Make
    inputs: object = None

    def digest(self) -> str:
        """A digest of `inputs`."""
        return hashlib.sha256(json.dumps(self.inputs).encode()).hexdigest()


def results(root: Path, copies: Copies, given: Mapping[str, Any], collect: bool, echo: Echo) -> list[Path] | None:
    """Run `dvc repro` in every copy, here or as jobs of Slurm, or collect those that were submitted before.

    A copy that was made of the same files and parameters before is kept, so that a training which was stopped goes on from its
    last checkpoint.

    Args:
        given: the options of `steady.commands.cluster_options`.
        collect: whether the runs were submitted before; see `collected`.

    Returns:
        The copies in the order of the points once they have run; None where they were submitted, or only shown.

    Raises:
        SteadyError: the name is that of another grid, runs of an earlier call are still waiting or running, a copy cannot be
            made, a run failed, or Slurm refuses the job.
    """
    if collect:
        return collected(root, copies, echo)
    folder, request = Folder(root, copies.name), request_of(given)
    if (folder.path / PLAN).is_file():
        _refuse_live(folder, folder.plan())
    plan = Plan(
        name=copies.name,
        cache=cache_of(root),
        points=copies.points,
        cluster=request.cluster,
        command=copies.command,
        inputs=copies.digest(),
    )
    plan = shown(root, plan, copies.make, request, echo)
    if request.dry_run:
        return None
    digest = hashlib.sha256()
    for name in tracked_files(root):
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    for number, work in enumerate(_works(folder, plan)):
        keep_or_make(folder, number, copies, digest.hexdigest())
        check_params(work / "params.yaml")
    folder.forget()
    if launch(folder, plan, copies.make, request, echo):
        return _works(folder, plan)
    echo(f"When all runs are done: {copies.command} --collect")
    return None


def collected(root: Path, copies: Copies, echo: Echo) -> list[Path]:
    """The copies of runs that were submitted before, in the order of the points.

    SteadyError where no such runs were submitted, they were others than these, or not all of them are done.
    """
    folder = Folder(root, copies.name)
    plan = folder.plan()
    if (plan.points, plan.inputs) != (copies.points, copies.digest()):
        raise SteadyError(
            f"{folder.path}: these runs were submitted by `{plan.command or 'steady cluster'}`, with other values. Collect them "
            "with that command, or submit anew."
        )
    found = statuses(folder, plan)
    if left := [one for one in found if one.state != "done" and one.number != SHARED]:
        for line in table(folder, plan, found):
            echo(line)
        raise SteadyError(
            f"{len(left)} of {len(plan.points)} runs are not done, and means over the others would not be what was wanted. "
            f"`{copies.command} --cluster {plan.cluster}` goes on with those that failed or were cancelled."
        )
    return _works(folder, plan)


def keep_or_make(folder: Folder, number: int, copies: Copies, files: str) -> bool:
    """Make the copy of a run, unless the one that is there was made of the same files and values; whether it was made.

    `files` is a digest of the files of the repository: any may change a result, and a copy of old code is not gone on with.
    """
    work = folder.work(number)
    digest = hashlib.sha256(json.dumps([files, copies.digest(), copies.points[number]]).encode()).hexdigest()
    if (work / MARK).is_file() and (work / MARK).read_text(encoding="utf-8") == digest:
        return False
    copies.make(number, work)
    (work / MARK).write_text(digest, encoding="utf-8")
    return True


def _refuse_live(folder: Folder, plan: Plan) -> None:
    if plan.command is None:
        raise SteadyError(
            f"{folder.path}: a grid of `steady cluster` has this name. Delete that folder if it is collected."
        )
    live = [one for one in statuses(folder, plan) if one.state in ("waiting", "running")]
    # What stopped on this machine is waiting as well, and nobody works on it.
    if live and plan.cluster == "slurm":
        raise SteadyError(
            f"{plan.name}: {len(live)} of {len(plan.points)} runs are still waiting or running. See: steady cluster status "
            f"--name {plan.name}"
        )


def _works(folder: Folder, plan: Plan) -> list[Path]:
    return [folder.work(number) for number in range(len(plan.points))]
