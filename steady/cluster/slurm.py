"""Slurm, through submitit and Slurm's own commands: submit an array, and ask what became of its tasks."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from steady.cluster.plan import SHARED, Folder
from steady.cluster.task import Task
from steady.errors import SteadyError

RESUMES = 100  # how often a task that reaches its time limit is queued again


@dataclass(frozen=True)
class Resources:
    """What each task asks for; `extra` are further options of `sbatch`, such as `account` and `mem`."""

    minutes: int
    partition: str | None = None
    gpus: int = 0
    cpus: int | None = None
    nodes: int = 1
    at_once: int = 1
    extra: dict[str, str] = field(default_factory=dict)


def submit(folder: Folder, tasks: int, resources: Resources, shared: bool) -> tuple[list[str], str | None]:
    """Submit the tasks as one array, and before them the shared stages as a job that they wait for.

    Returns the job ids of the tasks, and that of the shared stages; SteadyError where submitit or Slurm is not installed, or refuses.
    """
    try:
        import submitit
    except ImportError as error:
        raise SteadyError("submitit is not installed. Install it: pip install submitit==1.5.4") from error
    if not shutil.which("sbatch"):
        raise SteadyError("sbatch: no such program. Submit from a machine of the cluster, or try --cluster local.")
    # exec: the batch shell becomes Python, so that Python gets the signal for the shell.
    python = f"exec {shlex.quote(sys.executable)}"
    executor = submitit.SlurmExecutor(folder.path / "submitit", max_num_timeout=RESUMES, python=python)
    name, wanted = folder.path.name, resources
    parameters = {
        "time": wanted.minutes,
        "nodes": wanted.nodes,
        "partition": wanted.partition,
        "gpus_per_node": wanted.gpus or None,
        "cpus_per_task": wanted.cpus,
        "array_parallelism": wanted.at_once,
        # In the batch shell, not in a step: a launcher's `srun` inside a step would be cut to the nodes of that step.
        "use_srun": False,
    }
    # B: the batch shell has no step that would get the signal. Requeue: preemption and lost nodes begin a task again.
    additional = {"signal": "B:USR2@90", "requeue": True, **wanted.extra}
    given = {key: value for key, value in parameters.items() if value is not None}
    executor.update_parameters(**given, job_name=name, additional_parameters=additional)
    first: str | None = None
    try:
        if shared:
            first = str(executor.submit(Task(folder.root, name, SHARED)).job_id)
            waits = {"dependency": f"afterok:{first}", "kill_on_invalid_dep": "yes"}
            executor.update_parameters(additional_parameters=additional | waits)
        with executor.batch():
            jobs = [executor.submit(Task(folder.root, name, number)) for number in range(tasks)]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        raise SteadyError(f"sbatch: {' '.join(str(error).split())}") from error
    return [str(job.job_id) for job in jobs], first


def job_states(jobs: Iterable[str]) -> dict[str, tuple[str, str]]:
    """(state, reason) of jobs, as far as Slurm knows them; the keys are the given ids.

    `scontrol` knows jobs until minutes after their end; `sacct` knows older ones, where the cluster keeps accounts.
    """
    wanted = list(jobs)
    found: dict[str, tuple[str, str]] = {}
    # An array is asked for once: a grid of a thousand tasks would otherwise be a thousand questions to the controller.
    for parent in dict.fromkeys(job.partition("_")[0] for job in wanted):
        for record in _output(["scontrol", "show", "job", "--oneliner", parent]).splitlines():
            fields = dict(part.partition("=")[::2] for part in record.split() if "=" in part)
            both = (fields.get("JobState", ""), fields.get("Reason", ""))
            numbers = _numbers(fields.get("ArrayTaskId", ""))
            names = [f"{parent}_{number}" for number in numbers] if numbers else [parent]
            found |= dict.fromkeys(names, both)
    missing = [job for job in wanted if job not in found]
    if missing and shutil.which("sacct"):
        parents = ",".join(dict.fromkeys(job.partition("_")[0] for job in missing))
        rows = _output(
            ["sacct", "--allocations", "--noheader", "--parsable2", "--format=JobID,State", "--jobs", parents]
        )
        for name, _, state in (row.partition("|") for row in rows.splitlines()):
            if name in missing and state:
                found[name] = (state.split()[0], "")
    return {job: found[job] for job in wanted if job in found}


def _numbers(text: str) -> list[int]:
    """The tasks that one record stands for: `3`, or of pending ones `2-5,7%2`."""
    numbers: list[int] = []
    for part in text.partition("%")[0].split(","):
        if ends := re.fullmatch(r"(\d+)(?:-(\d+))?", part):
            numbers += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return numbers


def _output(words: list[str]) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
