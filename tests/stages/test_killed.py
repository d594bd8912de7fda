"""A stage that is killed at a random moment and run again ends with the bytes of a run that nobody stopped.

Each stage runs as `dvc.yaml` has it, in a process group of its own and in a small project of its own, and the group gets
SIGKILL. The process is a fork of one that has imported the libraries (`warm_python`), so every kill falls into the stage's own
work. Every file and folder of the project is compared, so nothing may be left beside the outputs: no temporary file, and no
kept part of the work once the stage has succeeded. Two things are allowed: `.dvc/tmp`, where the lock of the stage lies, and
what a killed process had in the system's folder for temporary files. `STEADY_KILLS=20` kills each stage twenty times instead of
twice.
"""

import contextlib
import hashlib
import os
import random
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hub"))

from stand_in.models import model_files
from stand_in.pipeline import ROOT, SMALL, commands, run_stage, write_project
from warm_python import Running, begin

from checks.pipeline import Stage, read_stages

KILLS = int(os.environ.get("STEADY_KILLS", "2"))
KEPT = ("**/checkpoint-*", "scoring-*/*.jsonl")  # below .checkpoints: what a stopped run goes on from
Sections = Mapping[str, Mapping[str, Any]]


class Kind(NamedTuple):
    """A project: a recipe, what makes it small (None: it stays as it is), and the last stage that runs beforehand."""

    recipe: str
    changes: Sections | None
    last: str


FULL_SIZE = Kind("tickets-smollm2", None, "format")  # stages without a model; small they would take no time
LABELS = Kind(
    "tickets-smollm2",
    {
        "data": {"test_rows": 24},
        "train": {"max_steps": 10, "num_train_epochs": 8, "per_device_train_batch_size": 4, "eval_steps": 2},
        "evaluate": {"batch_size": 2, "max_new_tokens": 16},  # a bundle holds few prompts, so several are kept
        "sensitivity": {"test_groups": 4, "wordings_per_family": 4},
        "compare": {"permutations": 2000, "bootstrap_draws": 500},
    },
    "compare",
)
PAIRS = Kind("concise-smollm2", {"train": {"max_steps": 4, "eval_steps": 2}, "dpo": {"num_train_epochs": 2}}, "format")
CASES = [
    (FULL_SIZE, "prepare"),
    (FULL_SIZE, "format"),
    (LABELS, "finetune@tuned"),
    (PAIRS, "finetune@tuned"),
    (LABELS, "evaluate@tuned"),
    (LABELS, "sensitivity@tuned"),
    (LABELS, "compare"),
    (LABELS, "report"),
]


@pytest.fixture(scope="module")
def project_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    """The project of a kind, made when it is first asked for."""
    made: dict[str, Path] = {}

    def find(kind: Kind) -> Path:
        name = f"{kind.recipe}-{kind.last}"
        if name not in made:
            made[name] = make_project(tmp_path_factory.mktemp(name), kind)
        return made[name]

    return find


