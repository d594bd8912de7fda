"""A trainer of models that generate: rows of like length, the loss of the answers' tokens alone, a validation loss per token,
and checkpoints that resume; with Seq2SeqTrainer for encoder-decoders (`generative_causal.py` has the other).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import Seq2SeqTrainer

from steady.finetune.checkpoints.trainer import Resumable
from steady.finetune.language.batches import learned_tokens
from steady.finetune.language.loss import SequenceLogits, summed_loss
from steady.finetune.language.rows import GenerativeRows, LengthGrouped, Row

Generated = Callable[[], float]
EVALUATION_TOKENS = 4096  # in a batch, padding included


class Generative(Resumable):
    """What the two trainers share; set the attributes before training.

    `validation` are the rows of the validation loss; `generated` answers prompts and gives the share answered rightly, None
    where that was not asked for.
    """

    loss_is_scaled_for_ga = True  # by the learned tokens of all accumulated batches
    rows: GenerativeRows
    validation: Sequence[Row] = ()
    generated: Generated | None = None
    task = "CAUSAL_LM"
    _logits: Any = None

    def _get_train_sampler(self: Any, train_dataset: Any = None) -> Any:
        return LengthGrouped(self.rows, self.args.per_device_train_batch_size, self.args.seed)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        return sum(learned_tokens(batch, self.task) for batch in batch_samples) if batch_samples else None

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: walking all parameters for every batch took 7 % of a small model's step."""
        return 0

    def compute_loss(
        self: Any, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean negative log-likelihood in nats of the learned tokens of the accumulated batches."""
        with self.accelerator.autocast():
            logits, targets = self._logits(inputs)
            loss = summed_loss(logits, targets, self.args.label_smoothing_factor)
        return loss / num_items_in_batch.to(loss.device)

    @torch.no_grad()
    def evaluate(self: Any, *_: Any, **__: Any) -> dict[str, float]:
        """`eval_loss`, nats a token over all validation rows, whatever the batches; `eval_generated_accuracy` where asked."""
        self.model.eval()
        loss, tokens = 0.0, 0
        for items in batches_of(self.validation, EVALUATION_TOKENS):
            batch = self._prepare_inputs(self.data_collator([[row] for row in items]))
            with self.accelerator.autocast():
                logits, targets = self._logits(batch)
                loss += float(summed_loss(logits, targets))
            tokens += len(targets)
        metrics = {"eval_loss": loss / max(tokens, 1)}
        if self.generated is not None:
            metrics["eval_generated_accuracy"] = self.generated()
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def batches_of(rows: Sequence[Row], tokens: int) -> list[list[Row]]:
    """Rows longest first, in batches of at most so many tokens with their padding."""
    batches: list[list[Row]] = []
    for row in sorted(rows, key=lambda row: -row.length):
        if not batches or batches[-1][0].length * (len(batches[-1]) + 1) > tokens:
            batches.append([])
        batches[-1].append(row)
    return batches


class SequenceTrainer(Generative, Seq2SeqTrainer):  # type: ignore[misc]
    """Seq2SeqTrainer on rows that come encoded."""

    task = "SEQ_2_SEQ_LM"

    def __init__(self, rows: GenerativeRows, **settings: Any) -> None:
        super().__init__(train_dataset=rows, eval_dataset=rows, **settings)
        self.rows = rows
        self._logits = SequenceLogits(self.model)
