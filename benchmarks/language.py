"""The arms of the default: scoring with an adapter against the base's own forward, evaluation against lm-evaluation-harness.

It takes the base, the arms and the prompts of the last `dvc repro`. The harness has requirements of its own, so it runs in
an environment of its own that also sees this one's packages:

    python -m venv /tmp/harness
    realpath .venv/lib/python3.*/site-packages | tee /tmp/harness/lib/python3.*/site-packages/steady.pth
    /tmp/harness/bin/pip install lm-eval==0.4.13
    python -m benchmarks.language --harness /tmp/harness/bin/python
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.rows import Row
from benchmarks.sensitivity_subjects import PROMPTS, measured_floor, timed

ARM = Path("models/tuned")
RESPONSE_TOKENS = 8


def settings() -> Any:
    """The parameters of the run, as the evaluate stage has them."""
    from steady.evaluate.evaluate import EvaluateStage
    from steady.parameters import read_params

    return read_params(Path("params.yaml"), EvaluateStage)


def scoring(threads: int) -> list[Row]:
    """A group of 21 prompts with the trained adapter, whose every response is scored under every prompt."""
    import torch

    from steady.inference.arm import load_arm_language
    from steady.inference.language import encode
    from steady.inference.likelihood import make_scorer
    from steady.models.load import prepare_torch
    from steady.records import Prompt, read_records
    from steady.scoring.answering import score_groups
    from steady.scoring.groups import PromptGroup

    view = settings()
    prepare_torch(view.model, 0)
    torch.set_num_threads(threads)
    language = load_arm_language(ARM, view.model, "cpu")
    scorer = make_scorer(language, RESPONSE_TOKENS, 16384)
    texts = [prompt.prompt for prompt in read_records(Path("data/formatted/sensitivity.jsonl"), Prompt)]
    group = random.Random(0).sample(texts, PROMPTS)
    tokens = sum(map(len, encode(language, group)))
    given = [PromptGroup("0", tuple(map(str, range(PROMPTS))), tuple(group))]
    # the merged adapter has the base's shape and dtype, so the floor of the one is that of the other
    floor = measured_floor(language.model)
    before = scorer.passes.total
    score_groups(scorer, given)
    passes = scorer.passes.total - before
    ours = timed(lambda: score_groups(scorer, given), 5)
    least = floor.seconds(passes, PROMPTS + passes - tokens)
    name = f"adapted SmolLM2, {PROMPTS} prompts of {tokens // PROMPTS} tokens, T={RESPONSE_TOKENS}"
    return [
        Row(f"{name}: prompt tokens a second", tokens / ours.wall, "1/s", None),
        Row(f"{name}: share of the base's own forward", tokens * floor.body.wall / ours.wall, "x", 0.8),
        Row(f"{name}: ours / arithmetic floor, processor", ours.processor / least.processor, "x", 1.5),
    ]


def evaluation(harness: str, threads: int, rows: int) -> list[Row]:
    """Label scores and a free answer to the same prompts by the evaluate stage and by the harness, and whether they agree."""
    done = {who: _answers(who, harness, threads, rows) for who in ("ours", "harness")}
    same = sum(a == b for a, b in zip(done["ours"]["choices"], done["harness"]["choices"], strict=True))
    return [
        Row("evaluation: harness / ours, wall clock", done["harness"]["wall"] / done["ours"]["wall"], "x", 4.0),
        Row(
            "evaluation: harness / ours, processor", done["harness"]["processor"] / done["ours"]["processor"], "x", 4.0
        ),
        Row("evaluation: ours, seconds a row", done["ours"]["wall"] / rows, "s", None),
        Row("evaluation: rows with the same choice", same / rows, "x", 1.0),
    ]


def _answers(who: str, harness: str, threads: int, rows: int) -> dict[str, Any]:
    python = sys.executable if who == "ours" else harness
    command = [python, "-m", "benchmarks.language", "--who", who, "--threads", str(threads), "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{who}: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _ours(rows: int, threads: int) -> dict[str, Any]:
    import torch

    from steady.records import Prompt, read_records
    from steady.scoring.answers import Scoring, answer, open_arm

    view = settings()
    prompts = read_records(Path("data/formatted/evaluation.jsonl"), Prompt)[:rows]
    arm = open_arm(ARM, Scoring(view.model, view.evaluate.batch_size, view.evaluate.max_new_tokens, view.runtime))
    torch.set_num_threads(threads)
    wall, processor = time.perf_counter(), time.process_time()
    found = answer(arm, prompts)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {"wall": wall, "processor": processor, "choices": [one.label for one in found.predictions]}


def _harness(rows: int, threads: int) -> dict[str, Any]:
    """The harness on the same token ids: `loglikelihood` of each label, and `generate_until` for the free answer."""
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from steady.inference.arm import load_arm_language
    from steady.inference.language import encode, encode_answer
    from steady.models.arm import read_manifest
    from steady.models.load import load_language
    from steady.records import Prompt, read_records

    view, labels = settings(), read_manifest(ARM).labels
    prompts = [one.prompt for one in read_records(Path("data/formatted/evaluation.jsonl"), Prompt)[:rows]]
    language = load_arm_language(ARM, view.model, "cpu")
    asked = [list(ids) for ids in encode(language, prompts)]
    answers = [[list(encode_answer(language, prompt, label)) for label in labels] for prompt in prompts]
    texts = [language.tokenizer.decode(ids) for ids in asked]
    with tempfile.TemporaryDirectory() as folder:
        # the base as a folder: the harness puts the adapter on by itself, as its users do with `peft=`
        base, tokenizer = load_language(view.model, "cpu")
        base.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        torch.set_num_threads(threads)
        model = HFLM(
            pretrained=folder, peft=str(ARM), dtype="bfloat16", device="cpu", batch_size=view.evaluate.batch_size
        )
    wall, processor = time.perf_counter(), time.process_time()
    requests = [(("", ""), ids, label) for ids, found in zip(asked, answers, strict=True) for label in found]
    scores = [score for score, _ in model._loglikelihood_tokens(requests, disable_tqdm=True)]
    limits = {"until": [], "max_gen_toks": view.evaluate.max_new_tokens, "do_sample": False}
    free = [Instance("generate_until", {}, (text, limits), n) for n, text in enumerate(texts)]
    model.generate_until(free, disable_tqdm=True)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    cells = [scores[start : start + len(labels)] for start in range(0, len(scores), len(labels))]
    return {"wall": wall, "processor": processor, "choices": [labels[_largest(row)] for row in cells]}


def _largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def measure() -> list[Row]:
    """What needs no second environment."""
    return scoring(threads=2)


@click.command()
@click.option("--harness", help="The Python of the environment that has lm-eval; none: scoring alone.")
@click.option("--threads", default=2, show_default=True)
@click.option("--rows", default=400, show_default=True, help="Prompts of the evaluation.")
@click.option("--who", type=click.Choice(["ours", "harness"]), hidden=True)
def main(harness: str | None, threads: int, rows: int, who: str | None) -> None:
    """Time the default's arms against what a user would use instead."""
    if who:
        click.echo(json.dumps((_ours if who == "ours" else _harness)(rows, threads)))
        return
    for row in [*scoring(threads), *(evaluation(harness, threads, rows) if harness else [])]:
        bar = "" if row.bar is None else f"   bar {row.bar:g}"
        click.echo(f"{row.name:75} {row.value:10.3f} {row.unit}{bar}")


if __name__ == "__main__":
    main()
