"""A stage ends with the DVC that started it, and two processes never run one stage."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stages.process as module
from stages.process import stage_process
from steady.errors import SteadyError

STAGE = """
import time, pathlib
from stages.process import stage_process
with stage_process():
    pathlib.Path("started").touch()
    time.sleep(60)
pathlib.Path("went-on").touch()
"""
# What DVC does: a shell with the command, `DVC_STAGE` and `DVC_ROOT` in its environment, waited for.
PARENT = """
import os, subprocess, sys
env = os.environ | {"DVC_STAGE": "finetune@tuned", "DVC_ROOT": os.getcwd()}
subprocess.Popen([sys.argv[1], "-c", sys.argv[2]], env=env).wait()
"""


def _wait_for(condition, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _holder(folder: Path) -> bool:
    """Whether a living process holds the stage's lock."""
    import fcntl

    with (folder / ".dvc/tmp/steady-finetune@tuned.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("ending", ["", "; true"], ids=["the shell becomes the stage", "the shell stays"])
def test_a_stage_ends_when_only_the_process_that_started_it_is_killed(tmp_path: Path, ending: str) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    command = f"{sys.executable} stage.py{ending}"
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "/bin/sh", command], cwd=tmp_path, env=os.environ | paths)
    assert _wait_for((tmp_path / "started").exists, 30)
    assert _holder(tmp_path)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _wait_for(lambda: not _holder(tmp_path), 10)
    assert not (tmp_path / "went-on").exists()


def test_a_second_process_of_a_stage_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "prepare")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(module, "_watch_ancestors", lambda: None)
    with (
        stage_process(),
        pytest.raises(SteadyError, match="another process is running the stage prepare"),
        stage_process(),
    ):
        pass
    with stage_process():
        pass


def test_nothing_is_watched_or_locked_without_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with stage_process(), stage_process():
        assert not (tmp_path / ".dvc").exists()
