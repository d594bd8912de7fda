"""Evaluation against lm-evaluation-harness: the same token ids, the same candidates, the choices compared row by row.

Of every prompt both give the log-likelihood of each candidate and a free greedy answer: the evaluate stage from one reading of
the prompt, the harness by its `loglikelihood` and `generate_until`. In bfloat16 the two round differently (ours merges the
adapter, the harness keeps it beside the base), so that near ties may fall otherwise; `--dtype float32` shows whether anything
else differs. It takes the base and the arm `tuned` of the last `dvc repro`; `--tasks` names files of Natural-Instructions whose
answers are a few labels. The harness has requirements of its own, so it runs in an environment of its own that also sees this
one's packages, so that torch and transformers are the same:

    python -m venv /tmp/harness
    realpath .venv/lib/python3.*/site-packages > "$(echo /tmp/harness/lib/python3.*)/site-packages/steady.pth"
    /tmp/harness/bin/pip install lm-eval==0.4.13
    python -m benchmarks.harness --python /tmp/harness/bin/python --threads 2 --rows 400
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from benchmarks.rows import Row
from benchmarks.sensitivity_subjects import Timed, timed

ARM = Path("models/tuned")
TICKETS = Path("data/formatted/evaluation.jsonl")
WARM_UP = 2  # prompts that each side answers before the clock starts


@dataclass(frozen=True)
class Task:
    """Prompts, the candidates of every one of them, and the right one of each."""

    name: str
    prompts: list[str]
    labels: list[str]
    right: list[str]


@dataclass
class Answers:
    """What one side gave to a task; `scores` `(rows, labels)` are in nats, summed over tokens."""

    seconds: Timed
    scores: list[list[float]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def choices(self, labels: list[str]) -> list[str]:
        """The likeliest label of every row."""
        return [labels[max(range(len(row)), key=row.__getitem__)] for row in self.scores]


def tickets(rows: int) -> Task:
    """Prompts of the last run."""
    from steady.models.arm import read_manifest
    from steady.records import Prompt, read_records

    asked = list(read_records(TICKETS, Prompt))[:rows]
    labels = read_manifest(ARM).labels
    return Task("tickets", [one.prompt for one in asked], labels, [one.completion for one in asked])


def natural_instructions(path: Path, rows: int) -> Task:
    """The first rows of a task of Natural-Instructions; its candidates are all outputs that it has anywhere."""
    given = json.loads(path.read_text(encoding="utf-8"))
    instances = given["Instances"]
    labels = sorted({output for one in instances for output in one["output"]})
    prompts = [f"{given['Definition'][0]}\n\nInput: {one['input']}\nOutput:" for one in instances[:rows]]
    return Task(path.stem, prompts, labels, [one["output"][0] for one in instances[:rows]])


class Ours:
    """The evaluate stage's own scorer, on the arm."""

    def __init__(self, threads: int, dtype: str) -> None:
        import torch

        from steady.scoring.answers import Scoring, open_arm

        view = settings(dtype)
        arm = open_arm(ARM, Scoring(view.model, view.evaluate.batch_size, view.evaluate.max_new_tokens, view.runtime))
        assert arm.scorer is not None
        torch.set_num_threads(threads)
        # the arm's own limit would cut prompts of other tasks, which the harness does not
        self.scorer = replace(arm.scorer, language=replace(arm.scorer.language, max_length=None))

    def ask(self, task: Task, rows: int) -> tuple[list[list[float]], list[str]]:
        """Log-likelihoods of the candidates, and free answers."""
        from steady.scoring.answering import answer_groups, response_text
        from steady.scoring.groups import PromptGroup
        from steady.scoring.resume import Partial

        groups = [PromptGroup(str(n), (str(n),), (text,)) for n, text in enumerate(task.prompts[:rows])]
        given = {group.id: task.labels for group in groups}
        found = [row for rows in answer_groups(self.scorer, groups, given, False, Partial()) for row in rows]
        return [one.given for one in found], [response_text(self.scorer, one) for one in found]


class Harness:
    """The harness, which puts the adapter on by itself, as its users have it do with `peft=`."""

    def __init__(self, threads: int, dtype: str) -> None:
        import torch
        from lm_eval.models.huggingface import HFLM

        from steady.inference.language import language_model
        from steady.models.load import load_language

        view = settings(dtype)
        base, tokenizer = load_language(view.model, "cpu")
        self.language = language_model(base, tokenizer, view.model.chat_template)
        torch.set_num_threads(threads)
        with tempfile.TemporaryDirectory() as folder:
            base.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            self.model = HFLM(folder, peft=str(ARM), dtype=dtype, device="cpu", batch_size=view.evaluate.batch_size)
        self.limits = {"until": [], "max_gen_toks": view.evaluate.max_new_tokens, "do_sample": False}

    def ask(self, task: Task, rows: int) -> tuple[list[list[float]], list[str]]:
        """See `Ours.ask`.

        Raises:
            SystemExit: the harness would read other tokens.
        """
        from lm_eval.api.instance import Instance

        from steady.inference.language import encode, encode_answer

        prompts, width = task.prompts[:rows], len(task.labels)
        asked = [list(ids) for ids in encode(self.language, prompts)]
        texts = [self.language.tokenizer.decode(ids) for ids in asked]
        if [self.model.tok_encode(text) for text in texts] != asked:
            raise SystemExit(f"{task.name}: the harness reads other tokens")
        requests = [
            (("", ""), ids, list(encode_answer(self.language, prompt, label)))
            for prompt, ids in zip(prompts, asked, strict=True)
            for label in task.labels
        ]
        scores = [score for score, _ in self.model._loglikelihood_tokens(requests, disable_tqdm=True)]
        free = [Instance("generate_until", {}, (text, self.limits), n) for n, text in enumerate(texts)]
        answers = self.model.generate_until(free, disable_tqdm=True)
        cells = [scores[start : start + width] for start in range(0, len(scores), width)]
        return cells, [text.strip() for text in answers]


