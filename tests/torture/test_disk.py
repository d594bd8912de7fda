"""A disk that is full or read-only from any write of a stage on is one message; the same command then ends with the same bytes.

`STEADY_EVERY_WRITE=5` tries every fifth write.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stages"))

from test_killed import Kind, contents, make_project
from warm_python import begin

from checks.pipeline import Stage, read_stages

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("prepare", "format", "finetune@tuned", "evaluate@tuned", "sensitivity@tuned", "compare", "report")
EVERY = int(os.environ.get("STEADY_EVERY_WRITE", "1"))
ROOM = "size=2g"  # of the memory, as it is used


class Ended(NamedTuple):
    """How a stage ended: its status and what it printed."""

    status: int
    output: str


class Disk(NamedTuple):
    """A disk of its own with a project on it, and the Python that stages are a fork of; None: each has one of its own."""

    folder: Path
    project: Path
    warm: Path | None

    def begin(self, stage: Stage) -> Path:
        """A copy of the project without the outputs of a stage, on an empty disk."""
        subprocess.run(["mount", "-o", f"remount,{ROOM}", self.folder], check=True)
        copy = self.folder / "project"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.project, copy, symlinks=True)
        for out in stage.outs:
            path = copy / out
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return copy

    def run(self, stage: Stage, how: str, number: int) -> Ended:
        """Run a stage on the project that is there."""
        project, log = self.folder / "project", self.folder.parent / "log"
        # the system's folder for temporary files is on the same disk
        own = {"DVC_STAGE": stage.name, "DVC_ROOT": str(project), "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
        own["TMPDIR"] = str(self.folder)
        words = ["-m", "failing_disk", how, str(number), str(self.folder), str(self.folder.parent / "writes")]
        with log.open("wb") as handle:
            streams, environment = [0, handle.fileno(), handle.fileno()], os.environ | own
            command = [*words, *shlex.split(stage.command)[2:]]
            if self.warm is None:
                status = subprocess.run(
                    [sys.executable, *command], cwd=project, env=environment, stdout=handle, stderr=handle, check=False
                ).returncode
            else:
                status = begin(self.warm / "socket", command, project, environment, streams).status()
        return Ended(status, log.read_text(encoding="utf-8"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[Path, Path | None], Disk]]:
    """Mount a small disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", ROOM, "none", folder], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting a disk of its own is not permitted here")
    yield lambda project, warm: Disk(folder, project, warm)
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of a small model that has been run to its end."""
    return make_project(tmp_path_factory.mktemp("project"), Kind("tickets-smollm2", {}, "report"))


def different(writes: list[str]) -> list[int]:
    """The numbers of the first writes of each kind: numbers in a path, such as those of processes, do not count."""
    seen = dict.fromkeys(re.sub(r"\d+", "", line) for line in reversed(writes))
    kinds = [re.sub(r"\d+", "", line) for line in writes]
    return sorted(kinds.index(kind) + 1 for kind in seen)


def without_checkpoints(files: dict[str, str]) -> dict[str, str]:
    """The files of a project but for those of its checkpoints."""
    return {path: digest for path, digest in files.items() if Path(path).parts[0] != ".checkpoints"}


def faults_of(disk: Disk, name: str, chosen: Callable[[list[int]], list[int]]) -> tuple[int, list[str]]:
    """How many writes of a stage were made to fail, and what was wrong after it."""
    stage = next(stage for stage in read_stages(disk.project) if stage.name == name)
    disk.begin(stage)
    log = disk.folder.parent / "writes"
    log.unlink(missing_ok=True)
    assert disk.run(stage, "list", 0) == Ended(0, disk.folder.parent.joinpath("log").read_text(encoding="utf-8"))
    whole = contents(disk.folder / "project")
    numbers, faults = chosen(different(log.read_text().splitlines())), []
    for how in ("full", "read-only"):
        for number in numbers:
            disk.begin(stage)
            ended = disk.run(stage, how, number)
            place = f"{name}, {how} at write {number} ({log.read_text().splitlines()[number - 1]})"
            if ended.status and (ended.status != 1 or "Traceback" in ended.output or ended.output.count("Error:") != 1):
                faults.append(f"{place}: {ended.output[-1500:]}")
            subprocess.run(["mount", "-o", f"remount,{ROOM}", disk.folder], check=True)
            again = disk.run(stage, "list", 0) if ended.status else ended
            left, expected = contents(disk.folder / "project"), whole
            # Checkpoints of a training that has succeeded are no output, provided that a line names those that stay.
            if again.output.count("could not be deleted") == 1:
                left, expected = without_checkpoints(left), without_checkpoints(whole)
            if again.status or left != expected:
                faults.append(f"{place}: then ended with {again.status} and other bytes: {again.output[-500:]}")
    return 2 * len(numbers), faults


def test_a_disk_that_fails_in_the_middle_is_one_message(disk, project_of_format):
    # The stage imports no model library, and a Python that has them takes longer to start than the stage runs.
    tried, faults = faults_of(disk(project_of_format, None), "format", lambda numbers: numbers[-1:])
    assert tried == 2 and faults == []


@pytest.fixture(scope="module")
def project_of_format(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, run as far as stages without a model."""
    return make_project(tmp_path_factory.mktemp("formatted"), Kind("tickets-smollm2", {}, "format"))


@pytest.mark.torture
@pytest.mark.parametrize("name", STAGES)
def test_a_disk_that_fails_at_any_write_is_one_message_and_loses_nothing(name, disk, project, warm, figure):
    tried, faults = faults_of(disk(project, warm), name, lambda numbers: numbers[::EVERY])
    figure(f"writes that fail, {name}", f"{tried} tried (disk full, read-only), {len(faults)} faults")
    assert faults == []
