"""Start a grid: show it with its cost, then run it on this machine or submit it to Slurm."""

import json
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from steady.cluster.grid import minutes_of, shared_stages, varied
from steady.cluster.plan import PLAN, SHARED, Folder, Plan
from steady.cluster.slurm import Resources, submit
from steady.cluster.status import last_line
from steady.cluster.task import Task
from steady.errors import SteadyError

Echo = Callable[[str], None]
Make = Callable[[int, Path], None]
"""Makes, in a folder, a copy of the repository with the parameters of a task."""


@dataclass(frozen=True)
class Request:
    """Where a grid runs and what each of its tasks asks for; a dry run is shown and not started."""

    cluster: Literal["slurm", "local"]
    resources: Resources
    dry_run: bool


def request_of(given: Mapping[str, Any]) -> Request:
    """What the options of a command ask for, by the names of `steady.commands.cluster_options`.

    SteadyError where a time or an option of `sbatch` is malformed.
    """
    if wrong := [one for one in given["slurm"] if "=" not in one]:
        raise SteadyError(f"--slurm: {wrong[0]!r} is not KEY=VALUE, such as account=NAME.")
    extra = dict(one.removeprefix("--").split("=", 1) for one in given["slurm"])
    numbers = {key: given[key] for key in ("gpus", "cpus", "nodes", "at_once")}
    resources = Resources(minutes_of(given["time"]), given["partition"], extra=extra, **numbers)
    return Request(given["cluster"], resources, given["dry_run"])


def shown(root: Path, plan: Plan, make: Make, request: Request, echo: Echo) -> Plan:
    """Show a grid with the stages that its tasks share and its cost; the plan with these stages.

    SteadyError where the copy of the first task cannot be made.
    """
    # One experiment shares its stages with nobody, so nothing needs to run before it.
    if len(plan.points) > 1:
        with tempfile.TemporaryDirectory(prefix="steady-grid-") as name:
            # any point will do: the shared stages are those that no point reaches
            make(0, Path(name))
            plan = replace(plan, shared=shared_stages(Path(name), varied(plan.points)))
    for number, point in enumerate(plan.points):
        echo(f"{number:>4}  {' '.join(point)}")
    echo(f"once before them: {', '.join(plan.shared) or 'nothing'}")
    # what the grid takes at the most, by its time limit, and what a run took where it was measured last
    resources = request.resources
    tasks, hours = len(plan.points), resources.minutes / 60
    line = f"{tasks} experiments, {resources.at_once} at once"
    if request.cluster == "slurm":
        rounds = -(-tasks // resources.at_once)  # rounded up
        gpus = resources.gpus * resources.nodes
        line += f": at most {rounds * hours:g} h and {tasks * hours * gpus:g} GPU-hours, by --time for each start"
    path = root / "metrics/provenance.json"
    if path.is_file():
        seconds = json.loads(path.read_text(encoding="utf-8")).get("seconds", {})
        # What is shared is left out, for it is paid once and not by each experiment.
        own = sum(taken for stage, taken in seconds.items() if stage not in plan.shared)
        line += (
            f". The committed run took {sum(seconds.values()):.0f} s in all, {own:.0f} s of it in what each would run"
        )
    echo(line)
    return plan


def launch(folder: Folder, plan: Plan, make: Make, request: Request, echo: Echo) -> bool:
    """Run a grid on this machine and wait for it, or submit it: whether its tasks are done; SteadyError where one failed."""
    if plan.shared:
        make(0, folder.work(SHARED))
    # Before the submission, for a task may begin, and read the plan, while `sbatch` still answers.
    folder.write_plan(plan)
    if request.cluster == "local":
        _run_here(folder, plan, request.resources.at_once, echo)
        return True
    try:
        jobs, first = submit(folder, len(plan.points), request.resources, bool(plan.shared))
    except BaseException:
        (folder.path / PLAN).unlink()  # the name stays free
        raise
    folder.write_plan(replace(plan, jobs=jobs, shared_job=first))
    echo(f"submitted {plan.name}: job {jobs[0].partition('_')[0]}. See: steady cluster status --name {plan.name}")
    return False


def _run_here(folder: Folder, plan: Plan, at_once: int, echo: Echo) -> None:
    def run(number: int) -> int:
        what = "shared stages" if number == SHARED else plan.experiment(number)
        echo(f"{what}: running, its output is in {folder.log(number)}")
        code = Task(folder.root, plan.name, number).run()
        echo(f"{what}: {'done' if code == 0 else f'failed: {last_line(folder, number)}'}")
        return code

    if plan.shared and run(SHARED):
        raise SteadyError(f"The stages that all share failed; {folder.log(SHARED)} has the whole output.")
    # threads, for each of them only waits for its process
    with ThreadPoolExecutor(at_once) as pool:
        codes = list(pool.map(run, range(len(plan.points))))
    if failed := sum(code != 0 for code in codes):
        raise SteadyError(f"{failed} of {len(codes)} experiments failed. See: steady cluster logs N --name {plan.name}")
