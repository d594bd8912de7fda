"""One task of a grid: a clone of the commit, `dvc exp run` with the overrides of the task, and the experiment pushed back.

The stages that all tasks share, and the runs of commands such as `steady seeds`, have a copy of the repository with its
parameters set already (`steady.repro.workspaces`); their tasks run `dvc repro` there.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from steady.cluster.plan import SHARED, Folder, Plan


@dataclass(frozen=True)
class Task:
    """A task that submitit can send to a node: the folder of the grid, and the number of the task in it."""

    root: Path
    name: str
    number: int

    def __call__(self) -> None:
        """Run it as a job of Slurm, which is to see whether it failed: what waits for it then never begins.

        RuntimeError where it failed; submitit ends the job with status 1.
        """
        if code := self.run():
            raise RuntimeError(f"{self.name} {self.number} ended with status {code}; its log says why.")

    def run(self) -> int:
        """Run it; the exit status is recorded, and returned.

        A task that Slurm stops and queues again runs in the same clone: stages that were done are unchanged, and the one that
        was stopped goes on from its checkpoints.
        """
        folder = Folder(self.root, self.name)
        plan, attempt = folder.plan(), folder.begin(self.number)
        log = folder.log(self.number)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as handle:
            handle.write(f"--- attempt {attempt.attempts}, {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
            handle.flush()
            work = folder.work(self.number)
            try:
                if plan.command is None and self.number != SHARED:
                    attempt.code = _experiment(folder, plan, self.number, handle)
                else:
                    _unlock(work)
                    stages = plan.shared if self.number == SHARED else []
                    attempt.code = _run(work, handle, ["dvc", "repro", *stages])
            except (OSError, subprocess.CalledProcessError) as error:  # no clone, or no room for one
                handle.write(f"Error: {error}\n".encode())
                attempt.code = 1
        attempt.seconds = round(time.time() - attempt.began, 1)
        folder.write_attempt(self.number, attempt)
        return attempt.code

    def checkpoint(self) -> Any:
        """What submitit queues again when the time limit is near: the same task."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _experiment(folder: Folder, plan: Plan, number: int, log: BinaryIO) -> int:
    """Clone, run, push; each only where it is not done, for a task may be stopped between any two of them."""
    work, experiment = folder.work(number), plan.experiment(number)
    if not (work / ".git").is_dir():
        # beside its place, so that a clone that was cut short is made anew
        part = work.with_name(f"{work.name}.unfinished")
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        for words in (
            ["git", "clone", "--quiet", "--no-checkout", str(folder.root), str(part)],
            ["git", "-C", str(part), "checkout", "--quiet", "--detach", plan.commit],
            # DVC asks for an identity when it saves an experiment, and a node may have none.
            ["git", "-C", str(part), "config", "user.name", "steady"],
            ["git", "-C", str(part), "config", "user.email", "steady@localhost"],
        ):
            subprocess.run(words, check=True)
        (part / ".dvc/config.local").write_text(f"[cache]\n    dir = {plan.cache}\n", encoding="utf-8")
        part.rename(work)
    _unlock(work)
    # Whether DVC still has the experiment of an earlier attempt is asked of Git: to run it again would be refused.
    if experiment not in experiments(work):
        words = [word for override in plan.points[number] for word in ("-S", override)]
        if code := _run(work, log, ["dvc", "exp", "run", "--name", experiment, *words]):
            return code
    # Where the push fails nothing is lost: the log says so, and `collect` fetches the experiment from this clone.
    _run(work, log, ["dvc", "exp", "push", "--no-cache", "origin", experiment])
    return 0


def experiments(root: Path) -> set[str]:
    """The names of the experiments that a repository has."""
    command = ["git", "for-each-ref", "--format=%(refname)", "refs/exps"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return {name.rpartition("/")[2] for name in listed.split()}


def _unlock(work: Path) -> None:
    """Remove the locks of a DVC that was killed, maybe on another machine: nobody else works in this folder."""
    for lock in ("lock", "rwlock"):
        with contextlib.suppress(FileNotFoundError):
            (work / ".dvc/tmp" / lock).unlink()


def _run(work: Path, log: BinaryIO, words: Sequence[str]) -> int:
    """Run a program of this environment in a clone or copy; its output goes to the log."""
    own = {
        # The programs lie beside this Python, also where nobody activated the environment.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        # DVC keeps an index in SQLite, whose locks do not hold on network disks: it goes to the disk of the machine.
        "DVC_SITE_CACHE_DIR": str(Path(tempfile.gettempdir()) / f"steady-dvc-{os.getuid()}"),
    }
    environment = {name: value for name, value in os.environ.items() if name not in ("DVC_ROOT", "DVC_STAGE")} | own
    return subprocess.run(
        words, cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
    ).returncode
