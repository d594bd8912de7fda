"""Training a real base on tickets: ours against TRL's SFTTrainer as its script `trl sft` sets it up, step by step in turns.

Both train the base of params.yaml in bfloat16 on the same prompts of the last `dvc repro`, with the same batch, LoRA and loss (of
the answers alone), each in a process of its own, which waits while the other computes. What is timed is from the end of one
step to that of the next, so that batches are made within it; the first step is left out. The floor is three forward passes
of the base over our batches.

TRL is called as `trl sft --model_name_or_path BASE --dtype bfloat16 --use_peft --lora_r 8 --lora_alpha 16 --lora_dropout 0
--lora_target_modules all-linear` does, but for gradient checkpointing, which the script has on and which costs it another
forward pass (`--checkpointing`).

`python -m benchmarks.sft --threads 2 --batch 16 --steps 12`, and with `--even` for rows of one length
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click

from benchmarks.rows import Row
from benchmarks.sensitivity_subjects import Timed

PROMPTS = Path("data/formatted/evaluation.jsonl")
LENGTH = 256
MARK = "@turn "  # before the lines that the parent reads; trainers print too
LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}


class Job(NamedTuple):
    """What both sides train."""

    batch: int
    steps: int
    threads: int
    even: bool
    checkpointing: bool

    def flags(self) -> list[str]:
        """The options that make this job."""
        given = [("--batch", self.batch), ("--steps", self.steps), ("--threads", self.threads)]
        switches = [("--even", self.even), ("--checkpointing", self.checkpointing)]
        return [text for name, value in given for text in (name, str(value))] + [name for name, on in switches if on]


def base_params() -> Any:
    """The section `model` of params.yaml."""
    from steady.evaluate.evaluate import EvaluateStage
    from steady.parameters import read_params

    return read_params(Path("params.yaml"), EvaluateStage).model


def tickets(job: Job, tokenizer: Any) -> list[tuple[str, str]]:
    """Prompts and answers of the last run, `steps` batches of them; `even`: of the commonest number of tokens, again and again."""
    from steady.records import Prompt, read_records

    rows = [(one.prompt, one.completion) for one in read_records(PROMPTS, Prompt)]
    if job.even:
        lengths = [len(tokenizer(f"{prompt} {answer}")["input_ids"]) for prompt, answer in rows]
        commonest = Counter(lengths).most_common(1)[0][0]
        rows = [row for row, length in zip(rows, lengths, strict=True) if length == commonest]
    return (rows * (job.batch * job.steps // len(rows) + 1))[: job.batch * job.steps]


def arguments(job: Job, folder: str) -> dict[str, Any]:
    """What both are told of the training."""
    return {
        "output_dir": folder,
        "num_train_epochs": 1,
        "per_device_train_batch_size": job.batch,
        "learning_rate": 1e-3,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "bf16": True,
        "seed": 0,
    }


def theirs(job: Job, folder: str) -> Any:
    """TRL's trainer as its script makes it."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from steady.models.base import locate
    from steady.models.load import load_tokenizer

    params = base_params()
    rows = tickets(job, load_tokenizer(params))
    said = [(("prompt", "user", prompt), ("completion", "assistant", answer)) for prompt, answer in rows]
    data = Dataset.from_list([{key: [{"role": role, "content": text}] for key, role, text in row} for row in said])
    given = SFTConfig(
        max_length=LENGTH,
        gradient_checkpointing=job.checkpointing,
        model_init_kwargs={"dtype": "bfloat16"},
        **arguments(job, folder),
    )
    return SFTTrainer(locate(params).source, args=given, train_dataset=data, peft_config=LoraConfig(**LORA))


def ours(job: Job, folder: str) -> Any:
    """The trainer of the finetune stage."""
    from peft import LoraConfig, get_peft_model

    from benchmarks.training import our_trainer
    from steady.models.load import load_language, prepare_torch

    params = base_params()
    prepare_torch(params, 0)
    base, tokenizer = load_language(params, "cpu")
    model = get_peft_model(base, LoraConfig(**LORA))
    return our_trainer("CAUSAL_LM", tickets(job, tokenizer), model, tokenizer, arguments(job, folder), framed=True)


