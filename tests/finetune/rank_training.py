"""Train small arms in the processes of a launcher: `torchrun … rank_training.py FOLDER KIND…`; run by `test_several_processes`."""

import os
import signal
import sys
import time
from pathlib import Path

from generative_fixture import LABELS, TASKS, examples, material, view
from msgspec.structs import replace

from steady.finetune.checkpoints.trainer import Resumable
from steady.finetune.finetune import finetune
from steady.finetune.params import FinetuneParams
from steady.launchers import claim_world
from steady.models.ranks import joined, rank, written_by_first

KINDS = ("classifier", "llama", "t5", "grouped", "consistency", "dpo")
BASES = {"grouped": "classifier", "consistency": "llama", "dpo": "llama"}
ARMS = {
    "grouped": {"sampler": "grouped", "group_size": 2},
    "consistency": {"sampler": "grouped", "group_size": 2, "objective": "consistency"},
    "dpo": {"objective": "dpo"},
}
ROWS = 13  # three batches of four, and one of a single row, of which a second process has none


def settings(folder: Path, kind: str, dropout: float) -> FinetuneParams:
    """Twenty steps on rows of several lengths, from a base in `folder`; of DPO as many after those."""
    train = {"num_train_epochs": 5, "max_steps": 20, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}
    train |= {"eval_steps": 5, "learning_rate": 1e-3, "early_stopping_patience": 9}
    base = BASES.get(kind, kind)
    return view(
        folder / f"base-{base}",
        TASKS.get(base, "SEQ_CLS"),
        arm=ARMS.get(kind, {}),
        train=train,
        lora={"lora_dropout": dropout},
        model={"pooling": "mean" if base == "classifier" else None},
        dpo={"num_train_epochs": 5, "per_device_train_batch_size": 4, "learning_rate": 1e-3, "max_length": 128},
    )


def train_kind(folder: Path, name: str, kind: str, dropout: float = 0.0) -> Path:
    """The folder of an arm, trained with its checkpoints beside it."""
    # Answers of several lengths: what is averaged over items must not be weighed by tokens.
    answers = ("red", "blue with green and grey") if kind == "consistency" else LABELS
    out, rows = folder / name / kind, examples(answers, rows=ROWS)
    if kind == "dpo":
        rows = [replace(row, rejected="neither of the two") for row in rows]
    with written_by_first(out / "arm", out / "curves") as (arm, curves):
        finetune("tuned", settings(folder, kind, dropout), material(rows, answers), arm, curves, out / "checkpoints")
    return out


def main() -> None:
    """Train the kinds that are named; process `STEADY_KILL` kills itself at step 12."""
    folder, name, *kinds = sys.argv[1:]
    world = claim_world(os.environ)
    if os.environ.get("STEADY_KILL") == str(world.rank):
        step = Resumable.training_step

        def killed(self, *arguments):
            if self.state.global_step == 12:
                Path(folder, name, "killed").write_text(str(time.time()), encoding="utf-8")
                os.kill(os.getpid(), signal.SIGKILL)
            return step(self, *arguments)

        Resumable.training_step = killed
    with joined(world):
        for kind in kinds:
            train_kind(Path(folder), name, kind, 0.2 if name != "plain" else 0.0)
            print(f"process {rank()} has trained {kind}", flush=True)


if __name__ == "__main__":
    main()
