"""Prove that `dvc.yaml` tells the whole truth: paths, code and parameters of every stage.

`python -m checks.pipeline` prints the code that each stage has to list.
"""

import ast
import copy
import logging
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, get_args

from ruamel.yaml import YAML

from checks.findings import Finding
from checks.imports import UNTRACKED as UNTRACKED_CODE
from checks.imports import code_dependencies, imported_files, imported_names, unit
from steady.finetune.params import Objective

SOURCE = "dvc.yaml"
UNTRACKED = ("runtime",)  # sections that cannot change results
CODE = ("steady", "stages")
NAMED_BY_PARAMETERS = ("data/raw", "models/base")  # what `data.sources`, `format.wordings` and `model.id` may name
# What methods and objectives are set by. A view checks all of them, and an arm uses those of its own method and objective.
OF_ARMS = ("none", "full", "probe", "lora", "train", *get_args(Objective))
POISON = "poisoned: this key is not declared"


class Stage(NamedTuple):
    """A stage as DVC resolves it; `params` are the declared keys of `params.yaml`."""

    name: str
    command: str
    deps: list[str]
    outs: list[str]
    params: list[str]

    @property
    def script(self) -> str:
        """The name of the stage's script: the stage's name without its arm."""
        return self.name.partition("@")[0]


def read_stages(root: Path) -> list[Stage]:
    """Every stage of `dvc.yaml`, with `foreach` and `${…}` resolved by DVC itself."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    stages = []
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            params = [key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params]
            deps = [dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)]
            command = stage.cmd if isinstance(stage.cmd, str) else " && ".join(stage.cmd)
            outs = [out.def_path for out in stage.outs]
            stages.append(Stage(stage.name, command, deps, outs, params))
    return stages


def covers(place: str, path: str) -> bool:
    """Whether a dependency or output at `place` takes in `path`."""
    return PurePosixPath(path).is_relative_to(place)


def check_command(stage: Stage) -> Iterator[Finding]:
    """Findings for paths on the command line that DVC is not told of, and outputs that the command line does not name."""
    words = shlex.split(stage.command)
    if words[:3] != ["python", "-m", f"stages.{stage.script}"]:
        yield Finding(SOURCE, 0, "command", f"{stage.name}: expected `python -m stages.{stage.script} …`")
    known = [*stage.deps, *stage.outs, "params.yaml"]
    paths = [
        word
        for word in words[3:]
        if "/" in word or word.endswith((".json", ".jsonl", ".yaml")) or any(covers(word, place) for place in known)
    ]
    for path in paths:
        if not any(covers(place, path) or covers(path, place) for place in known):
            yield Finding(SOURCE, 0, "undeclared-path", f"{stage.name}: {path} is neither in deps nor in outs")
    for place in [*stage.outs, *(dep for dep in stage.deps if dep.split("/")[0] not in CODE)]:
        named = place.startswith(NAMED_BY_PARAMETERS) or any(
            covers(path, place) or covers(place, path) for path in paths
        )
        if "/" in place and not named:
            yield Finding(SOURCE, 0, "hidden-path", f"{stage.name}: {place} is not on the command line")


def check_options(stage: Stage) -> Iterator[Finding]:
    """Findings for path options of a stage's script that the command line leaves to their default."""
    import click

    command: click.Command = import_module(f"stages.{stage.script}").main
    words = shlex.split(stage.command)
    for option in command.params:
        is_path = isinstance(option, click.Option) and isinstance(option.type, click.Path) and option.name != "params"
        if is_path and not set(option.opts) & set(words):
            yield Finding(SOURCE, 0, "default-path", f"{stage.name}: {option.opts[0]} is not on the command line")


def check_code(root: Path, stage: Stage) -> Iterator[Finding]:
    """Findings for packages that a stage imports without depending on them, and for code of which it imports nothing."""
    imported = [path.as_posix() for path in imported_files(root, f"stages.{stage.script}")]
    known = [*stage.deps, *UNTRACKED_CODE]
    missing = {unit(Path(path)) for path in imported if not any(covers(dep, path) for dep in known)}
    for place in sorted(missing):
        yield Finding(SOURCE, 0, "undeclared-code", f"{stage.name} imports {place}, which its deps do not cover")
    for dep in stage.deps:
        if dep.split("/", maxsplit=1)[0] in CODE and not any(covers(dep, path) for path in imported):
            yield Finding(SOURCE, 0, "idle-code", f"{stage.name} depends on {dep} and imports nothing of it")