def work(who: str, job: Job) -> None:
    """Train in this process, a step for each line on standard input; the seconds of each step and the peak go to standard output."""
    import torch
    from transformers import TrainerCallback

    taken: list[Timed] = []

    class Turns(TrainerCallback):  # type: ignore[misc]
        """Waits for the turn of this process after every step."""

        def _wait(self) -> None:
            sys.stdin.readline()
            self.started = Timed(time.perf_counter(), time.process_time())

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            print(MARK, flush=True)
            self._wait()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            taken.append(Timed(time.perf_counter() - self.started.wall, time.process_time() - self.started.processor))
            print(MARK, flush=True)
            self._wait()

    with tempfile.TemporaryDirectory() as folder:
        trainer = {"trl": theirs, "ours": ours}[who](job, folder)
        torch.set_num_threads(job.threads)
        trainer.add_callback(Turns())
        trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    floor = forward_passes(trainer, 3) if who == "ours" else []
    print(MARK + json.dumps({"steps": taken[1:], "peak": peak, "floor": floor}), flush=True)


def forward_passes(trainer: Any, passes: int) -> list[Timed]:
    """Seconds of so many passes of the base, without its output layer, over each of our batches but the first.

    Each batch is read twice, and the second time counts: a shape that is new to the kernels takes longer.
    """
    import torch

    from benchmarks.sensitivity_subjects import timed

    base = trainer.model.get_base_model().model
    batches = [batch["input_ids"] for batch in trainer.get_train_dataloader()][1:]
    with torch.inference_mode(), trainer.model.disable_adapter():
        found = []
        for ids in batches:
            base(ids, use_cache=False)
            found.append(timed(lambda ids=ids: base(ids, use_cache=False)))
        return [Timed(*(passes * part for part in one)) for one in found]


def in_turns(job: Job) -> dict[str, dict[str, Any]]:
    """Both processes, one step of the one and one of the other; what each prints at its end."""
    with tempfile.TemporaryFile() as errors:
        running = {
            who: subprocess.Popen(
                [sys.executable, "-m", "benchmarks.sft", "--who", who, *job.flags()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            for who in ("trl", "ours")
        }

        def told(who: str) -> str:
            for line in running[who].stdout or ():
                if line.startswith(MARK):
                    return line.removeprefix(MARK)
            errors.seek(0)
            raise SystemExit(f"{who}: {errors.read().decode()[-2000:]}")

        for who in running:
            told(who)
        last: dict[str, str] = {}
        for _ in range(job.steps + 1):  # the last turn ends the training
            for who, process in running.items():
                assert process.stdin is not None
                print(file=process.stdin, flush=True)
                last[who] = told(who)
        for process in running.values():
            process.wait()
        return {who: json.loads(text) for who, text in last.items()}


def compare(job: Job) -> list[Row]:
    """The rows of one job."""
    found = in_turns(job)
    seconds = {who: [sum(part) for part in zip(*one["steps"], strict=True)] for who, one in found.items()}
    floor = [sum(part) for part in zip(*found["ours"]["floor"], strict=True)]
    each = [theirs[1] / mine[1] for theirs, mine in zip(found["trl"]["steps"], found["ours"]["steps"], strict=True)]
    name = f"SmolLM2, {job.steps - 1} steps of {job.batch} {'even ' * job.even}tickets"
    return [
        Row(
            f"{name}: trl sft / ours, wall clock", seconds["trl"][0] / seconds["ours"][0], "x", 1.0 if job.even else 4.0
        ),
        Row(
            f"{name}: trl sft / ours, processor", seconds["trl"][1] / seconds["ours"][1], "x", 1.0 if job.even else 4.0
        ),
        Row(f"{name}: the same, median of the steps", median(each), "x", None),
        Row(f"{name}: ours, processor seconds a step", seconds["ours"][1] / (job.steps - 1), "s", None),
        Row(f"{name}: ours / three forward passes, processor", seconds["ours"][1] / floor[1], "x", 2.0),
        Row(f"{name}: peak memory, ours", found["ours"]["peak"], "GiB", None),
        Row(f"{name}: peak memory, ours / trl sft", found["ours"]["peak"] / found["trl"]["peak"], "x", 1.0),
    ]


@click.command()
@click.option("--batch", default=16, show_default=True)
@click.option("--steps", default=12, show_default=True, help="The first is not counted.")
@click.option("--threads", default=2, show_default=True)
@click.option("--even", is_flag=True, help="Rows of one length.")
@click.option("--checkpointing", is_flag=True, help="Gradient checkpointing for TRL, as its script has it.")
@click.option("--who", type=click.Choice(["trl", "ours"]), hidden=True)
def main(batch: int, steps: int, threads: int, even: bool, checkpointing: bool, who: str | None) -> None:
    """Train the base of the last run against `trl sft`."""
    job = Job(batch, steps, threads, even, checkpointing)
    if who:
        work(who, job)
        return
    for row in compare(job):
        bar = "" if row.bar is None else f"   bar {row.bar:g}"
        click.echo(f"{row.name:75} {row.value:10.3f} {row.unit}{bar}")


if __name__ == "__main__":
    main()
