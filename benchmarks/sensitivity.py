"""Scoring a group of prompts: against the package prompt-sensitivity-index 0.0.1, and against the arithmetic of this machine.

The package scores each of its N² pairs of prompt and response by itself; a few of these equal calls are timed and multiplied
(`whole` times one group without that, as a check). Ours is timed whole. Wall-clock and processor time stand side by side: on a
machine with other work the second is the steadier.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from benchmarks.rows import Row
from benchmarks.sensitivity_subjects import (
    BATCH_TOKENS,
    SHAPES,
    Floor,
    Ours,
    Package,
    byte_tokenizer,
    measured_floor,
    package_passes,
    prompt_texts,
    random_llama,
    timed,
)

PACKAGE_BATCH = 4  # its default


@dataclass(frozen=True)
class Case:
    """A model, a group of prompts around a length, a limit of response tokens, and how many responses differ (None: all)."""

    shape: str
    length: int
    tokens: int
    unique: int | None = None

    @property
    def name(self) -> str:
        responses = "all responses differ" if self.unique is None else f"{self.unique} different responses"
        return f"{self.shape}, prompts of {self.length}, T={self.tokens}, {responses}"


CASES = [
    *(Case("nano", length, tokens) for length in (100, 250, 400) for tokens in (5, 30)),
    Case("nano", 250, 5, 3),
    Case("nano", 250, 30, 3),
    Case("110M", 250, 5),
    Case("110M", 250, 30),
    Case("110M", 250, 5, 3),
]


def compare(case: Case, model: Any, tokenizer: Any, floor: Floor, repeats: int) -> Iterator[Row]:
    """One case: ours, the package in both modes, the arithmetic."""
    texts = prompt_texts(case.length)
    ours, package = Ours(model, tokenizer, case.tokens), Package(model, tokenizer, case.tokens)
    counted: list[int] = []
    mine = timed(lambda: counted.append(ours.score([texts], case.unique)), repeats)
    passes = counted[0]
    default = package.group_time(texts, 1, calls=8)
    batched = package.group_time(texts, PACKAGE_BATCH, calls=4)
    lengths = sum(map(len, texts))
    least = floor.seconds(passes, len(texts) + passes - lengths)
    folded = case.unique is not None
    bar = 12.0 if folded else {5: 10.0, 30: 4.0}[case.tokens] if case.length >= 250 else None
    yield Row(f"{case.name}: token passes, package / ours", package_passes(texts, case.tokens) / passes, "x", None)
    yield Row(f"{case.name}: package default / ours, wall clock", default.wall / mine.wall, "x", bar)
    yield Row(f"{case.name}: package default / ours, processor", default.processor / mine.processor, "x", bar)
    yield Row(f"{case.name}: package batched / ours, wall clock", batched.wall / mine.wall, "x", 3.0)
    yield Row(f"{case.name}: package batched / ours, processor", batched.processor / mine.processor, "x", 3.0)
    yield Row(f"{case.name}: ours / arithmetic floor, processor", mine.processor / least.processor, "x", 1.5)
    yield Row(f"{case.name}: ours", mine.wall, "s", None)


def whole_group_check(model: Any, tokenizer: Any) -> Iterator[Row]:
    """A group that the package scores from end to end, against the same from a few of its calls."""
    texts = prompt_texts(100)
    package = Package(model, tokenizer, 5)
    whole, sampled = package.whole_group(texts, 5), package.group_time(texts, 1, calls=24)
    yield Row("package, whole group / from its calls, processor", whole.processor / sampled.processor, "x", None)


def memory(shape: str, device: str) -> Row:
    """Peak memory of scoring over the model and the declared budget; alone in its process, for a peak never falls."""
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far was that of imports
    model, tokenizer = random_llama(shape, device), byte_tokenizer()
    ours = Ours(model, tokenizer, 30)
    ours.score([prompt_texts(400), prompt_texts(390)], unique=3)  # enough responses to fill the batches
    peak = _resident("VmHWM") - before
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    declared = weights + BATCH_TOKENS * ours.scorer.memory.position  # type: ignore[union-attr]
    return Row(f"{shape}: peak memory / (model + budget)", peak / declared, "x", 1.5)


def _resident(name: str) -> int:
    """Bytes of memory of this process, now (VmRSS) or at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def rows(shapes: Sequence[str], device: str, threads: int, repeats: int) -> Iterator[Row]:
    """Every row of the benchmark, as it is measured."""
    import torch

    torch.set_num_threads(threads)
    tokenizer = byte_tokenizer()
    for shape in shapes:
        model = random_llama(shape, device)
        floor = measured_floor(model)
        yield Row(f"{shape}: tokens a second, body of the model", 1 / floor.body.processor, "1/s", None)
        for case in CASES:
            if case.shape == shape or shape not in {"nano", "110M"}:
                yield from compare(
                    replace(case, shape=shape), model, tokenizer, floor, repeats if shape == "nano" else 1
                )
        if shape == "nano":
            yield from whole_group_check(model, tokenizer)
    for shape in () if device.startswith("cuda") else shapes:
        command = [sys.executable, "-m", "benchmarks.sensitivity", "--memory", shape, "--threads", str(threads)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        yield Row(f"{shape}: peak memory / (model + budget)", float(found.split()[-1]), "x", 1.5)


def measure() -> list[Row]:
    """Every row, on two threads of the processor."""
    return list(rows(("nano", "110M"), "cpu", 2, 3))


@click.command()
@click.option("--shape", "shapes", multiple=True, type=click.Choice(list(SHAPES)), default=("nano", "110M"))
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", default=2, show_default=True, help="Of the processor; 1 on a machine with other work.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--memory", "memory_of", type=click.Choice(list(SHAPES)), default=None, hidden=True)
def main(shapes: tuple[str, ...], device: str, threads: int, repeats: int, memory_of: str | None) -> None:
    """Time scoring a group of 21 prompts against the package and against the arithmetic floor."""
    import torch

    torch.set_num_threads(threads)
    if memory_of:
        import transformers  # noqa: F401 - imported before the peak is read, as it is no part of scoring
        from transformers import LlamaForCausalLM  # noqa: F401

        click.echo(memory(memory_of, device).value)
        return
    for row in rows(shapes, device, threads, repeats):
        bar = "" if row.bar is None else f"   bar {row.bar:g}"
        click.echo(f"{row.name:75} {row.value:10.3f} {row.unit}{bar}")


if __name__ == "__main__":
    main()