def stage_view(root: Path, script: str) -> Any:
    """The `StageParams` subclass that a stage's script gives to `read_params`; None where it reads no parameters."""
    tree = ast.parse((root / "stages" / f"{script}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "read_params":
            view = ast.unparse(node.args[1])
            module = next(name for name in imported_names(tree) if name.endswith(f".{view}")).rpartition(".")[0]
            logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it misses a kernel nobody asked for
            return getattr(import_module(module), view)
    return None


def check_params(root: Path, stage: Stage) -> Iterator[Finding]:
    """Findings for keys that a stage reads and does not declare, or declares and does not read.

    Every undeclared leaf of `params.yaml` is replaced by a text that no key allows, and the stage's view must stay the
    same; then every declared one in turn, and the view must change or refuse it. The arms and the sections of methods and
    objectives are left alone: which of them an arm uses is named by the arm.
    """
    values = YAML(typ="safe", pure=True).load((root / "params.yaml").read_text(encoding="utf-8"))
    view = stage_view(root, stage.script)
    if view is None:
        if stage.params:
            yield Finding(SOURCE, 0, "params", f"{stage.name} declares parameters and reads none")
        return
    as_it_is = _read(values, view)
    exempt = [*stage.params, *UNTRACKED, "arms", *_of_arms(values)]
    poisoned = poison(values, [leaf for leaf in leaf_paths(values) if not any(_under(leaf, key) for key in exempt)])
    if (read := _read(poisoned, view)) != as_it_is:
        yield Finding(SOURCE, 0, "undeclared-params", f"{stage.name} reads keys that it does not declare: {read}")
    for key in sorted(set(stage.params) - _of_arms(values)):
        if _read(poison(values, [key]), view) == as_it_is:
            yield Finding(SOURCE, 0, "idle-params", f"{stage.name} declares {key} and does not read it")


def _of_arms(values: Any) -> set[str]:
    """The sections that the method or the objective of some arm is set by."""
    return {*OF_ARMS, *(arm[key] for arm in values["arms"].values() for key in ("method", "objective") if key in arm)}


def leaf_paths(values: Any, prefix: str = "") -> list[str]:
    """The dotted paths of all leaves of nested mappings."""
    if not isinstance(values, dict):
        return [prefix]
    return [leaf for key, inner in values.items() for leaf in leaf_paths(inner, f"{prefix}.{key}".lstrip("."))]


def poison(values: Any, keys: Sequence[str]) -> Any:
    """A copy of nested mappings with the values at dotted keys replaced."""
    changed = copy.deepcopy(values)
    for key in keys:
        place = changed
        *parents, last = key.split(".")
        for parent in parents:
            place = place[parent]
        place[last] = POISON
    return changed


def _under(leaf: str, key: str) -> bool:
    return leaf == key or leaf.startswith(f"{key}.")


def _read(values: Any, view: Any) -> str:
    from steady.errors import SteadyError
    from steady.parameters import read_params

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        YAML(typ="safe", pure=True).dump(values, path)
        try:
            return repr(read_params(path, view))
        except SteadyError as error:
            return str(error).replace(f"{path}: ", "")


def check_pipeline(root: Path) -> Iterator[Finding]:
    """All findings of `dvc.yaml`."""
    for stage in read_stages(root):
        yield from check_command(stage)
        yield from check_options(stage)
        yield from check_code(root, stage)
        yield from check_params(root, stage)


if __name__ == "__main__":
    for script in sorted({path.stem for path in Path("stages").glob("[a-z]*.py")} - {"process", "options"}):
        print(f"{script}:")
        print("\n".join(f"  - {dep}" for dep in code_dependencies(Path(), f"stages.{script}")))
