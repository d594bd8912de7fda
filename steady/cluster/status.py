"""What has become of each task of a grid, and the experiments that came of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from steady.cluster.plan import SHARED, Attempt, Folder, Plan
from steady.cluster.slurm import job_states
from steady.cluster.task import experiments
from steady.errors import SteadyError
from steady.records import write_bytes

DROP = r".*\.(py|json|jsonl|txt|yaml)$"  # columns of files that the experiments depend on
LIVE = {"PENDING": "waiting", "RUNNING": "running", "COMPLETING": "running", "CONFIGURING": "waiting"}
ENDED = {
    "CANCELLED": "cancelled",
    "TIMEOUT": "out of time",
    "OUT_OF_MEMORY": "out of memory",
    "NODE_FAIL": "lost its node",
    "PREEMPTED": "preempted",
    "DEADLINE": "out of time",
}


@dataclass(frozen=True)
class Status:
    """The state of one task in a word or two; `note` says more where there is more to say."""

    number: int
    state: str
    attempts: int
    seconds: float | None
    note: str = ""


def statuses(folder: Folder, plan: Plan) -> list[Status]:
    """The state of the shared stages, where there are any, and of every task.

    A task's own record says whether it is done or has failed; of one that has not recorded its end, Slurm says whether it runs,
    waits or was cancelled.
    """
    jobs = dict(enumerate(plan.jobs)) | ({SHARED: plan.shared_job} if plan.shared_job else {})
    # Slurm forgets within minutes how a job ended, so what it said once is kept
    path = folder.path / "ended.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    found = job_states(job for job in jobs.values() if job and job not in known)
    ended = {job: state for job, (state, _) in found.items() if state in ENDED}
    if ended:
        write_bytes(path, json.dumps(known | ended, indent=1).encode() + b"\n")
    states = {job: (state, "") for job, state in known.items()} | found
    numbers = [*([SHARED] if plan.shared else []), *range(len(plan.points))]
    found_states = []
    for number in numbers:
        attempt = folder.attempt(number)
        state, note = _state(attempt, states.get(jobs.get(number) or ""), plan)
        note = last_line(folder, number) if state == "failed" else note
        found_states.append(Status(number, state, attempt.attempts, attempt.seconds, note))
    return found_states


def _state(attempt: Attempt, slurm: tuple[str, str] | None, plan: Plan) -> tuple[str, str]:
    word, reason = slurm or ("", "")
    # Slurm calls a task running for some seconds after it has recorded that it is done, while submitit writes its result.
    if word in LIVE and not (attempt.code == 0 and word != "PENDING"):
        again = "queued again" if word == "PENDING" and attempt.attempts else ""
        why = reason if word == "PENDING" and reason not in {"None", "Priority"} else ""
        return LIVE[word], ", ".join(part for part in (again, why) if part)
    if attempt.code is not None:
        return ("done" if attempt.code == 0 else "failed"), ""
    if word in ENDED:
        return ENDED[word], ""
    if plan.cluster == "local":
        return ("stopped" if attempt.attempts else "waiting"), ""
    # A task of an array that is cancelled before it begins leaves no record in Slurm.
    if not attempt.attempts:
        return "cancelled", "before it began"
    return "stopped", "cancelled or lost with its node: Slurm has forgotten it"


def last_line(folder: Folder, number: int) -> str:
    """The line of a task's log that says most of why it failed: the last that begins with `Error`, or the last one."""
    path = folder.log(number)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("Error", "ERROR"))]
    # DVC's own line, which says that the command of a stage failed, comes after the one that says why.
    reasons = [line for line in errors if line.startswith("Error")] or errors or lines
    return reasons[-1] if reasons else ""


def table(folder: Folder, plan: Plan, found: list[Status]) -> Iterator[str]:
    """A line for each task with the overrides in which it differs from others, and one that counts them."""
    same = [override for override in plan.points[0] if all(override in point for point in plan.points[1:])]
    if len(plan.points) > 1 and same:
        yield f"all: {' '.join(same)}"
    for one in found:
        what = f"shared: {', '.join(plan.shared)}"
        if one.number != SHARED:
            point = plan.points[one.number]
            what = " ".join([override for override in point if override not in same] or point)
        number = "-" if one.number == SHARED else str(one.number)
        seconds = "" if one.seconds is None else f"{one.seconds:.0f} s"
        attempts = f"attempt {one.attempts}" if one.attempts > 1 else ""
        note = "; ".join(part for part in (attempts, one.note) if part)
        yield f"{number:>4}  {one.state:<13} {seconds:>8}  {what}{f'  ({note})' if note else ''}"
    tasks = [one.state for one in found if one.number != SHARED]
    counts = ", ".join(f"{tasks.count(state)} {state}" for state in dict.fromkeys(tasks))
    yield f"{plan.name}: {len(tasks)} experiments: {counts or 'none'}"


def fetch(folder: Folder, plan: Plan, done: Sequence[int]) -> list[str]:
    """The names of the experiments that are here; those that a task could not push are fetched from its clone."""
    wanted = {plan.experiment(number): number for number in done if number != SHARED}
    for name in sorted(wanted.keys() - experiments(folder.root)):
        work = str(folder.work(wanted[name]))
        words = [sys.executable, "-m", "dvc", "exp", "pull", "--no-cache", work, name]
        pulled = subprocess.run(words, cwd=folder.root, capture_output=True, text=True, check=False)
        if pulled.returncode:
            raise SteadyError(f"{name}: neither here nor in {work}: {pulled.stderr.strip()}")
    return list(wanted)


def show(root: Path, commit: str) -> None:
    """Print the table of `dvc exp show` of the experiments of a commit."""
    words = ["exp", "show", "--rev", commit, "--only-changed", "--drop", DROP, "--no-pager"]
    # DVC cuts a table to the width of the terminal, and to 80 characters where there is none.
    wide = {} if sys.stdout.isatty() else {"COLUMNS": "400"}
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, env=os.environ | wide, check=False)
