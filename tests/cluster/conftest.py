"""A Slurm of two nodes on this machine, and a small project to run grids of."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from small_models import random_encoder

from steady.repro.workspaces import make_workspace

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
BASE = "models/base/random"
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
CONFIG = """ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket,cred_expire=5
StateSaveLocation={state}/state
SlurmdSpoolDir={state}/spool/%n
SlurmctldPidFile={state}/ctld.pid
SlurmdPidFile={state}/slurmd.%n.pid
SlurmdLogFile={state}/slurmd.%n.log
SlurmctldLogFile={state}/ctld.log
SlurmctldPort={ports[0]}
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=5
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=1000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _installed() -> bool:
    return all(shutil.which(name) for name in PROGRAMS)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Start Slurm, installed first where that may be done; the folder of its state."""
    pytest.importorskip("submitit")
    if os.getuid() != 0:
        pytest.skip("Slurm on one machine needs root: its daemons start jobs for their users")
    if not _installed() and shutil.which("apt-get"):
        install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES]
        subprocess.run(
            install, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, check=False
        )
    if not _installed():
        pytest.skip(f"Slurm is not installed, and could not be: apt-get install {' '.join(PACKAGES)}")
    # A short path: that of a socket has at most 107 characters.
    state = tmp_path_factory.mktemp("slurm")
    daemons = _start(state)
    os.environ["SLURM_CONF"] = str(state / "slurm.conf")
    try:
        _wait(lambda: _output("sinfo", "--noheader", "--format=%D %T") == "2 idle", 60, "two idle nodes")
        yield state
    finally:
        _output("scancel", "--user=root")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()
        del os.environ["SLURM_CONF"]


def _start(state: Path) -> list[subprocess.Popen]:
    for name in ("state", "spool/n1", "spool/n2"):
        (state / name).mkdir(parents=True)
    (state / "munge.key").write_bytes(os.urandom(1024))
    (state / "munge.key").chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    (state / "slurm.conf").write_text(CONFIG.format(host=host, state=state, ports=_free_ports(3)))
    (state / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    files = [f"--{name}={state}/munge.{end}" for name, end in (("socket", "socket"), ("key-file", "key"))]
    files += [f"--{name}-file={state}/munge.{name}" for name in ("pid", "log", "seed")]
    config = str(state / "slurm.conf")
    commands = [
        ["munged", "--foreground", "--force", *files],
        ["slurmctld", "-D", "-f", config],
        *(["slurmd", "-D", "-f", config, "-N", node] for node in ("n1", "n2")),
    ]
    started = []
    for command in commands:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, env=os.environ | {"SLURM_CONF": config}, **quiet))
        if command[0] == "munged":
            _wait((state / "munge.socket").exists, 20, "the socket of munge")
    return started


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _wait(condition, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.2)


@pytest.fixture
def wait():
    """Wait for a condition, so many seconds at the most."""
    return _wait


@pytest.fixture
def free_ports():
    """Ports of this machine that nobody listens on, so many."""
    return _free_ports


@pytest.fixture(scope="session")
def make_project(tmp_path_factory):
    """Make a repository of this code, committed, with one arm of a random encoder and the stages that it takes to train it."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "project"
        make_workspace(ROOT, folder, {})
        # A cache of its own, or it would only take the results of the other project.
        (folder / ".dvc/config.local").unlink()
        (folder / "dvc.lock").unlink(missing_ok=True)
        shutil.rmtree(folder / "models/base")
        random_encoder(folder / BASE)
        stages = YAML().load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        _write(folder / "dvc.yaml", {"stages": {stage: stages[stage] for stage in ("prepare", "format", "finetune")}})
        for path in (folder / "params.yaml", folder / "recipe/smoke.yaml"):
            values = YAML().load(path.read_text(encoding="utf-8"))
            values["arms"], values["model"]["id"] = {"tuned": values["arms"]["tuned"]}, BASE
            _write(path, values)
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
        for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "project"]):
            subprocess.run([*git, *words], cwd=folder, check=True)
        return folder

    return make


def _write(path: Path, values) -> None:
    with path.open("w", encoding="utf-8") as handle:
        YAML().dump(values, handle)


@pytest.fixture(scope="session")
def steady():
    """Run `python -m steady` in a folder: the exit status, and what it wrote."""

    def run(folder: Path, *words: str, python: str = sys.executable) -> tuple[int, str]:
        command = [python, "-m", "steady", *words]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run
