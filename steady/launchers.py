"""Which launcher started this process: the one that `STEADY_LAUNCHER` names, another one, or none.

A launcher starts several processes and tells each its rank in the environment. The libraries below believe every variable of
that kind: with a `WORLD_SIZE` that a container platform left behind, training waits for peers that do not exist. So only what
the launcher of `STEADY_LAUNCHER` says counts; all else is removed from the environment, or refused where it says that this
process is one of several.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steady.errors import SteadyError

LAUNCHER = "STEADY_LAUNCHER"
LAUNCHED = "STEADY_LAUNCHED"  # set for the processes that our launcher starts
RENDEZVOUS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
# (what starts processes, its variable for how many, its variable for which one)
OTHERS = (
    ("torchrun or another launcher", "WORLD_SIZE", "RANK"),
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    ("an MPI launcher", "PMI_SIZE", "PMI_RANK"),
    ("mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("an MPI launcher", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
)
# What torch, accelerate and transformers read of launchers; variables of Slurm itself they do not read.
READ = re.compile(
    r"(GROUP_|ROLE_|LOCAL_)?(RANK|WORLD_SIZE)|GROUP_WORLD_SIZE|ROLE_NAME|MASTER_(ADDR|PORT)|MPI_LOCAL\w+"
    r"|(PMI|PMIX|OMPI_COMM_WORLD|MV2_COMM_WORLD|ACCELERATE|TORCHELASTIC|FSDP)_\w+"
)


@dataclass(frozen=True)
class World:
    """The processes that work together on one stage; `rank` 0 alone writes, `local_rank` counts on one machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0


def claim_world(environment: MutableMapping[str, str]) -> World:
    """The world that our launcher has made; variables of other launchers are removed, each removal with a line on stderr.

    SteadyError where this process is one of several that another launcher has started, or ours gave no rendezvous.
    """
    if environment.get(LAUNCHED):
        missing = [name for name in RENDEZVOUS if not environment.get(name)]
        if missing:
            raise SteadyError(
                f"{LAUNCHER}: the launcher started this process without {', '.join(missing)}, so the processes cannot find each "
                "other. Let it end in `torchrun …` or `accelerate launch …` with more than one process (docs/cluster.md)."
            )
        return World(int(environment["RANK"]), int(environment["WORLD_SIZE"]), int(environment["LOCAL_RANK"]))
    for name, size_name, rank_name in OTHERS:
        size, rank, given = _number(environment, size_name), _number(environment, rank_name), size_name
        if size_name == "SLURM_STEP_NUM_TASKS" and size is None and (rank or "SLURM_STEP_ID" in environment):
            given = "SLURM_NTASKS"  # older versions of Slurm set this one alone
            size = _number(environment, given)
        if size is None or size < 2:
            continue
        if rank is not None:
            raise SteadyError(
                f"This is process {rank} of {size} that {name} started ({given}={size}), and all of them would write the same "
                f"files. Start one process; for several in one stage set {LAUNCHER} instead (docs/cluster.md)."
            )
        if not size_name.startswith("SLURM"):
            sys.stderr.write(f"{size_name}={size} without {rank_name} is of no launcher of this run: it is ignored.\n")
    for variable in [name for name in environment if READ.fullmatch(name)]:
        del environment[variable]
    return World()


def _number(environment: Mapping[str, str], name: str) -> int | None:
    value = environment.get(name, "")
    return int(value) if value.isdigit() else None


def launcher_of(environment: Mapping[str, str]) -> list[str] | None:
    """The words of `STEADY_LAUNCHER`; None where it is unset, or where this process was started by it.

    SteadyError where it names no launcher that gives its processes a rendezvous.
    """
    words = shlex.split(environment.get(LAUNCHER, ""))
    if not words or environment.get(LAUNCHED):
        return None
    names = [Path(word).name for word in words]
    if not {"torchrun", "torch.distributed.run"} & set(names) and not {"accelerate", "launch"} <= set(names):
        raise SteadyError(
            f"{LAUNCHER}: {shlex.join(words)!r} ends in neither `torchrun …` nor `accelerate launch …`; a process of another "
            "launcher does not know its peers. An example: torchrun --standalone --nproc-per-node 4"
        )
    return words


def launch(words: Sequence[str], module: str, arguments: Sequence[str]) -> None:
    """Run a module in the processes of a launcher and wait for them; their output goes to this terminal.

    SteadyError where a process ended before its work was done; SystemExit where that process has given the reason itself.
    """
    # The launcher lies beside this Python, also where the environment was not activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {LAUNCHED: "1", "PATH": path, "PYTHONUNBUFFERED": "1"}
    command = [*words, "-m", module, *arguments]
    try:
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    except OSError as error:
        raise SteadyError(f"{LAUNCHER}: {words[0]} cannot be started: {error.strerror}.") from error
    assert process.stderr is not None
    said, report = relay(_lines(process.stderr.fileno()))
    if process.wait() == 0:
        return
    if said:
        sys.exit(1)
    raise SteadyError(
        f"{_first_failure(report, process.returncode)} Run the same command again: it goes on from what is saved."
    )


def _lines(descriptor: int) -> Iterator[str]:
    """Lines with their ends as they come; the return of a progress bar ends one too."""
    rest = b""
    while chunk := os.read(descriptor, 65536):
        *whole, rest = re.split(rb"(?<=[\n\r])", rest + chunk)
        yield from (line.decode(errors="replace") for line in whole)
    yield rest.decode(errors="replace")


FAILURE = re.compile(
    r"torch/distributed/elastic/.*\] failed \(exitcode|torch\.distributed\.elastic\S*(Error|Exception)"
)


def relay(lines: Iterator[str]) -> tuple[bool, str]:
    """Pass on what the processes write, each message for the user once, and hold back what the launcher says of a failure.

    Returns whether a message for the user was passed on, and what was held back.
    """
    told: set[str] = set()
    held: list[str] = []
    for line in lines:
        # All that follows is the launcher's own report, of forty lines, which `_first_failure` makes a sentence of.
        if held or FAILURE.search(line):
            held.append(line)
        # Every process finds the same fault in the settings, and one message is enough.
        elif not (told and line in told):
            sys.stderr.write(line)
            sys.stderr.flush()
            if told or line.startswith("Error: "):
                told.add(line)
    return bool(told), "".join(held)


def _first_failure(report: str, code: int) -> str:
    """One sentence on the process that ended first, from torchrun's report."""
    first = report.partition("Root Cause")[2]
    rank, status = (re.search(rf"{name}\s*: (-?\d+)", first) for name in ("rank", "exitcode"))
    if rank is None or status is None:
        return f"{LAUNCHER}: the launcher ended with status {code}.\n{report}".rstrip()
    number = int(status[1])
    how = f"was killed by signal {-number}" if number < 0 else f"ended with status {number}"
    return f"Process {rank[1]} {how}; the others were ended with it."
