"""Run the pipeline quietly, and know without DVC that there is nothing to run."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from steady.errors import SteadyError
from steady.records import write_json
from steady.repro.lockfile import lock_entries

STARTED = re.compile(r"Running stage '([^']+)':")
RESTORED = re.compile(r"Stage '([^']+)' is cached")
# What DVC prints around every stage: its command, which dvc.yaml has, and that dvc.lock was written.
NOISE = re.compile(r"(> |Updating lock file|Stage '[^']+' didn't change|Data and pipelines are up|Use `dvc push`)|\s*$")
STAMP = Path(".dvc/tmp/steady-repro.json")
SETTINGS = ("dvc.yaml", "dvc.lock", "params.yaml", ".dvcignore")


@dataclass
class StageTimes:
    """Seconds of every stage that ran, to a tenth, from the lines that `dvc repro` prints; `clock` gives seconds."""

    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, float] = field(default_factory=dict)
    _running: str = ""
    _since: float = 0.0

    def read(self, lines: Iterable[str]) -> Iterator[str]:
        """The lines worth showing: a heading for each stage with the time since the start, and what the stage printed."""
        begun = self.clock()
        for line in lines:
            if found := STARTED.match(line):
                self._end()
                self._running, self._since = found[1], self.clock()
                yield f"[{duration(self._since - begun)}] {found[1]}"
            elif found := RESTORED.match(line):
                yield f"[{duration(self.clock() - begun)}] {found[1]}: taken from the cache, where the same inputs have run"
            elif not NOISE.match(line):
                yield f"  {line.rstrip()}"
        self._end()

    def _end(self) -> None:
        if self._running:
            self.seconds[self._running] = round(self.clock() - self._since, 1)
        self._running = ""


def duration(seconds: float) -> str:
    """`0:07`, `12:30` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def run_pipeline(root: Path, force: bool, echo: Callable[[str], None]) -> dict[str, float]:
    """Run `dvc repro` with the stages' progress bars on this terminal; the seconds of those that ran. SteadyError where one failed."""
    _allow_no_git(root)
    command = [sys.executable, "-m", "dvc", "repro", *(["--force"] if force else [])]
    # A stage is `python -m stages.NAME`, in the environment of this process; unbuffered, for a line's time is when it is read.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}
    times = StageTimes()
    # stderr stays the terminal's, where the stages draw their bars
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in times.read(running.stdout):
            echo(line)
    if running.returncode:
        raise SteadyError("`dvc repro` failed; the reason stands above. The same command goes on where it stopped.")
    return times.seconds


def _allow_no_git(root: Path) -> None:
    """Let DVC run in a copy without Git, such as an unpacked ZIP, which it refuses unless its local settings say so."""
    if not (root / ".git").exists():
        from dvc.config import Config

        with Config(str(root / ".dvc")).edit("local") as settings:
            settings["core"]["no_scm"] = True


def remember(root: Path) -> None:
    """Note the size and time of every file that `dvc.lock` names, after a run that left everything up to date."""
    paths = sorted({entry.path for entry in lock_entries(root)})
    (root / STAMP).parent.mkdir(parents=True, exist_ok=True)
    write_json(root / STAMP, {"paths": paths, "digest": _stat_digest(root, paths)})


def unchanged(root: Path) -> bool:
    """Whether no file has another size or time than after the last run, which is what DVC itself goes by before it hashes.

    DVC takes seconds to parse `dvc.lock` and to say the same.
    """
    try:
        noted = json.loads((root / STAMP).read_text(encoding="utf-8"))
        return bool(noted["digest"] == _stat_digest(root, noted["paths"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False  # never noted, or written by another version


def _stat_digest(root: Path, paths: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in (*SETTINGS, *paths):
        for path in _files(root / name):
            found = path.stat() if path.exists() else None
            # the inode too: a replaced file may have the old size and time
            facts = (found.st_size, found.st_mtime_ns, found.st_ino) if found else None
            digest.update(f"{path.relative_to(root)} {facts}\n".encode())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(folder, name) for name in sorted(names))
