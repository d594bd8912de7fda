"""The stage `sensitivity` in one process and in two: its seconds, and whether it writes the same bytes.

`python -m benchmarks.processes` after `dvc repro`. The whole stage is timed, from the start of Python to its end; "score" is that
less the stage on one group, which is mostly imports and the model. The prompts are those of the run, as many whole groups as
`--prompts` allows. Say how busy the machine was: two processes on one free core are no faster than one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks.rows import Row
from steady.records import Prompt, read_records, write_records
from steady.repro.workspaces import change_params


class Setting(NamedTuple):
    """So many processes of so many threads each."""

    processes: int
    threads: int

    @property
    def name(self) -> str:
        return f"{self.processes} x {self.threads} thread{'s' if self.threads > 1 else ''}"


SETTINGS = (Setting(1, 1), Setting(2, 1), Setting(1, 2))


class Timed(NamedTuple):
    """Seconds of the stage, and a digest of all that it wrote."""

    seconds: float
    digest: str


def measure(root: Path, arm: str, prompts: int) -> list[Row]:
    """Run the stage in every setting.

    Raises:
        RuntimeError: a run failed, or two processes wrote other bytes than one.
    """
    groups = [
        list(group) for _, group in groupby(read_records(root / "data/formatted/sensitivity.jsonl", Prompt), _group)
    ]
    few, many = groups[:1], groups[: max(2, prompts // len(groups[0]))]
    rows, found = [], {}
    for setting in SETTINGS:
        start = stage(root, arm, few, setting).seconds
        found[setting] = stage(root, arm, many, setting)
        rows += [
            Row(f"{setting.name}, {sum(map(len, many))} prompts", found[setting].seconds, "s", None),
            Row(f"{setting.name}, score", found[setting].seconds - start, "s", None),
        ]
    one, two = found[SETTINGS[0]], found[SETTINGS[1]]
    if one.digest != two.digest:
        raise RuntimeError("Two processes wrote other bytes than one.")
    ratios = [rows[place].value / rows[place + 2].value for place in (0, 1)]
    return [
        *rows,
        Row("one process / two, stage", ratios[0], "", None),
        Row("one process / two, score", ratios[1], "", None),
    ]


def _group(prompt: Prompt) -> str:
    return prompt.group_id


def stage(root: Path, arm: str, groups: Sequence[Sequence[Prompt]], setting: Setting) -> Timed:
    """Run the stage on some groups in a folder of its own, so that nothing of the repository changes."""
    with tempfile.TemporaryDirectory(prefix="steady-processes-") as name:
        folder = Path(name)
        shutil.copy(root / "params.yaml", folder)
        change_params(folder / "params.yaml", {"model.num_threads": setting.threads, "runtime.progress": False})
        write_records(folder / "prompts.jsonl", [prompt for group in groups for prompt in group])
        command = [sys.executable, "-m", "stages.sensitivity", "--arm", arm, "--params", str(folder / "params.yaml")]
        inputs = {"model": f"models/{arm}", "evaluated": f"metrics/arms/{arm}/evaluate.json"}
        inputs |= {"wordings": "data/formatted/wordings.jsonl"}
        outs = {"predictions": "out/sensitivity.jsonl", "matrices": "out/matrices", "metrics": "out/sensitivity.json"}
        for option, path in inputs.items():
            command += [f"--{option}", str(root.resolve() / path)]
        for option, path in (outs | {"prompts": "prompts.jsonl"}).items():
            command += [f"--{option}", str(folder / path)]
        own = {"DVC_ROOT": str(folder), "OMP_NUM_THREADS": str(setting.threads)}
        if setting.processes > 1:
            own["STEADY_LAUNCHER"] = f"torchrun --standalone --nproc-per-node {setting.processes}"
        started = time.perf_counter()
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{setting.name}: {done.stderr}")
        digest = hashlib.sha256()
        for path in sorted(path for path in (folder / "out").rglob("*") if path.is_file()):
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
        return Timed(seconds, digest.hexdigest())


@click.command()
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The repository.")
@click.option("--arm", default="baseline", show_default=True)
@click.option("--prompts", type=click.IntRange(1), default=120, show_default=True, help="As many, in whole groups.")
def main(root: Path, arm: str, prompts: int) -> None:
    """Print the seconds of one process and of two."""
    for row in measure(root, arm, prompts):
        print(f"{row.name:35} {row.value:8.2f} {row.unit}")
    print("Two processes wrote the bytes of one.")


if __name__ == "__main__":
    main()
