"""Keys and values of many prompts in one buffer: written once, read for every response.

Prompts lie right-aligned in `width` slots with `room` slots behind them, so that one buffer serves prompts of any length, the
tokens generated after them, and every response to be scored. All layers keep every position: a model with a sliding window
takes it from its mask.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer, EncoderDecoderCache

Tensors = tuple[torch.Tensor, torch.Tensor]
Starts = Sequence[tuple[slice, int]]
"""Runs of rows, and the slot at which the prompts of each begin."""


class Store:
    """Keys and values of one layer, `(rows, heads, slots, size)`, made at the first write."""

    def __init__(self, rows: int, slots: int) -> None:
        self.rows, self.slots = rows, slots
        self.parts: Tensors | None = None

    def write(self, rows: slice, slots: slice, new: Tensors) -> None:
        """Copy keys and values `(some rows, heads, some slots, size)` into place."""
        if self.parts is None:
            shapes = [(self.rows, part.shape[1], self.slots, part.shape[3]) for part in new]
            self.parts = (new[0].new_zeros(shapes[0]), new[1].new_zeros(shapes[1]))
        for store, part in zip(self.parts, new, strict=True):
            store[rows, :, slots] = part

    def read(self, rows: slice, slots: slice) -> Tensors:
        """Views of what was written."""
        assert self.parts is not None
        return self.parts[0][rows, :, slots], self.parts[1][rows, :, slots]

    @property
    def position_bytes(self) -> int:
        """Bytes of one position of one prompt."""
        return sum(part[0, :, 0].numel() * part.element_size() for part in self.parts or ())


def _branch(store: torch.Tensor, rows: Sequence[int], slots: slice, room: int) -> torch.Tensor:
    """Copies of chosen rows with `room` empty slots behind them; a run of one row is copied by broadcast, once."""
    width = slots.stop - slots.start
    branched = store.new_empty((len(rows), store.shape[1], width + room, store.shape[3]))
    start = 0
    for place, row in enumerate(rows):
        if place + 1 == len(rows) or rows[place + 1] != row:
            # broadcast to the whole run: the responses of a prompt lie beside one another
            branched[start : place + 1, :, :width] = store[row, :, slots]
            start = place + 1
    return branched


class _Layer(DynamicLayer):  # type: ignore[misc]
    """A cache layer whose keys lie in a `Store`; `past` positions come before those of the forward pass."""

    def __init__(self, store: Store, past: int) -> None:
        super().__init__()
        self.store, self.past = store, past

    def get_seq_length(self) -> int:
        return self.past

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.past + query_length, 0


class _Written(_Layer):
    """Writes a range of rows and slots, and shows the model `first` up to what it wrote. `shared` is a `Store` of one row, the
    beginning of all prompts, and the slot at which each run of rows begins; written last, for padding lies where prompts begin.
    """

    def __init__(
        self, store: Store, rows: slice, slots: slice, first: int, shared: "tuple[Store, Starts] | None" = None
    ) -> None:
        super().__init__(store, slots.start - first)
        self.rows, self.slots, self.first, self.shared = rows, slots, first, shared

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Tensors:
        self.store.write(self.rows, self.slots, (key_states, value_states))
        if self.shared:
            beginning, starts = self.shared
            assert beginning.parts is not None
            for rows, start in starts:
                self.store.write(rows, slice(start, start + beginning.slots), beginning.parts)
        if not self.past:
            return key_states, value_states
        return self.store.read(self.rows, slice(self.first, self.slots.stop))


class _Branched(_Layer):
    """Shows the model chosen rows of the prompts with its own tokens behind them, and keeps nothing."""

    def __init__(self, store: Store, rows: Sequence[int], slots: slice) -> None:
        super().__init__(store, slots.stop - slots.start)
        self.rows, self.slots = rows, slots

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Tensors:
        assert self.store.parts is not None
        keys, values = (_branch(part, self.rows, self.slots, key_states.shape[2]) for part in self.store.parts)
        keys[:, :, self.past :] = key_states
        values[:, :, self.past :] = value_states
        return keys, values


class _Crossed(_Layer):
    """Keys and values of the encoder for chosen rows (None: all), copied out of the store when a layer asks for them."""

    def __init__(self, store: Store, rows: Sequence[int] | None) -> None:
        self.rows = rows
        super().__init__(store, store.slots)

    @property
    def keys(self) -> torch.Tensor:
        return self._chosen(0)

    @keys.setter
    def keys(self, value: None) -> None:
        """`CacheLayerMixin` sets it to None."""

    @property
    def values(self) -> torch.Tensor:
        return self._chosen(1)

    @values.setter
    def values(self, value: None) -> None:
        """`CacheLayerMixin` sets it to None."""

    def _chosen(self, part: int) -> torch.Tensor:
        assert self.store.parts is not None
        whole = self.store.parts[part]
        return whole if self.rows is None else _branch(whole, self.rows, slice(0, self.store.slots), 0)


class PromptCache:
    """Keys and values of `rows` prompts in all layers: `width` slots for the prompt, `room` for what is generated.
    `shared` holds the one beginning of all prompts, read before them; None where they have none in common.
    """

    def __init__(self, rows: int, width: int, room: int, shared: "PromptCache | None" = None) -> None:
        self.rows, self.width, self.room, self.shared = rows, width, room, shared
        # made at the first pass, for the model knows its layers; before it where a model has to know what is there already
        self.stores: list[Store] = [Store(rows, width + room) for _ in shared.stores] if shared else []

    def prefill(self, rows: slice, tokens: int, starts: Starts = ()) -> Cache:
        """A cache for one pass over the last positions of the prompts in `rows`, right-aligned.

        Args:
            tokens: of the longest of these prompts, what is shared included.
            starts: where the prompts begin, for a cache with a shared beginning; the pass is over what follows it.
        """
        read = self.shared.width if self.shared else 0
        first, slots = self.width - tokens, slice(self.width - tokens + read, self.width)

        def layer(place: int) -> _Layer:
            shared = (self.shared.stores[place], starts) if self.shared else None
            return _Written(self.stores[place], rows, slots, first, shared)

        # the first pass tells how many layers there are; later ones write into what it made
        if self.stores:
            return Cache(layers=[layer(place) for place in range(len(self.stores))])

        def grown() -> _Layer:
            self.stores.append(Store(self.rows, self.width + self.room))
            return layer(len(self.stores) - 1)

        return Cache(layer_class_to_replicate=grown)

    def decode(self, step: int) -> Cache:
        """A cache for one token of every prompt, `step` tokens (from 0) behind the prompt."""
        slots = slice(self.width + step, self.width + step + 1)
        return Cache(layers=[_Written(store, slice(0, self.rows), slots, 0) for store in self.stores])

    def branch(self, rows: Sequence[int], tokens: int) -> Cache:
        """A cache for responses: the last `tokens` slots of the prompts in `rows`, one row for each response."""
        slots = slice(self.width - tokens, self.width)
        return Cache(layers=[_Branched(store, rows, slots) for store in self.stores])


class EncodedCache:
    """A `PromptCache` for the decoder's first tokens beside the encoder's keys and values, `(rows, …, width, …)`."""

    def __init__(self, rows: int, width: int, prefix: int, room: int) -> None:
        self.rows, self.width = rows, width
        self.decoder = PromptCache(rows, prefix, room)
        self.encoder: list[Store] = []

    def prefill(self, rows: slice, tokens: int) -> EncoderDecoderCache:
        """A cache for one pass of the decoder's first tokens over `tokens` encoded positions of the prompts in `rows`."""
        slots = slice(0, tokens)
        if self.encoder:
            crossed = Cache(layers=[_Written(store, rows, slots, 0) for store in self.encoder])
        else:

            def grown() -> _Layer:
                self.encoder.append(Store(self.rows, self.width))
                return _Written(self.encoder[-1], rows, slots, 0)

            crossed = Cache(layer_class_to_replicate=grown)
        return EncoderDecoderCache(self.decoder.prefill(rows, self.decoder.width), crossed)

    def decode(self, step: int) -> EncoderDecoderCache:
        """A cache for one token of every prompt, `step` tokens (from 0) behind the decoder's first."""
        return EncoderDecoderCache(self.decoder.decode(step), self._crossed(None))

    def branch(self, rows: Sequence[int]) -> EncoderDecoderCache:
        """A cache for responses: one row for each, of the prompts in `rows`."""
        return EncoderDecoderCache(self.decoder.branch(rows, self.decoder.width), self._crossed(rows))

    def _crossed(self, rows: Sequence[int] | None) -> Cache:
        return Cache(layers=[_Crossed(store, rows) for store in self.encoder])
