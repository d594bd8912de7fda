"""A grid: the points that overrides expand to, the stages that all of them share, and what it may cost."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from steady.errors import SteadyError
from steady.repro.workspaces import check_params, compose

Point = list[str]
"""The overrides of one experiment, as `dvc exp run -S` takes them."""


def expand(overrides: Sequence[str], recipe: str | None = None) -> list[Point]:
    """Every combination of the values of the overrides, by Hydra's grammar: `lora.r=4,8`, `seed=range(0,5)`.

    SteadyError where an override is not of the grammar, or names a key twice.
    """
    # Hydra's own parser, so that a grid means here what it means to `dvc exp run --queue`.
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import HydraException

    given = [*([f"+recipe={recipe}"] if recipe else []), *overrides]
    try:
        keys = [override_key(one) for one in given]
        points = [point["params.yaml"] for point in get_hydra_sweeps({"params.yaml": given})]
    except (HydraException, DvcException) as error:
        raise SteadyError(f"-S: {str(error).splitlines()[0]} An example: -S lora.r=4,8 -S seed=0,1,2") from error
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise SteadyError(f"-S: {', '.join(twice)} is given twice. Put all its values into one override.")
    return points


def override_key(override: str) -> str:
    """The key that an override sets, `lora.r` of `lora.r=4`."""
    from dvc.utils.hydra import to_hydra_overrides

    return str(to_hydra_overrides([override])[0].key_or_group)


def varied(points: Sequence[Point]) -> list[str]:
    """The keys that differ between the points."""
    columns = zip(*points, strict=True)
    return [override_key(column[0]) for column in columns if len(set(column)) > 1]


def check_points(root: Path, points: Sequence[Point]) -> None:
    """Compose points until every value was in one, and read each as the stages will, before anything is submitted.

    SteadyError where a key is not in `params.yaml`, there is no such recipe, or a stage refuses a value.
    """
    seen: set[str] = set()
    for point in points:
        # A grid of a thousand points has tens of values, and a refusal is almost always of one value.
        if seen >= set(point) and seen:
            continue
        seen |= set(point)
        with tempfile.TemporaryDirectory(prefix="steady-grid-") as name:
            folder, path = Path(name), Path(name, "params.yaml")
            shutil.copy2(root / "params.yaml", folder)
            shutil.copytree(root / "recipe", folder / "recipe")
            compose(folder, point)
            try:
                check_params(path)
            except SteadyError as error:
                # the file is a temporary one, of which the user knows nothing
                raise SteadyError(str(error).replace(str(path), f"-S {' -S '.join(point)}")) from error


def shared_stages(folder: Path, keys: Sequence[str]) -> list[str]:
    """The stages of `folder` that none of the keys (see `varied`) reaches, neither themselves nor through what they depend on.

    `folder` is a DVC repository with the parameters of any point.
    """
    if "recipe" in keys:
        return []  # a recipe may set any key
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    shared: dict[str, set[str]] = {}  # stage -> its outputs
    reached: set[str] = set()  # outputs of stages that a key reaches
    with Repo(str(folder)) as repo:
        stages = list(repo.index.stages)
    waiting = {stage.name: stage for stage in stages}
    produced = {out.def_path for stage in stages for out in stage.outs}
    while waiting:
        known = reached | {path for outs in shared.values() for path in outs}
        for name, stage in list(waiting.items()):
            paths = [dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)]
            needed = {out for out in produced for path in paths if _overlap(out, path)}
            if needed - known:
                continue
            del waiting[name]
            own = [key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params]
            # `params.yaml` itself, which the page shows, is another one at every point
            touched = "params.yaml" in paths or any(_overlap(one, key, ".") for one in own for key in keys)
            outs = {out.def_path for out in stage.outs}
            if touched or needed & reached:
                reached |= outs
            else:
                shared[name] = outs
    return list(shared)


def _overlap(one: str, other: str, separator: str = "/") -> bool:
    """Whether one of two paths lies in the other, or is it."""
    short, long = sorted((one, other), key=len)
    return long == short or long.startswith(short + separator)


def clean_commit(root: Path) -> str:
    """The commit that the tasks check out.

    SteadyError where `root` is no Git repository, or holds changes that no clone would have.
    """
    status = _git(root, "status", "--porcelain")
    if status:
        some = ", ".join(line[3:] for line in status.splitlines()[:5])
        raise SteadyError(
            f"{root.resolve()}: uncommitted changes ({some}) would not be in the clones that the tasks work in. Commit them, or put "
            "them aside with `git stash`."
        )
    return _git(root, "rev-parse", "HEAD")


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SteadyError(f"{root.resolve()}: `git {words[0]}` failed: {done.stderr.strip()}")
    return done.stdout.rstrip()


def minutes_of(time: str) -> int:
    """Whole minutes of a time limit as Slurm has it: `90`, `1:30:00`, `2-12:00:00`; SteadyError where it is none."""
    days, _, rest = time.rpartition("-")
    parts = rest.split(":")
    if not all(part.isdigit() for part in [*parts, *([days] if days else [])]) or len(parts) > 3:
        raise SteadyError(f"--time: {time!r} is no time. Examples: 90 (minutes), 1:30:00, 2-12:00:00.")
    numbers = [int(part) for part in parts]
    if days:
        hours, minutes, seconds = [*numbers, 0, 0][:3]
    else:
        hours, minutes, seconds = {1: [0, *numbers, 0], 2: [0, *numbers], 3: numbers}[len(numbers)]
    total = (int(days or 0) * 24 + hours) * 60 + minutes + -(-seconds // 60)
    if total < 1:
        raise SteadyError(f"--time: {time!r} is no time to run in. Give a minute at the least.")
    return total
