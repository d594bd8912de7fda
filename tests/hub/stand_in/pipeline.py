"""The stages of `dvc.yaml` in one process: the commands DVC would run, in its order, in a folder of their own."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
COPIED = (
    "dvc.yaml",
    "claims.yaml",
    "constraints.txt",
    "requirements.txt",
    "metrics/environment.json",
    "metrics/provenance.json",
)
CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
SMALL: Mapping[str, Any] = {
    "model": {"num_threads": 1},
    "data": {"train_rows": 24, "validation_rows": 10, "test_rows": 12},
    "format": {"wordings_per_example": 2, "formats": 4, "orders": 2},
    # the paged optimizers need a GPU; an evaluation has to come within two steps
    "train": {"num_train_epochs": 1, "max_steps": 2, "eval_steps": None, "optim": "adamw_torch"},
    "sft": {"generate_rows": 2},
    "dpo": {"num_samples": 2, "num_train_epochs": 1},
    "grpo": {"max_steps": 1, "num_generations": 2, "max_completion_length": 6},
    "evaluate": {"max_new_tokens": 4, "bootstrap_draws": 100, "batch_size": 16},
    "sensitivity": {"test_groups": 2, "train_groups": 1, "wordings_per_family": 2, "bootstrap_draws": 100},
    "compare": {"permutations": 100, "bootstrap_draws": 100},
    "runtime": {"device": "cpu", "progress": False},
}


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 file."""
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return values


def write_params(folder: Path, recipe: str, changes: Mapping[str, Any] = SMALL) -> dict[str, Any]:
    """`params.yaml` composed with a recipe and made small."""
    values = read_yaml(ROOT / "params.yaml") | read_yaml(ROOT / f"recipe/{recipe}.yaml")
    for section, keys in changes.items():
        values[section] = values[section] | keys
    if values["model"]["task"] == "SEQ_CLS":
        values["sft"]["generate_rows"] = 0  # it generates nothing
    with (folder / "params.yaml").open("w", encoding="utf-8") as handle:
        YAML(typ="safe", pure=True).dump(values, handle)
    return values


def write_repository(folder: Path, recipe: str) -> None:
    """The files that Git tracks (or would), without what was run before, and small parameters: a project for `dvc repro`."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    for name in names:
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".dvc/config").write_text(CONFIG, encoding="utf-8")
    write_params(folder, recipe)


def write_project(folder: Path, recipe: str, changes: Mapping[str, Any] = SMALL) -> dict[str, Any]:
    """A folder in which the stages can run in this process: small parameters and the files that stages read."""
    folder.mkdir(parents=True, exist_ok=True)
    values = write_params(folder, recipe, changes)
    for name in COPIED:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "data/raw", folder / "data/raw")
    if (ROOT / "models/base").is_dir():
        (folder / "models").mkdir()
        (folder / "models/base").symlink_to(ROOT / "models/base")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text(CONFIG, encoding="utf-8")
    return values


def commands(folder: Path) -> dict[str, list[str]]:
    """The words of each stage's command by the stage's name, in an order in which what a stage reads is written before."""
    from dvc.repo import Repo
    from networkx import topological_sort

    with Repo(str(folder)) as repository:
        graph = repository.index.graph
        stages = [stage for stage in reversed(list(topological_sort(graph))) if stage.cmd]
        return {stage.addressing: shlex.split(stage.cmd) for stage in stages}


def run_stage(words: list[str]) -> str:
    """Call a stage's click command as `python -m stages.NAME …` would, in the current folder; gives what it printed."""
    from click.testing import CliRunner

    python, flag, module, *arguments = words
    assert (python, flag) == ("python", "-m") and module.startswith("stages."), words
    found = CliRunner().invoke(import_module(module).main, arguments, catch_exceptions=False)
    assert found.exit_code == 0, f"{module} {' '.join(arguments)}\n{found.output}"
    return str(found.output)
