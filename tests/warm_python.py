"""A Python in which the libraries of the stages are imported already.

Importing them takes a process five seconds of a processor, more than a stage takes on small data, and a pipeline starts a
process for each stage. Here one server imports them once, and each `python -m MODULE …` is a fork of it, with the arguments,
the folder, the environment and the streams of the command. Nothing of this repository is imported before the fork, so a changed
copy of it runs its own code. Only what an interpreter fixes when it starts (`PYTHONHASHSEED`) cannot be chosen.
"""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

LIBRARIES = (
    "torch",
    "transformers",
    "transformers.trainer",
    "peft",
    "trl",
    "trl.trainer.sft_trainer",
    "datasets",
    "scipy.stats",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "dvc.cli",
    "dvclive",
    "pydantic",
    "msgspec",
    "ruamel.yaml",
)
PLACE = "STEADY_WARM_PYTHON"  # the variable that names the socket of the server
LARGEST = 1 << 20  # bytes of a request


@contextmanager
def warm_python(folder: Path) -> Iterator[Path]:
    """Start a server; gives a folder with a `python` that asks it, to put first on `PATH`."""
    folder.mkdir()
    address, command = folder / "socket", folder / "python"
    own, asking = f'exec "{sys.executable}"', f'exec env {PLACE}="{address}" "{sys.executable}" -IS "{__file__}"'
    command.write_text(f'#!/bin/sh\n[ "$1" = -m ] || {own} "$@"\n{asking} "$@"\n')
    command.chmod(0o755)
    environment = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parent)}
    serving = [sys.executable, "-c", "import warm_python, sys; warm_python.serve(*sys.argv[1:])", address, command]
    with subprocess.Popen(
        serving, env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        try:
            yield folder
        finally:
            server.kill()


def serve(address: str, command: str) -> None:
    """Fork for every request until standard input closes, which it does when the tests end in whatever way."""
    import gc
    from importlib import import_module

    for name in LIBRARIES:
        import_module(name)
    sys.path.remove(str(Path(__file__).parent))  # the modules of the tests are none of a stage's
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(connection, command)
                return
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def answer(connection: socket.socket, command: str) -> None:
    """Run what was asked for in a second fork, so that its end and its status can be sent."""
    request, streams, _, _ = socket.recv_fds(connection, LARGEST, 3)
    job = os.fork()
    with suppress(OSError):  # both set it, so that neither sees a group that is not there yet; the job may be gone
        os.setpgid(job, job)
    if job:
        connection.send(str(job).encode())
        status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
        connection.send(str(status).encode())
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    asked = json.loads(request)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    run_module(asked["words"], command)


def run_module(words: list[str], command: str) -> None:
    """What `python -m MODULE …` does."""
    import runpy
    import tempfile

    tempfile.tempdir = None  # the folder of the environment, not of the server's
    sys.executable = command  # what the command starts itself is warm too
    sys.path[0] = str(Path.cwd())
    sys.path[1:1] = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.argv = words[1:]
    runpy.run_module(words[1], run_name="__main__", alter_sys=True)


class Running(NamedTuple):
    """A command that the server runs: the id of its process, which leads a group of its own, and where its status arrives."""

    pid: int
    connection: socket.socket

    def alive(self) -> bool:
        """Whether the process has not ended."""
        return not select.select([self.connection], [], [], 0)[0]

    def status(self) -> int:
        """Wait for its end; its status, or minus the number of the signal that ended it."""
        with self.connection:
            return int(self.connection.recv(LARGEST))


def begin(
    address: Path, words: list[str], folder: Path, environment: Mapping[str, str], streams: Sequence[int]
) -> Running:
    """Have the server run a command."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(str(address))
    request = {"words": words, "folder": str(folder), "environment": {**environment}}
    socket.send_fds(connection, [json.dumps(request).encode()], streams)
    return Running(int(connection.recv(LARGEST)), connection)


if __name__ == "__main__":
    address = Path(os.environ.pop(PLACE))
    status = begin(address, sys.argv[1:], Path.cwd(), os.environ, (0, 1, 2)).status()
    sys.exit(status if status >= 0 else 128 - status)
