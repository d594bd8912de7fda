"""The arm `tuned` of the default: scoring against its base's own forward, and POSIX against the package with the adapter.

It takes the base, the arm and the prompts of the last `dvc repro`. `benchmarks.harness` compares evaluation, `benchmarks.sft`
training.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.rows import Row
from benchmarks.sensitivity_subjects import PROMPTS, Package, Timed, measured_floor, timed

ARM = Path("models/tuned")
RESPONSE_TOKENS = 8


def base_params() -> Any:
    """The section `model` of params.yaml."""
    from steady.evaluate.evaluate import EvaluateStage
    from steady.parameters import read_params

    return read_params(Path("params.yaml"), EvaluateStage).model


def scoring(threads: int, repeats: int) -> list[Row]:
    """A group of 21 prompts with the trained adapter, whose every response is scored under every prompt."""
    import torch

    from steady.inference.arm import load_arm_language
    from steady.inference.language import encode
    from steady.inference.likelihood import make_scorer
    from steady.models.load import prepare_torch
    from steady.records import Prompt, read_records
    from steady.scoring.answering import score_groups
    from steady.scoring.groups import PromptGroup

    params = base_params()
    prepare_torch(params, 0)
    torch.set_num_threads(threads)
    language = load_arm_language(ARM, params, "cpu")
    scorer = make_scorer(language, RESPONSE_TOKENS, 16384)
    texts = [prompt.prompt for prompt in read_records(Path("data/formatted/sensitivity.jsonl"), Prompt)]
    group = random.Random(0).sample(texts, PROMPTS)
    encoded = encode(language, group)
    tokens = sum(map(len, encoded))
    given = [PromptGroup("0", tuple(map(str, range(PROMPTS))), tuple(group))]
    # the merged adapter has the base's shape and dtype, so the floor of the one is that of the other
    floor = measured_floor(language.model)
    before = scorer.passes.total
    found = score_groups(scorer, given)
    passes = scorer.passes.total - before
    ours = timed(lambda: score_groups(scorer, given), repeats)
    least = floor.seconds(passes, PROMPTS + passes - tokens)
    responses = [one.token_ids for one in found[0].predictions]
    package = package_time([language.tokenizer.decode(ids) for ids in encoded], max(responses, key=len), params)
    name = f"adapted SmolLM2, {PROMPTS} prompts of {tokens // PROMPTS} tokens, T={RESPONSE_TOKENS}"
    return [
        Row(f"{name}: prompt tokens a second", tokens / ours.wall, "1/s", None),
        Row(f"{name}: the same, of processor time", tokens / ours.processor, "1/s", None),
        Row(
            f"{name}: share of the base's forward, processor", tokens * floor.body.processor / ours.processor, "x", 0.8
        ),
        Row(f"{name}: ours / arithmetic floor, processor", ours.processor / least.processor, "x", 1.5),
        Row(f"{name}: package / ours, wall clock", package.wall / ours.wall, "x", 10.0),
        Row(f"{name}: package / ours, processor", package.processor / ours.processor, "x", 10.0),
    ]


def package_time(texts: Sequence[str], response: Sequence[int], params: Any) -> Timed:
    """What the package takes for the group, from a few of its equal calls, with the adapter beside the base as PEFT loads it."""
    from peft import PeftModel

    from steady.models.load import load_language

    base, tokenizer = load_language(params, "cpu")
    package = Package(PeftModel.from_pretrained(base, str(ARM)).eval(), tokenizer, RESPONSE_TOKENS)
    package.response = list(response)
    return package.group_time(texts, 1, calls=8)


def measure() -> list[Row]:
    """What needs no second environment."""
    return scoring(threads=2, repeats=5)


@click.command()
@click.option("--threads", default=2, show_default=True)
@click.option("--repeats", default=5, show_default=True)
def main(threads: int, repeats: int) -> None:
    """Time the default's trained arm against its base and against the package."""
    for row in scoring(threads, repeats):
        bar = "" if row.bar is None else f"   bar {row.bar:g}"
        click.echo(f"{row.name:85} {row.value:10.3f} {row.unit}{bar}")


if __name__ == "__main__":
    main()