def settings(dtype: str) -> Any:
    """The parameters of the run, as the evaluate stage has them, but for the numbers."""
    from steady.evaluate.evaluate import EvaluateStage
    from steady.parameters import read_params

    view = read_params(Path("params.yaml"), EvaluateStage)
    return view.model_copy(update={"model": view.model.model_copy(update={"dtype": dtype})})


def answers(side: Ours | Harness, task: Task) -> Answers:
    """All rows of a task, timed."""
    found: list[Any] = []
    side.ask(task, WARM_UP)
    seconds = timed(lambda: found.extend(side.ask(task, len(task.prompts))))
    return Answers(seconds, *found)


SIDES: dict[str, type[Ours] | type[Harness]] = {"ours": Ours, "harness": Harness}


def compare(task: Task, found: dict[str, Answers]) -> list[Row]:
    """The rows of one task."""
    ours, peer = found["ours"], found["harness"]
    rows = len(task.prompts)
    chosen = {who: one.choices(task.labels) for who, one in found.items()}

    def equal(one: list[str], other: list[str]) -> float:
        return sum(a == b for a, b in zip(one, other, strict=True)) / rows

    apart = max(
        abs(a - b) for one, two in zip(ours.scores, peer.scores, strict=True) for a, b in zip(one, two, strict=True)
    )
    # how far ours has the harness's choice behind its own: near ties alone may differ
    behind = [max(row) - row[task.labels.index(name)] for row, name in zip(ours.scores, chosen["harness"], strict=True)]
    name = f"{task.name}, {rows} rows"
    return [
        Row(f"{name}: harness / ours, wall clock", peer.seconds.wall / ours.seconds.wall, "x", 4.0),
        Row(f"{name}: harness / ours, processor", peer.seconds.processor / ours.seconds.processor, "x", 4.0),
        Row(f"{name}: ours, processor seconds a row", ours.seconds.processor / rows, "s", None),
        Row(f"{name}: accuracy, ours", equal(chosen["ours"], task.right), "", None),
        Row(f"{name}: accuracy, harness", equal(chosen["harness"], task.right), "", None),
        Row(f"{name}: rows with the same choice", equal(chosen["ours"], chosen["harness"]), "", 1.0),
        Row(f"{name}: largest lead of another choice", max(behind), "nats", None),
        Row(f"{name}: rows with the same free answer", equal(ours.texts, peer.texts), "", None),
        Row(f"{name}: largest difference of a log-likelihood", apart, "nats", None),
    ]


def in_own_process(python: str, who: str) -> list[Answers]:
    """The answers of one side to every task, with the options of this process."""
    command = [python, "-m", "benchmarks.harness", *sys.argv[1:], "--who", who]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{who}: {done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return [Answers(Timed(*seconds), scores, texts) for seconds, scores, texts in found]


@click.command()
@click.option("--python", required=True, help="The Python of the environment that has lm-eval.")
@click.option("--threads", default=2, show_default=True)
@click.option("--rows", default=400, show_default=True, help="Prompts of each task, at most.")
@click.option(
    "--tasks", multiple=True, type=click.Path(path_type=Path), help="Natural-Instructions, after the tickets."
)
@click.option("--dtype", type=click.Choice(["bfloat16", "float32"]), default="bfloat16", show_default=True)
@click.option("--who", type=click.Choice(list(SIDES)), hidden=True)
def main(python: str, threads: int, rows: int, tasks: tuple[Path, ...], dtype: str, who: str | None) -> None:
    """Time the evaluation of the arm `tuned` against lm-evaluation-harness."""
    asked = [tickets(rows), *(natural_instructions(path, rows) for path in tasks)]
    if who:
        side = SIDES[who](threads, dtype)
        found = [answers(side, task) for task in asked]
        click.echo(json.dumps([(one.seconds, one.scores, one.texts) for one in found]))
        return
    sides = {side: in_own_process(python if side == "harness" else sys.executable, side) for side in SIDES}
    for place, task in enumerate(asked):
        for row in compare(task, {side: found[place] for side, found in sides.items()}):
            bar = "" if row.bar is None else f"   bar {row.bar:g}"
            click.echo(f"{row.name:75} {row.value:10.3f} {row.unit}{bar}")


if __name__ == "__main__":
    main()
