"""Copies of the repository in which the pipeline runs under other parameters, over the one cache of the repository.

DVC takes a stage from the cache where it has run with the same parameters, code and data before, so a copy costs only what
is new, and running it again costs nothing.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from steady.errors import SteadyError
from steady.metrics.run import RunResults, read_run
from steady.metrics.seed_results import Training
from steady.models.arm import read_manifest
from steady.parameters import StageParams, read_params

CONFIG = """[core]
    no_scm = true
    analytics = false
    check_update = false
[cache]
    dir = {cache}
"""


def make_workspace(root: Path, folder: Path, changes: Mapping[str, Any], recipe: str | None = None) -> None:
    """Copy every file that Git tracks or would track into `folder`, from scratch, and change its `params.yaml`.

    Args:
        root: the repository.
        changes: dotted keys of `params.yaml` with their values, `{"lora.r": 8}`.
        recipe: the name of a file of `recipe/`, put over the parameters first as `dvc exp run -S +recipe=NAME` does.

    Raises:
        SteadyError: a key is not in `params.yaml`, there is no such recipe, or `root` is no Git repository.
    """
    known = sorted(path.stem for path in (root / "recipe").glob("*.yaml"))
    if recipe is not None and recipe not in known:
        raise SteadyError(f"recipe: there is no {recipe!r}. There are: {', '.join(known)}.")
    # from scratch: what an earlier run left would be taken for outputs of this one
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in tracked_files(root):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target)
    (folder / ".dvc").mkdir(exist_ok=True)
    # The copy is no Git repository, and shares the cache so that what has run before costs nothing.
    (folder / ".dvc" / "config.local").write_text(CONFIG.format(cache=cache_of(root)), encoding="utf-8")
    if recipe is not None:
        compose(folder, [f"+recipe={recipe}"])
    change_params(folder / "params.yaml", changes)


def cache_of(root: Path) -> str:
    """The folder of the DVC cache of a repository; it may lie outside of it, as `dvc cache dir` sets it."""
    from dvc.config import Config

    own = Config(str(root.resolve() / ".dvc"))["cache"].get("dir")
    return str(Path(own or root / ".dvc/cache").resolve())


def compose(folder: Path, overrides: Sequence[str]) -> None:
    """Put overrides over the `params.yaml` of a folder, as `dvc exp run -S` does; SteadyError where Hydra refuses them."""
    from dvc.utils.hydra import compose_and_dump
    from hydra.errors import HydraException

    # `+recipe=NAME` puts the file of `recipe/` over the parameters
    place = str(folder.resolve())
    try:
        compose_and_dump(f"{place}/params.yaml", place, None, "params", place, list(overrides))
    except HydraException as error:
        reason = " ".join(str(error.__cause__ or error).partition("Config search path")[0].split())
        raise SteadyError(f"-S {' -S '.join(overrides)}: {reason}") from error


def tracked_files(root: Path) -> list[str]:
    """The paths below `root` of all files that Git tracks or would track; SteadyError where it is no repository."""
    # New files that are not ignored count as well: an uncommitted change is copied as it is.
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if done.returncode:
        raise SteadyError(f"{root.resolve()}: not a clone of a Git repository: {done.stderr.decode().strip()}")
    return [name for name in done.stdout.decode().split("\0") if name and (root / name).is_file()]


def change_params(path: Path, changes: Mapping[str, Any]) -> None:
    """Set dotted keys of a `params.yaml`, keeping the rest; SteadyError where a key is not there."""
    yaml = YAML()
    # No line is folded, so that a diff shows what was changed and nothing else.
    yaml.width = 4096
    yaml.representer.add_representer(
        type(None), lambda made, _: made.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    values = yaml.load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        place = values
        *parents, last = key.split(".")
        for parent in parents:
            place = place.get(parent, {})
        # a misspelt key would be added, and read by nobody
        if last not in place:
            raise SteadyError(f"{path}: no key `{key}` to change.")
        place[last] = value
    with path.open("w", encoding="utf-8") as handle:
        yaml.dump(values, handle)


def stage_views() -> tuple[type[StageParams], ...]:
    """The view of every stage that reads parameters, in the order of the pipeline."""
    from steady.compare.params import CompareStage
    from steady.evaluate.evaluate import EvaluateStage
    from steady.finetune.params import FinetuneParams
    from steady.prepare.params import PrepareParams
    from steady.prompts.params import FormatStage
    from steady.sensitivity.sensitivity import SensitivityStage

    return (PrepareParams, FormatStage, FinetuneParams, EvaluateStage, SensitivityStage, CompareStage)


def check_params(path: Path) -> None:
    """Read a `params.yaml` as every stage will; SteadyError where a stage would refuse it; the faults are listed."""
    # a stage looks only at its own sections
    for view in stage_views():
        read_params(path, view)


def read_runs(names: Sequence[str], folders: Sequence[Path]) -> list[RunResults]:
    """The runs that some workspaces hold of the arms `names`, all on the prompts of the first one."""
    formatted = folders[0] / "data/formatted"
    return [read_run(names, folder / "metrics/arms", folder / "reports/arms", formatted) for folder in folders]


def trainings(names: Sequence[str], folders: Sequence[Path]) -> dict[str, list[Training]]:
    """What the manifests of each arm say of its training, workspace by workspace."""
    found: dict[str, list[Training]] = {}
    for name in names:
        records = [read_manifest(folder / "models" / name).training for folder in folders]
        # a model that writes counts them with what was cut
        found[name] = [Training(one.get("steps"), one.get("truncation", one).get("tokens_shown")) for one in records]
    return found
