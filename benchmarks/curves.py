"""What a run costs by its size: groups, wordings, response tokens and the model of scoring, the rank of training.

Random models in float32, in processor time. Scoring costs what its token passes cost, so beside the seconds stand the
microseconds of a pass; where these stay the same, cost is linear in passes. N wordings take about N prompts and N² responses.

`python -m benchmarks.curves --threads 1`, or one curve: `--curve wordings`
"""

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import click

from benchmarks.rows import Row
from benchmarks.sensitivity_subjects import Ours, byte_tokenizer, prompt_texts, random_llama, timed

LENGTH = 100  # bytes of a prompt, each a token


def scored(name: str, model: Any, tokens: int, groups: list[tuple[str, ...]], repeats: int = 2) -> list[Row]:
    """The seconds of scoring some groups together, and those of one of its token passes."""
    ours, passes = Ours(model, byte_tokenizer(), tokens), []
    seconds = timed(lambda: passes.append(ours.score(groups)), repeats).processor
    each = 1e6 * seconds / passes[-1]
    return [Row(name, seconds, "s", None), Row(f"{name}: a token pass ({passes[-1]} passes)", each, "us", None)]


def groups() -> Iterator[Row]:
    """Groups of twelve wordings, scored together."""
    model = random_llama("nano", "cpu")
    for count in (1, 2, 4, 8):
        texts = [prompt_texts(length, 12) for length in range(LENGTH, LENGTH + count)]
        yield from scored(f"{count} groups of 12, T=8", model, 8, texts)


def wordings() -> Iterator[Row]:
    """Wordings of one group."""
    model = random_llama("nano", "cpu")
    for count in (4, 8, 16, 32):
        yield from scored(f"a group of {count}, T=8", model, 8, [prompt_texts(LENGTH, count)])


def responses() -> Iterator[Row]:
    """Tokens of a response; there is no end token, so that every response has them all."""
    model = random_llama("nano", "cpu")
    for tokens in (4, 8, 16, 32):
        yield from scored(f"a group of 12, T={tokens}", model, tokens, [prompt_texts(LENGTH, 12)])


def sizes() -> Iterator[Row]:
    """Weights of the model: a pass against the two operations that each weight of a layer takes."""
    for shape in ("nano", "135M", "360M", "1B"):
        model = random_llama(shape, "cpu")
        layers = sum(tensor.numel() for tensor in model.model.layers.parameters())
        rows = scored(f"{shape}, a group of 6, T=8", model, 8, [prompt_texts(LENGTH, 6)], repeats=1)
        yield from rows
        rate = 2e-9 * layers / (rows[-1].value / 1e6)
        yield Row(f"{shape}: operations of the layers alone", rate, "GFLOP/s", None)


def ranks() -> Iterator[Row]:
    """The rank of LoRA on all linear layers: processor seconds of a training step of 16 rows of 60 words."""
    from transformers import PrinterCallback

    from benchmarks.training import BATCH, model, our_trainer, settings, texts, tokenizer
    from steady.models.load import quiet_libraries

    quiet_libraries()
    steps = 6
    rows = texts(BATCH * steps, "short", even=True)
    for rank in (2, 8, 32, 128):
        with tempfile.TemporaryDirectory() as folder:
            net = model("CAUSAL_LM", "cpu", rank)
            trained = sum(tensor.numel() for tensor in net.parameters() if tensor.requires_grad)
            trainer = our_trainer("CAUSAL_LM", rows, net, tokenizer(), settings(folder, "cpu"))
            trainer.remove_callback(PrinterCallback)
            seconds = timed(trainer.train).processor / steps
        yield Row(f"training, LoRA rank {rank} ({trained / 1e6:.2f} M trained): a step", seconds, "s", None)


CURVES: dict[str, Callable[[], Iterator[Row]]] = {
    one.__name__: one for one in (groups, wordings, responses, sizes, ranks)
}


def rows(chosen: tuple[str, ...], threads: int) -> Iterator[Row]:
    """Every row of the curves, as it is measured."""
    import torch

    torch.set_num_threads(threads)
    for name in chosen:
        yield from CURVES[name]()


def measure() -> list[Row]:
    """Every row, on one thread."""
    return list(rows(tuple(CURVES), 1))


@click.command()
@click.option("--curve", "chosen", multiple=True, type=click.Choice(list(CURVES)), default=tuple(CURVES))
@click.option("--threads", default=1, show_default=True)
def main(chosen: tuple[str, ...], threads: int) -> None:
    """Print cost curves of scoring and of training."""
    for row in rows(chosen, threads):
        click.echo(f"{row.name:75} {row.value:10.3f} {row.unit}")


if __name__ == "__main__":
    main()