def make_project(place: Path, kind: Kind) -> Path:
    """A project with what its stages have written, the last one included; the random base lies beside it."""
    folder, base = place / "project", place / "base"
    base.mkdir()
    for name, content in model_files("llama").items():
        (base / name).write_bytes(content)
    changes: dict[str, Mapping[str, Any]] = {}
    if kind.changes is not None:
        own = {"model": {"id": str(base), "chat_template": False}, **kind.changes}
        changes = {section: {**SMALL.get(section, {}), **own.get(section, {})} for section in {*SMALL, *own}}
    write_project(folder, kind.recipe, changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("DVC_STAGE", "DVC_ROOT"):
            patch.delenv(name, raising=False)
        for name, words in commands(folder).items():
            run_stage(words)
            if name == kind.last:
                break
    return folder


class Run(NamedTuple):
    """Where a stage runs, and the Python that it is a fork of."""

    project: Path
    stage: Stage
    place: Path
    warm: Path

    def begin(self, name: str) -> Path:
        """A copy of the project from which the outputs are gone, as DVC removes them."""
        folder = self.place / name
        shutil.copytree(self.project, folder, symlinks=True)
        for out in self.stage.outs:
            path = folder / out
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return folder

    def start(self, folder: Path, log: str) -> Running:
        """The command of the stage, as DVC starts it, in a process group of its own; what it prints goes to a log."""
        temporary = self.place / "temporary"
        temporary.mkdir(exist_ok=True)
        own = {"DVC_STAGE": self.stage.name, "DVC_ROOT": str(folder), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
        with (self.place / log).open("wb") as handle:
            streams = [0, handle.fileno(), handle.fileno()]
            return begin(self.warm / "socket", shlex.split(self.stage.command)[1:], folder, os.environ | own, streams)


def watch(running: Running, until: float = float("inf")) -> float:
    """Wait until a process has had so many seconds of a processor, or is gone; the seconds that it was last seen to have had.

    They pass at the same pace in every run, whatever else the machine does.
    """
    had = 0.0
    while running.alive() and had < until:
        time.sleep(0.002)
        with contextlib.suppress(psutil.Error):
            used = psutil.Process(running.pid).cpu_times()
            had = max(had, used.user + used.system)
    return had


def contents(folder: Path) -> dict[str, str]:
    """The digest of every file and the name of every folder, but for those of DVC's own place for what is passing."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
        if not path.is_relative_to(folder / ".dvc/tmp")
    }


class Whole(NamedTuple):
    """A run that nobody stopped: the seconds of a processor that it took, and the files before and after it."""

    seconds: float
    before: dict[str, str]
    after: dict[str, str]


def run_whole(run: Run, name: str) -> Whole:
    """Run the stage to its end."""
    folder = run.begin(name)
    before = contents(folder)
    running = run.start(folder, f"{name}.log")
    seconds = watch(running)
    assert running.status() == 0, (run.place / f"{name}.log").read_text(encoding="utf-8")
    return Whole(seconds, before, contents(folder))


class Killed(NamedTuple):
    """What came of a kill: whether the process was still there, had changed the project, and had kept work; and what is wrong."""

    alive: bool
    changed: bool
    kept: bool
    faults: Sequence[str]


def run_killed(run: Run, whole: Whole, number: int, moment: float, pause: float) -> Killed:
    """Kill the group at a moment, or a pause after it, run the same command to its end, and compare.

    Where the project is still what the whole run began with, the run to the end is known and left out.
    """
    folder, log = run.begin(f"killed-{number}"), f"killed-{number}.log"
    running = run.start(folder, log)
    watch(running, moment)
    time.sleep(pause)
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        os.killpg(running.pid, signal.SIGKILL)
    alive = running.status() == -signal.SIGKILL
    if contents(folder) == whole.before:
        shutil.rmtree(folder)
        return Killed(alive, False, False, [])
    kept = any(any((folder / ".checkpoints").glob(pattern)) for pattern in KEPT)
    again = run.start(folder, log)
    ended = again.status()
    found = contents(folder)
    faults = [name for name in sorted(found.keys() | whole.after.keys()) if found.get(name) != whole.after.get(name)]
    if ended:
        faults.append(f"ended with {ended}: {(run.place / log).read_text(encoding='utf-8')[-3000:]}")
    if not faults:
        shutil.rmtree(folder)
    return Killed(alive, True, kept, faults)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{name}-{kind.recipe}" for kind, name in CASES])
def test_killed_at_random_moments_a_stage_ends_with_the_same_bytes(kind, name, project_of, warm, tmp_path):
    project = project_of(kind)
    run = Run(project, next(stage for stage in read_stages(project) if stage.name == name), tmp_path, warm)
    whole, other = (run_whole(run, name) for name in ("whole", "twice"))
    assert whole.after == other.after, "two runs that nobody stopped differ"
    generator, seconds = random.Random(f"{kind.recipe}:{name}"), min(whole.seconds, other.seconds)
    # A random moment in each of as many equal parts of the run, so that few kills reach its beginning and its end too. The
    # pause after it reaches what takes no processor, such as waiting for the disk.
    moments = [(generator.uniform(part, part + 1) / KILLS * seconds, generator.random() / 20) for part in range(KILLS)]
    found = [run_killed(run, whole, number, *moment) for number, moment in enumerate(moments)]
    print(
        f"\n{name} of {kind.recipe}: {sum(not one.faults for one in found)} of {KILLS} the same; killed alive "
        f"{sum(one.alive for one in found)}, when the project had changed {sum(one.changed for one in found)}, with work kept "
        f"{sum(one.kept for one in found)}; a whole run takes {seconds:.1f} s of a processor"
    )
    assert [one for one in found if one.faults] == []
