"""A stage under DVC: it ends when DVC ends, and no two processes run the same stage of one folder."""

import fcntl
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steady.errors import SteadyError

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 10.0  # an orphan that is about to end is waited for


@contextmanager
def stage_process() -> Iterator[None]:
    """Watch the DVC that runs this stage, and hold the stage's lock; does nothing where DVC has not started the process.

    DVC names the stage in `DVC_STAGE` and the folder in `DVC_ROOT`. When only `dvc` is killed, its stage would go on and
    overwrite outputs that a later run restores.

    Raises:
        SteadyError: another process runs this stage.
    """
    stage, root = os.environ.get("DVC_STAGE"), os.environ.get("DVC_ROOT")
    if not stage or not root:
        yield  # called by hand or by a test, which ends its own processes
        return
    _watch_parent()
    name = re.sub(r"[^\w@.-]", "_", stage)
    with _lock(Path(root) / ".dvc" / "tmp" / f"steady-{name}.lock", stage):
        yield


def _watch_parent() -> None:
    import psutil

    child = psutil.Process()
    parent = child.parent()
    if parent is not None and parent.name() in {"sh", "dash", "bash", "zsh", "fish", "ksh"}:
        child, parent = parent, parent.parent()  # a shell that stays between DVC and the stage
    if parent is None:
        return
    expected = parent.pid

    def orphaned() -> bool:
        try:
            return bool(child.ppid() != expected)
        except psutil.NoSuchProcess:
            return True

    def watch() -> None:
        while not orphaned():
            time.sleep(POLL_SECONDS)
        try:
            sys.stderr.write("The process that ran this stage has ended; so does the stage.\n")
        finally:
            os._exit(1)  # `sys.exit` in a thread would end the thread alone

    # A thread, because the main one is inside torch for minutes and looks at no signal there.
    threading.Thread(target=watch, name="parent", daemon=True).start()


@contextmanager
def _lock(path: Path, stage: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        # The file stays: a second process that opened it before it was deleted would lock a file that nobody else sees.
        until = time.monotonic() + PATIENCE_SECONDS
        # The system gives the lock back when the process ends, also when it is killed; a file with a process id would stay.
        while not _taken(handle.fileno()):
            if time.monotonic() > until:
                raise SteadyError(
                    f"{path}: another process is running the stage {stage} of this folder. Wait for it or stop it, then run the "
                    "same command again."
                )
            time.sleep(POLL_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
