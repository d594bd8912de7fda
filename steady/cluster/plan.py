"""What is on disk of a grid: the plan, written once, and a record and a log of each task, written by the task itself."""

import shutil
import time
from pathlib import Path
from typing import Literal

import msgspec

from steady.errors import SteadyError
from steady.records import write_bytes

FOLDER = ".cluster"
PLAN = "plan.json"
SHARED = -1  # the number of the task that runs what all others share


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A grid as it was submitted.

    Attributes:
        cache: the DVC cache that all share.
        points: the overrides of each task.
        shared: the stages that run once before the tasks.
        commit: what the tasks check out; empty where they run in copies of the repository (`steady.cluster.copies`).
        command: the command that made these copies and reads their results; None for a grid of experiments.
        inputs: a digest of what determines the copies beside `points`.
        jobs: the ids that Slurm gave the tasks, and `shared_job` that of the shared stages; empty on this machine.
    """

    name: str
    cache: str
    points: list[list[str]]
    cluster: Literal["slurm", "local"]
    shared: list[str] = []
    commit: str = ""
    command: str | None = None
    inputs: str = ""
    jobs: list[str] = []
    shared_job: str | None = None

    def experiment(self, number: int) -> str:
        """The name of a task's experiment."""
        return f"{self.name}-{number}"


class Attempt(msgspec.Struct, kw_only=True):
    """What a task records of itself: how often it was begun, and how it ended (None: it runs, or was killed)."""

    attempts: int = 0
    began: float = 0.0
    seconds: float | None = None
    code: int | None = None


class Folder:
    """The files of a grid, below the repository that submitted it, which all machines see."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.path = root.resolve(), root.resolve() / FOLDER / name

    def plan(self) -> Plan:
        """The plan; SteadyError where there is no such grid."""
        path = self.path / PLAN
        if not path.is_file():
            there = ", ".join(names(self.root)) or "none"
            raise SteadyError(f"{path}: no such grid. There are: {there}. `steady cluster -S …` submits one.")
        return msgspec.json.decode(path.read_bytes(), type=Plan)

    def write_plan(self, plan: Plan) -> None:
        """Write the plan."""
        write_bytes(self.path / PLAN, msgspec.json.format(msgspec.json.encode(plan)) + b"\n")

    def work(self, number: int) -> Path:
        """The clone of a task: the same after a requeue, so that its checkpoints are found."""
        return self.path / "work" / _name(number)

    def log(self, number: int) -> Path:
        """The output of a task, of all its attempts."""
        return self.path / "logs" / f"{_name(number)}.log"

    def attempt(self, number: int) -> Attempt:
        """The record of a task; of one that has not begun, an empty one."""
        path = self.path / "tasks" / f"{_name(number)}.json"
        return msgspec.json.decode(path.read_bytes(), type=Attempt) if path.is_file() else Attempt()

    def write_attempt(self, number: int, attempt: Attempt) -> None:
        """Write the record of a task, atomically."""
        write_bytes(self.path / "tasks" / f"{_name(number)}.json", msgspec.json.encode(attempt) + b"\n")

    def begin(self, number: int) -> Attempt:
        """Record that a task begins, or begins again."""
        # How the attempt before this one ended is dropped: a task that begins again has not ended.
        again = Attempt(attempts=self.attempt(number).attempts + 1, began=time.time())
        self.write_attempt(number, again)
        return again

    def forget(self) -> None:
        """Delete the records and logs of all tasks, before they are begun anew; their clones and copies stay."""
        for name in ("tasks", "logs"):
            shutil.rmtree(self.path / name, ignore_errors=True)


def names(root: Path) -> list[str]:
    """The grids of a repository, the one that was submitted last at the end."""
    # By time, since a name is the user's own and says nothing of the order.
    plans = sorted((root / FOLDER).glob(f"*/{PLAN}"), key=lambda path: (path.stat().st_mtime, path.parent.name))
    return [path.parent.name for path in plans]


def _name(number: int) -> str:
    return "shared" if number == SHARED else f"{number:04d}"
