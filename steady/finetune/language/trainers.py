"""A trainer of models that generate: rows of like length, the loss of the answers' tokens alone, a validation loss per token,
and checkpoints that resume; with Seq2SeqTrainer for encoder-decoders (`causal.py` has the other).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from transformers import Seq2SeqTrainer

from steady.finetune.checkpoints.trainer import Resumable
from steady.finetune.language.batches import IGNORED, Batch, SequenceLogits, learned_tokens, summed_loss
from steady.finetune.language.rows import GenerativeRows, Row
from steady.finetune.objectives.step import Penalty, token_positions
from steady.finetune.sampling import EpochOrder
from steady.models.adapters import is_plain_lora
from steady.models.ranks import from_first, my_places, rank, summed

EVALUATION_TOKENS = 4096  # in a batch of the evaluation, padding included


class Generative(Resumable):
    """What the two trainers share; set the attributes before training.

    `validation` are the rows of the validation loss; `penalty` is what the objective adds to the loss of a training batch, None
    where it adds nothing; `generated` answers prompts and returns the share of right answers, None
    where `sft.generate_rows` is 0.
    """

    loss_is_scaled_for_ga = True  # by the learned tokens of all accumulated batches
    rows: GenerativeRows
    validation: Sequence[Row] = ()
    penalty: Penalty | None = None
    generated: Callable[[], float] | None = None
    task = "CAUSAL_LM"
    _logits: Any = None

    def _get_train_sampler(self: Any, train_dataset: Any = None) -> Any:
        return EpochOrder(self.rows)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        if not batch_samples:
            return None
        # A process that has no row of a small batch has a batch without labels.
        own = sum(learned_tokens(batch, self.task) for batch in batch_samples if "labels" in batch)
        return summed(torch.as_tensor(own, device=device))

    def floating_point_ops(self, inputs: Batch) -> int:
        """Zero: they are not counted."""
        # Walking all parameters for every batch took 7 % of a small model's step.
        return 0

    def training_step(self: Any, *args: Any, **kwargs: Any) -> Any:
        """As the Trainer has it, with adapters that compute in the 16 bits of the base."""
        with self._adapters_in_16_bits():
            return super().training_step(*args, **kwargs)  # type: ignore[misc]

    def _adapters_in_16_bits(self: Any) -> AbstractContextManager[Any]:
        """Leave the inputs of adapters in the dtype of the base; their weights, kept in float32, are cast to it by autocast.
        PEFT would cast every input to float32 and autocast cast it back, in each adapted layer.
        """
        if not (self.args.bf16 and hasattr(self.model, "peft_config") and is_plain_lora(self.model)):
            return nullcontext()
        from peft.helpers import disable_input_dtype_casting

        return disable_input_dtype_casting(self.model)  # type: ignore[no-any-return]

    def saved_bytes(self: Any) -> int:
        """Bytes that a forward pass over the longest training item keeps for its backward pass, the weights aside.
        The pass is made once, before training, for what a layer keeps depends on the model, its adapter and the dtypes.
        """
        longest = max(range(len(self.rows)), key=self.rows.lengths().__getitem__)
        batch = self._prepare_inputs(self.data_collator([self.rows[longest]]))
        weights = {tensor.untyped_storage().data_ptr() for tensor in self.model.parameters()}
        kept: dict[int, torch.Tensor] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            # a reference, so that its memory is not reused during the count
            kept[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        self.model.train()
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with torch.random.fork_rng(), hooks, self.accelerator.autocast(), self._adapters_in_16_bits():
            loss = summed_loss(*self._logits(batch))
        del loss
        return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)

    def compute_loss(
        self: Any, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean negative log-likelihood in nats of the learned tokens of the accumulated batches, and the penalty."""
        with self.accelerator.autocast():
            logits, targets = self._logits(inputs)
            loss = summed_loss(logits, targets, self.args.label_smoothing_factor)
        tokens = num_items_in_batch.to(loss.device)
        loss = loss / tokens
        if self.penalty is not None:
            labels = inputs["labels"] if self.task == "SEQ_2_SEQ_LM" else inputs["labels"][:, 1:]
            rows = token_positions(logits, targets, (labels != IGNORED).sum(1))
            added = self.penalty(*rows, self.state.global_step / self.state.max_steps)
            # A mean over items, so it counts by the share of the step's batches, whatever the lengths of the answers.
            loss = loss if added is None else loss + added / self.current_gradient_accumulation_steps
        return loss

    @torch.no_grad()
    def evaluate(self: Any, *_: Any, **__: Any) -> dict[str, float]:
        """`eval_loss`, nats a token over all validation rows, whatever the batches; `eval_generated_accuracy` where asked."""
        self.model.eval()
        loss, tokens = 0.0, 0
        batches: list[list[Row]] = []
        for row in sorted(self.validation, key=lambda row: -row.length):
            if not batches or batches[-1][0].length * (len(batches[-1]) + 1) > EVALUATION_TOKENS:
                batches.append([])
            batches[-1].append(row)
        for items in [batches[place] for place in my_places(len(batches))]:
            batch = self._prepare_inputs(self.data_collator([[row] for row in items]))
            with self.accelerator.autocast(), self._adapters_in_16_bits():
                logits, targets = self._logits(batch)
                loss += float(summed_loss(logits, targets))
            tokens += len(targets)
        # Weighted by tokens: a mean of batch means would depend on how the rows were put into batches.
        loss, tokens = summed(torch.tensor([loss, tokens], dtype=torch.float64)).tolist()
        metrics = {"eval_loss": loss / max(tokens, 1)}
        if self.generated is not None:
            metrics["eval_generated_accuracy"] = from_first(self.generated() if rank() == 0 else 0.0)
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class SequenceTrainer(Generative, Seq2SeqTrainer):  # type: ignore[misc]
    """Seq2SeqTrainer on rows that are encoded already."""

    task = "SEQ_2_SEQ_LM"

    def __init__(self, rows: GenerativeRows, **settings: Any) -> None:
        super().__init__(train_dataset=rows, eval_dataset=rows, **settings)
        self.rows = rows
        self._logits = SequenceLogits(self.model)
