"""Trainer callbacks: the wording of the epoch, and live curves."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

CURVES = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_accuracy", "eval_generated_accuracy")


class EpochWordings(TrainerCallback):
    """Tells the dataset which epoch it is in before its rows are drawn, also after a resume in the middle of one."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Set the epoch; the state counts it as a fraction."""
        self.dataset.epoch = int((state.epoch or 0) + 1e-6)


class LiveCurves(TrainerCallback):
    """DVCLive curves over optimizer steps: losses, accuracy, learning rate; no run times, so equal runs write equal bytes."""

    def __init__(self, folder: Path) -> None:
        from dvclive import Live

        self.live = Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """After a resume, write what was logged before the stop once more."""
        for entry in state.log_history:
            self._write(entry, int(entry["step"]))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Write the `values` at the optimizer step they belong to."""
        self._write(logs or {}, state.global_step)

    def values(self, logs: dict[str, Any]) -> Iterable[tuple[str, float]]:
        """What is written of an entry of the log: names under `train/` or `eval/`, in one order, for a checkpoint sorts the log."""
        for name in CURVES:
            if name in logs:
                split, key = ("eval", name.removeprefix("eval_")) if name.startswith("eval_") else ("train", name)
                yield f"{split}/{key}", float(logs[name])

    def _write(self, logs: dict[str, Any], step: int) -> None:
        self.live.step = step
        for name, value in self.values(logs):
            self.live.log_metric(name, value)
        self.live.make_summary()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close the files."""
        self.live.end()
