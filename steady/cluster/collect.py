"""Bring the experiments of a grid into the repository that submitted it, and compare them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from steady.cluster.plan import SHARED, Folder, Plan
from steady.cluster.task import experiments
from steady.errors import SteadyError

DROP = r".*\.(py|json|jsonl|txt|yaml)$"  # columns of files that the experiments depend on


def fetch(folder: Folder, plan: Plan, done: Sequence[int]) -> list[str]:
    """The names of the experiments that are here; those that a task could not push are fetched from its clone.

    SteadyError where an experiment is in neither place.
    """
    wanted = {plan.experiment(number): number for number in done if number != SHARED}
    for name in sorted(wanted.keys() - experiments(folder.root)):
        words = ["exp", "pull", "--no-cache", str(folder.work(wanted[name])), name]
        done_here = _dvc(folder.root, words)
        if done_here.returncode:
            raise SteadyError(f"{name}: neither here nor in {folder.work(wanted[name])}: {done_here.stderr.strip()}")
    return list(wanted)


def show(root: Path, commit: str) -> None:
    """Print the table of `dvc exp show` of the experiments of a commit."""
    words = ["exp", "show", "--rev", commit, "--only-changed", "--drop", DROP, "--no-pager"]
    # DVC cuts a table to the width of the terminal, and to 80 characters where there is none.
    wide = {} if sys.stdout.isatty() else {"COLUMNS": "400"}
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, env=os.environ | wide, check=False)


def _dvc(root: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, capture_output=True, text=True, check=False)
