"""Run a module while the disk below a folder fails at its n-th write: `python -m failing_disk HOW NUMBER FOLDER LOG MODULE …`.

HOW is `list` (every write is noted in LOG, none fails), `full` (the disk, a tmpfs, gets the size that is used) or `read-only`.
"""

import errno
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Disk:
    """Counts the writes below a folder and makes them fail from one on."""

    def __init__(self, how: str, number: int, folder: str, log: str) -> None:
        self.how, self.number, self.folder, self.log = how, number, folder, log
        self.seen = 0
        self.busy = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What Python calls before it does anything that can be audited."""
        if self.busy or not self.writes(event, arguments):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - pathlib would be audited too
        if not path.startswith(self.folder):
            return
        self.seen += 1
        self.busy = True
        try:
            self.fail(event, path)
        finally:
            self.busy = False

    def writes(self, event: str, arguments: tuple[Any, ...]) -> bool:
        """Whether something is opened to write, made, renamed or removed."""
        if not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
            return False
        if event == "open":
            return bool((arguments[2] or 0) & WRITES)
        return event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir")

    def fail(self, event: str, path: str) -> None:
        """Note the write, shrink the disk, or refuse."""
        if self.how == "list":
            with Path(self.log).open("a") as handle:
                handle.write(f"{event} {path}\n")
        elif self.how == "read-only" and self.seen >= self.number:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        elif self.how == "full" and self.seen == self.number:
            state = os.statvfs(self.folder)
            used = (state.f_blocks - state.f_bfree) * state.f_frsize
            subprocess.run(["mount", "-o", f"remount,size={used}", self.folder], check=True)


if __name__ == "__main__":
    how, number, folder, log, module, *rest = sys.argv[1:]
    disk = Disk(how, int(number), folder, log)
    sys.argv = [module, *rest]
    sys.addaudithook(disk.hook)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
