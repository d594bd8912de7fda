"""The forward passes over a batch of prompts: one prefill, one token at a time, and many responses behind each prompt."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from transformers.modeling_outputs import BaseModelOutput

from steady.inference.cache import EncodedCache, PromptCache
from steady.inference.language import LanguageModel, Tokens, call

CPU_TOKENS = 384
"""Tokens that a CPU reads in one pass in float32: beyond that it is no faster, and a wider batch pads more."""
CPU_TOKENS_BFLOAT16 = 1536
CPU_TOKENS_TILES = 4096
"""The same in bfloat16 on a CPU that multiplies such numbers (4 % faster than 384 on one thread), and on one that multiplies
tiles of them (AMX), which wants wider matrices; that one was not measured.

They depend on the kind of CPU alone, never on a timing: batches of another width round otherwise, and one machine has to give
the same bytes again.
"""
LEAST_SHARED = 8
"""Tokens of a common beginning that are worth a pass of their own."""


def read_prompts(language: LanguageModel, prompts: Sequence[Tokens], room: int, batch_tokens: int) -> "Prompted":
    """Prefill prompts, which are sorted by length, in batches of at most `batch_tokens` tokens, padding included.
    `room`: how many tokens may be generated behind a prompt.
    """
    limit = min(batch_tokens, cpu_tokens(language)) if language.device.type == "cpu" else batch_tokens
    kind = EncodedPrompts if language.encodes else CausalPrompts
    return kind(language, prompts, room, limit)


def cpu_tokens(language: LanguageModel) -> int:
    """The most tokens of one pass on this CPU."""
    if language.model.dtype != torch.bfloat16 or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return CPU_TOKENS
    return CPU_TOKENS_TILES if torch.cpu._is_amx_tile_supported() else CPU_TOKENS_BFLOAT16


def shared_tokens(language: LanguageModel, prompts: Sequence[Tokens]) -> int:
    """Tokens that all prompts begin with and that are read once for all of them; every prompt has one of its own behind them.
    A chat template and an instruction before the input are such beginnings. An encoder sees what follows, and shares nothing.
    """
    if language.encodes or len(prompts) < 2:
        return 0
    low, high = min(prompts), max(prompts)  # in the order of words: what these two share, all share
    limit = min(map(len, prompts)) - 1
    same = next((place for place in range(limit) if low[place] != high[place]), limit)
    return same if same >= LEAST_SHARED else 0


def batches_of_rows(lengths: Sequence[int], limit: int) -> Iterator[slice]:
    """Ranges of rows whose number times the longest of them is at most `limit`; a longer row is alone."""
    start, longest = 0, 0
    for row, length in enumerate(lengths):
        longest = max(longest, length)
        if row > start and longest * (row + 1 - start) > limit:
            yield slice(start, row)
            start, longest = row, length
    if lengths:
        yield slice(start, len(lengths))


def padded(
    sequences: Sequence[Tokens], width: int, device: torch.device, *, left: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids `(rows, width)`, 0 where there is none, and the mask that says so; no padding token is needed."""
    # 0 is a token of any vocabulary, and the mask hides it
    tokens = torch.zeros((len(sequences), width), dtype=torch.long)
    mask = torch.zeros((len(sequences), width), dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        place = slice(width - len(sequence), width) if left else slice(0, len(sequence))
        tokens[row, place] = torch.tensor(sequence, dtype=torch.long)
        mask[row, place] = True
    return tokens.to(device), mask.to(device)


class CausalPrompts:
    """Prompts of a causal model, left-padded; positions are given, so that padding moves none. What all begin with is read once
    (`shared_tokens`). `first` are the logits `(prompts, vocabulary)` of the first token of a response.
    """

    def __init__(self, language: LanguageModel, prompts: Sequence[Tokens], room: int, limit: int) -> None:
        self.language = language
        lengths = [len(prompt) for prompt in prompts]
        self.width = max(lengths)
        self.lengths = torch.tensor(lengths, device=language.device)
        slots = torch.arange(self.width + room, device=language.device)
        self.mask = slots >= self.width - self.lengths[:, None]
        self.shared = shared_tokens(language, prompts)
        beginning: PromptCache | None = None
        if self.shared:
            beginning = CausalPrompts(language, [prompts[0][: self.shared]], 0, limit).cache
        self.cache: PromptCache = PromptCache(len(prompts), self.width, room, beginning)
        batches = batches_of_rows([length - self.shared for length in lengths], limit)
        self.first = torch.cat([self._read(prompts[rows], rows) for rows in batches])

    def _read(self, prompts: Sequence[Tokens], rows: slice) -> torch.Tensor:
        width = max(len(prompt) for prompt in prompts)
        own = [prompt[self.shared :] for prompt in prompts]
        tokens, _ = padded(own, width - self.shared, self.language.device, left=True)
        mask = self.mask[rows, self.width - width : self.width]
        # padding has position 0, which the mask hides; -1 would be no index into learned positions
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, self.shared :]
        # runs of prompts of one length, and the slot at which they begin
        starts, row = [], rows.start
        for length, equal in groupby(map(len, prompts)):
            stop = row + len(list(equal))
            starts.append((slice(row, stop), self.width - length))
            row = stop
        cache = self.cache.prefill(rows, width, starts if self.shared else ())
        # prompts end together, so the last logits are all that is needed of `(batch, width, vocabulary)`
        return self._call(tokens, mask, positions, cache, keep=1)[:, 0]

    def decode(self, step: int, tokens: torch.Tensor) -> torch.Tensor:
        """Logits `(prompts, vocabulary)` after token number `step` (from 0) of every response, `tokens` `(prompts,)`."""
        mask, positions = self.mask[:, : self.width + step + 1], self.lengths[:, None] + step
        return self._call(tokens[:, None], mask, positions, self.cache.decode(step), keep=1)[:, 0]

    def respond(self, rows: Sequence[int], tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits `(responses, tokens, vocabulary)` behind each of `tokens`, right-padded where `mask` is false."""
        chosen = torch.tensor(rows, device=tokens.device)
        width = int(self.lengths[chosen].max())
        seen = torch.cat([self.mask[chosen, self.width - width : self.width], mask], dim=1)
        positions = self.lengths[chosen, None] + torch.arange(tokens.shape[1], device=tokens.device)
        return self._call(tokens, seen, positions, self.cache.branch(rows, width), keep=0)

    def _call(
        self, tokens: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: object, keep: int
    ) -> torch.Tensor:
        return call(
            self.language,
            input_ids=tokens,
            attention_mask=mask.long(),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )


class EncodedPrompts:
    """Prompts that an encoder has read once, right-padded; the decoder has read its first tokens."""

    def __init__(self, language: LanguageModel, prompts: Sequence[Tokens], room: int, limit: int) -> None:
        self.language = language
        width = max(len(prompt) for prompt in prompts)
        self.mask = padded(prompts, width, language.device, left=False)[1]
        self.cache = EncodedCache(len(prompts), width, len(language.prefix), room)
        self.hidden_size = 0
        batches = batches_of_rows([len(prompt) for prompt in prompts], limit)
        self.first = torch.cat([self._read(prompts[rows], rows) for rows in batches])

    def _read(self, prompts: Sequence[Tokens], rows: slice) -> torch.Tensor:
        width = max(len(prompt) for prompt in prompts)
        tokens, mask = padded(prompts, width, self.language.device, left=False)
        hidden = self.language.model.get_encoder()(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        self.hidden_size = hidden.shape[-1]
        start = torch.tensor([self.language.prefix] * len(prompts), device=tokens.device)
        return self._call(start, mask, self.cache.prefill(rows, width), hidden)[:, -1]

    def decode(self, step: int, tokens: torch.Tensor) -> torch.Tensor:
        """See `CausalPrompts`."""
        return self._call(tokens[:, None], self.mask, self.cache.decode(step), None)[:, -1]

    def respond(self, rows: Sequence[int], tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See `CausalPrompts`."""
        chosen = torch.tensor(rows, device=tokens.device)
        return self._call(tokens, self.mask[chosen], self.cache.branch(rows), None)

    def _call(
        self, tokens: torch.Tensor, mask: torch.Tensor, cache: object, hidden: torch.Tensor | None
    ) -> torch.Tensor:
        """Without `hidden` the decoder finds the encoder's keys and values in the cache and reads only the shape of its output."""
        if hidden is None:
            # expanded, not made: the decoder reads its shape, and no memory is taken for it
            shape = (*mask.shape, self.hidden_size)
            hidden = torch.zeros((1, 1, 1), dtype=self.first.dtype, device=mask.device).expand(shape)
        return call(
            self.language,
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
            attention_mask=mask.long(),
            decoder_input_ids=tokens,
            past_key_values=cache,
            use_cache=True,
        )


Prompted = CausalPrompts | EncodedPrompts
"""Prompts that the model has read."""
