"""A stage under DVC: it ends when DVC ends, no two runs of a stage share a folder, and a launcher may give it more processes."""

import fcntl
import itertools
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from steady.errors import SteadyError
from steady.launchers import LAUNCHED, World, claim_world, launch, launcher_of

POLL_SECONDS = 0.5
SHELLS = {"sh", "dash", "bash", "zsh", "fish", "ksh"}
PATIENCE_SECONDS = 10.0  # an orphan that is about to end is waited for


@contextmanager
def stage_process(module: str | None = None) -> Iterator[World]:
    """Watch the DVC that runs this stage, and hold the stage's lock; neither where DVC has not started the process.

    DVC names the stage in `DVC_STAGE` and the folder in `DVC_ROOT`. When only `dvc` is killed, its stage would go on and
    overwrite outputs that a later run restores.

    Args:
        module: of a stage that several processes can share: where `STEADY_LAUNCHER` names a launcher, it runs this module in its
            processes, and this process waits for them and ends.

    Raises:
        SteadyError: another process runs this stage, or this one is of a launcher that is not ours (`steady.launchers`).
        SystemExit: the processes of the launcher have done the stage.
    """
    world = claim_world(os.environ)
    stage, root = os.environ.get("DVC_STAGE"), os.environ.get("DVC_ROOT")
    if os.environ.get(LAUNCHED):
        _watch_ancestors()  # the launcher, and the stage that started it, which holds the lock for all
        yield world
        return
    lock: AbstractContextManager[None] = nullcontext()  # called by hand or by a test, which ends its own processes
    if stage and root:
        _watch_ancestors()
        name = re.sub(r"[^\w@.-]", "_", stage)
        lock = _lock(Path(root) / ".dvc" / "tmp" / f"steady-{name}.lock", stage)
    with lock:
        if module and (words := launcher_of(os.environ)):
            launch(words, module, sys.argv[1:])
            sys.exit(0)
        yield world


def _watch_ancestors() -> None:
    import psutil

    # (process, the parent it must keep): a shell may stand between DVC and the stage, and torchrun between it and a rank
    chain = [psutil.Process()]
    while len(chain) < 4 and (parent := chain[-1].parent()) is not None and parent.pid > 1:
        chain.append(parent)
        launched = os.environ.get(LAUNCHED) and len(chain) < 3
        if not launched and parent.name() not in SHELLS:
            break
    pairs = [(child, parent.pid) for child, parent in itertools.pairwise(chain)]
    if not pairs:
        return

    def orphaned() -> bool:
        try:
            return any(child.ppid() != expected for child, expected in pairs)
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
        while True:
            try:
                # The system gives it back when the process ends, also when it is killed; a file with a process id would stay.
                fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise SteadyError(
                        f"{path}: another process is running the stage {stage} of this folder. Wait for it or stop it, then run "
                        "the same command again."
                    ) from error
            time.sleep(POLL_SECONDS)
        yield
