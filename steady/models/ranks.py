"""Processes that work on one stage together: which one this is, and what they tell each other.

The libraries below are not told that there are several. Each process runs the whole Trainer with the same seeds and the same
order of rows, computes the gradients of its share of every batch, and the gradients are summed before the optimizer steps. The
batch of `params.yaml` is thus that of all processes together, and a run with two processes differs from a run with one only by
the order in which floats are summed.
"""

import io
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from steady.errors import SteadyError
from steady.launchers import READ, World

if TYPE_CHECKING:
    import torch

Value = TypeVar("Value")
BUCKET = 2**26
"""Numbers of gradients that are summed at a time: 256 MiB in float32, for a copy of them is made."""
# One process may wait for another that scores or writes; a process that ends is noticed at once, whatever the limit.
PATIENCE = timedelta(days=1)
GRACE = 25.0  # seconds in which the launcher ends a process whose peer has ended
_worlds = [World()]


class ShareDone(Exception):  # noqa: N818 - no error
    """Raised in the processes other than 0 when they have done their share, and process 0 goes on alone; `joined` ends on it."""


def rank() -> int:
    """The number of this process, from 0; only process 0 writes."""
    return _worlds[-1].rank


def size() -> int:
    """How many processes work together."""
    return _worlds[-1].size


@contextmanager
def joined(world: World) -> Iterator[None]:
    """Connect to the other processes, and give this one a GPU of its own where there are GPUs.
    SteadyError where a machine has fewer GPUs than processes.
    """
    if world.size == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    gpus = torch.cuda.device_count()
    if gpus:
        # CUDA shows one GPU alone: with several in sight the Trainer would copy the model to all of them.
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        visible = visible or [str(number) for number in range(gpus)]
        if world.local_rank >= len(visible):
            raise SteadyError(
                f"STEADY_LAUNCHER: process {world.local_rank} of this machine finds {len(visible)} GPU(s). Start one process for each "
                "GPU (torchrun --nproc-per-node), or set runtime.device: cpu and CUDA_VISIBLE_DEVICES to nothing."
            )
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[world.local_rank]
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE)
    # From here on accelerate and transformers see one process, and divide nothing themselves.
    for name in [name for name in os.environ if READ.fullmatch(name)]:
        del os.environ[name]
    _worlds.append(world)
    try:
        with redirect_stdout(sys.stdout if world.rank == 0 else io.StringIO()):
            yield
    except ShareDone:
        pass
    finally:
        del _worlds[1:]
        dist.destroy_process_group()


@contextmanager
def written_by_first(*paths: Path) -> Iterator[list[Path]]:
    """The paths as they are in process 0; in the others places in a temporary folder, which is deleted at the end."""
    if rank() == 0:
        yield list(paths)
        return
    with tempfile.TemporaryDirectory(prefix="steady-rank-") as folder:
        yield [Path(folder, str(number)) for number in range(len(paths))]


def my_places(count: int, together: int = 1) -> list[int]:
    """Which of `count` places are this process's: every `size()`-th, `together` neighbours staying together."""
    return [place for place in range(count) if place // together % size() == rank()]


@contextmanager
def _exchange() -> Iterator[None]:
    """An exchange with the other processes; when one of them has ended, the launcher ends this one while it waits here."""
    try:
        yield
    except RuntimeError as error:
        # The launcher's message names the process that ended first; this one has only lost its connection.
        time.sleep(GRACE)
        raise SteadyError("Another process of this stage has ended, and this one cannot go on alone.") from error


def from_first(value: Value) -> Value:
    """The value that process 0 has; a value of the other ones is not looked at."""
    if size() == 1:
        return value
    import torch.distributed as dist

    values = [value]
    with _exchange():
        dist.broadcast_object_list(values, src=0)
    return values[0]


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if size() > 1:
        import torch.distributed as dist

        with _exchange():
            dist.barrier()


def go_on_alone() -> None:
    """Wait for all; then process 0 goes on as one process, and ShareDone is raised in the others, which have done their share."""
    if size() == 1:
        return
    wait_for_all()
    if rank():
        raise ShareDone
    _worlds.append(World())


def summed(tensor: "torch.Tensor") -> "torch.Tensor":
    """The sum over all processes, the same bits in each."""
    if size() > 1:
        import torch.distributed as dist

        tensor = tensor.clone()  # the sum is made in place
        with _exchange():
            dist.all_reduce(tensor)
    return tensor


def sum_gradients(parameters: Iterable["torch.Tensor"]) -> None:
    """Sum the gradients over all processes, in place.
    A parameter that has a gradient in no process keeps none: with zeros in its place weight decay would move it.
    """
    if size() == 1:
        return
    import torch

    # One exchange for many small matrices: LoRA has hundreds, and each exchange costs a round trip.
    buckets: list[list[torch.Tensor]] = []
    for one in (parameter for parameter in parameters if parameter.requires_grad):
        last = buckets[-1] if buckets else []
        alike = bool(last) and (last[0].dtype, last[0].device) == (one.dtype, one.device)
        if not alike or sum(other.numel() for other in last) + one.numel() > BUCKET:
            buckets.append([])
        buckets[-1].append(one)
    for bucket in buckets:
        # With the gradients travels, for each parameter, how many processes have one.
        flags = bucket[0].new_tensor([one.grad is not None for one in bucket])
        parts = [torch.zeros_like(one).flatten() if one.grad is None else one.grad.flatten() for one in bucket]
        flat = summed(torch.cat([*parts, flags]))
        counts, start = flat[-len(bucket) :].tolist(), 0
        for one, count in zip(bucket, counts, strict=True):
            if count:
                # A copy, or one gradient that is still in use would keep the whole bucket in memory.
                one.grad = flat[start : start + one.numel()].view_as(one).clone()
            start += one.numel()


def share_weights(model: Any) -> None:
    """Give every process the trained weights that process 0 has."""
    if size() > 1:
        import torch.distributed as dist

        with _exchange():
            for one in model.parameters():
                if one.requires_grad:
                    dist.broadcast(one.data, src=0)
