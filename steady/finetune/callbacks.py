"""Trainer callbacks: the wording of the epoch, the progress bar, and live curves."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from steady.inference.progress import progress_bar

CURVES = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_accuracy", "eval_generated_accuracy")


class EpochWordings(TrainerCallback):
    """Sets the epoch of the dataset before its rows are drawn, also after a resume in the middle of an epoch."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Set the epoch; the state counts it as a fraction."""
        self.dataset.epoch = int((state.epoch or 0) + 1e-6)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Set the last epoch that was trained: a resume after the last step begins none, and its tokens are recorded."""
        self.dataset.epoch = max(0, math.ceil((state.epoch or 0) - 1e-6) - 1)


class TrainingBar(TrainerCallback):
    """A bar over the optimizer steps with the time left, in place of the Trainer's, which prints every entry of the log too."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.bar: Any = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start at the step that a resumed training goes on from."""
        self.bar = progress_bar(None, "training", "step", self.shown, state.max_steps)
        self.bar.update(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Move on to the step."""
        self.bar.update(state.global_step - self.bar.n)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Remove the bar."""
        self.bar.close()


class LiveCurves(TrainerCallback):
    """DVCLive curves over optimizer steps: losses, accuracy, learning rate; no run times, so equal runs write equal bytes."""

    def __init__(self, folder: Path) -> None:
        from dvclive import Live

        # By default DVCLive rewrites dvc.yaml and commits an experiment; here the stage declares its own outputs.
        self.live = Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write what was logged before a stop."""
        # DVC deletes the outputs of a stage before it runs, so the curves of the first part are gone.
        for entry in state.log_history:
            self._write(entry, int(entry["step"]))

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Write the `values` at the optimizer step they belong to."""
        self._write(given["logs"], state.global_step)

    def values(self, logs: Mapping[str, float]) -> Iterable[tuple[str, float]]:
        """What is written of an entry of the log: names under `train/` or `eval/`, in one order, for a checkpoint sorts the log."""
        for name in CURVES:
            if name in logs:
                split, key = ("eval", name.removeprefix("eval_")) if name.startswith("eval_") else ("train", name)
                yield f"{split}/{key}", float(logs[name])

    def _write(self, logs: Mapping[str, float], step: int) -> None:
        # DVCLive would count the entries of the log instead, in which training and evaluation alternate.
        self.live.step = step
        for name, value in self.values(logs):
            self.live.log_metric(name, value)
        self.live.make_summary()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close the files."""
        self.live.end()
