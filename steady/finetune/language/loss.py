"""The loss of a batch: the summed negative log-likelihood of the learned tokens; no logits are computed for other tokens."""

from typing import Any

import torch

from steady.finetune.language.batches import IGNORED

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}  # relative; of coarser dtypes 5e-2


def summed_loss(logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy in nats of logits `(tokens, vocabulary)` in float32, summed over `targets` `(tokens,)`."""
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=smoothing)


class CausalLogits:
    """Logits of the learned tokens of a causal model.

    The output layer maps every position to the whole vocabulary; for a prompt of 100 tokens and a label of 2 it computes
    102 rows of which 2 count. Here it gets the hidden states of those 2 alone. A model may also scale or cap its logits, so the
    result is compared once with that of the model's own forward, which is used where the two differ.
    """

    def __init__(self, model: Any, batch: dict[str, torch.Tensor]) -> None:
        self.base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.model = model
        self.direct = False
        self.direct = self._agrees({name: tensor.to(model.device) for name, tensor in batch.items()})

    def __call__(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits `(learned tokens, vocabulary)` and their targets."""
        targets = batch["labels"][:, 1:]
        learned = targets != IGNORED
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        if self.direct:
            hidden = self.base.base_model(**inputs, use_cache=False).last_hidden_state[:, :-1][learned]
            head = self.base.get_output_embeddings()
            return head(hidden.to(head.weight.device)), targets[learned].to(head.weight.device)
        logits = self.model(**inputs, use_cache=False).logits[:, :-1][learned]
        return logits, targets[learned].to(logits.device)

    @torch.no_grad()
    def _agrees(self, batch: dict[str, torch.Tensor]) -> bool:
        was_training = self.model.training
        self.model.eval()
        try:
            expected = self(batch)[0]
            self.direct = True
            return close(self(batch)[0], expected)
        except (AttributeError, TypeError, RuntimeError, ValueError):
            return False
        finally:
            self.direct = False
            self.model.train(was_training)


class SequenceLogits:
    """Logits of the answers' tokens of an encoder-decoder."""

    def __init__(self, model: Any) -> None:
        self.base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.model = model

    def __call__(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits `(learned tokens, vocabulary)` and their targets."""
        targets = batch["labels"]
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        shifted = self.base.prepare_decoder_input_ids_from_labels(labels=targets)
        logits = self.model(**inputs, decoder_input_ids=shifted, use_cache=False).logits
        learned = targets != IGNORED
        return logits[learned.to(logits.device)], targets[learned].to(logits.device)


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two ways of computing logits give the same, but for rounding."""
    tolerance = TOLERANCE.get(one.dtype, 5e-2)
    scale = float(other.float().abs().max()) if other.numel() else 1.0
    return one.shape == other.shape and bool((one.float() - other.float()).abs().max() <= tolerance * max(1.0, scale))
