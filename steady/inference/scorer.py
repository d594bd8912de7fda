"""What scores a model that generates, the limits it is scored under, and what comes out."""

from dataclasses import dataclass, field
from typing import NamedTuple

from steady.inference.language import LanguageModel, Tokens

KEPT_SHARE = 0.75
"""Share of the token budget for the prompts' keys and values; the rest is for batches of responses."""


Key = tuple[Tokens, Tokens]
"""A prompt and a response."""


class Response(NamedTuple):
    """Token ids of a greedy response, the end token included if one was emitted, and its log-probability in nats."""

    tokens: Tokens
    logprob: float


class Scores(NamedTuple):
    """Greedy responses by prompt, log P(response | prompt) in nats by (prompt, response), and the same at each temperature."""

    responses: dict[Tokens, Response]
    logprobs: dict[Key, float]
    scaled: dict[Key, tuple[float, ...]]


@dataclass(frozen=True)
class Memory:
    """Bytes of keys and values per position (all layers, and one layer) and of the logits of one scored token."""

    position: int
    layer: int
    logits: int

    def response_cost(self, prompt_tokens: int, response_tokens: int) -> float:
        """Cached positions that take as many bytes as scoring one response does."""
        branched = (prompt_tokens + response_tokens) * self.layer
        return (branched + response_tokens * self.logits) / self.position


@dataclass
class Passes:
    """Tokens that went through the model, by purpose, and the largest bundle and batch that were held."""

    prefill: int = 0
    decode: int = 0
    score: int = 0

    @property
    def total(self) -> int:
        """All token passes."""
        return self.prefill + self.decode + self.score


@dataclass(frozen=True)
class Scorer:
    """A model with the limits it is scored under.

    `batch_tokens` is the budget: cached positions held at once, what scoring takes beside them converted into positions.
    `memory` is None for a model without a cache that can be branched: it is scored one whole sequence at a time.
    `temperatures`: responses are scored with the logits divided by each of these too.
    """

    language: LanguageModel
    max_new_tokens: int
    batch_tokens: int
    memory: Memory | None
    temperatures: tuple[float, ...] = ()
    passes: Passes = field(default_factory=Passes)

    @property
    def kept_positions(self) -> int:
        """Cached positions of prompts held at once."""
        return int(self.batch_tokens * KEPT_SHARE)
