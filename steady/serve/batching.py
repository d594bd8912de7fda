"""One model thread behind a bounded queue: prompts of many requests are scored together, never on the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest

from steady.records import Prediction

Score = Callable[[Sequence[str]], list[Prediction]]
Unit = tuple[str, str]  # the name of an arm, a prompt


class Full(Exception):  # noqa: N818 - it is an answer, not a fault
    """As many requests as the queue takes are waiting or being answered."""


class Closed(Exception):  # noqa: N818
    """The server is shutting down, or the model failed."""


@dataclass(eq=False)
class Ticket:
    """A request in the queue; `left` are its units that no batch has answered yet."""

    units: list[Unit]
    future: "asyncio.Future[dict[Unit, Prediction]]"
    left: dict[Unit, None] = field(default_factory=dict)
    found: dict[Unit, Prediction] = field(default_factory=dict)


class Batcher:
    """Scores prompts of whoever asks, batched by arm, oldest request first; equal prompts of a batch are scored once.

    `scores`, what each arm says to a list of prompts, and `on_batch`, which is told the arm, the number of prompts and the seconds
    of every batch, are called on one thread only; `capacity` requests may wait or be answered at a time.
    """

    def __init__(
        self,
        scores: Mapping[str, Score],
        capacity: int,
        batch_size: int,
        on_batch: Callable[[str, int, float], None] = lambda arm, prompts, seconds: None,
    ) -> None:
        self.capacity = capacity
        self._scores, self._batch_size, self._on_batch = scores, batch_size, on_batch
        self._tickets: dict[Ticket, None] = {}
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Requests that wait or are being answered."""
        return len(self._tickets)

    @property
    def full(self) -> bool:
        """Whether a request that came now would be refused."""
        return len(self._tickets) >= self.capacity

    @property
    def alive(self) -> bool:
        """Whether the model's thread takes work."""
        return self._open and self._thread.is_alive()

    async def answers(self, units: Iterable[Unit]) -> dict[Unit, Prediction]:
        """The predictions of some prompts, unless the queue is `Full` or `Closed`. Cancelling the call frees its place at once."""
        asked = list(dict.fromkeys(units))
        with self._changed:
            if not self._open:
                raise Closed
            if self.full:
                raise Full
            ticket = Ticket(asked, asyncio.get_running_loop().create_future(), dict.fromkeys(asked))
            self._tickets[ticket] = None
            self._changed.notify()
        try:
            return await ticket.future
        finally:
            with self._changed:
                self._tickets.pop(ticket, None)

    def close(self) -> None:
        """Take no more work, let the running batch end, and tell whoever still waits."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next():
            arm, prompts = batch
            started = time.perf_counter()
            try:
                predictions = self._scores[arm](prompts)
            except Exception as error:  # whatever a model throws must not leave the callers waiting
                with self._changed:
                    for ticket in self._tickets:
                        if any((arm, prompt) in ticket.left for prompt in prompts):
                            # its other batches would be scored for nothing
                            ticket.left.clear()
                            _tell(ticket, None, error)
                continue
            self._on_batch(arm, len(prompts), time.perf_counter() - started)
            found = dict(zip(prompts, predictions, strict=True))
            with self._changed:
                for ticket in self._tickets:
                    mine = [unit for unit in ticket.left if unit[0] == arm and unit[1] in found]
                    for unit in mine:
                        ticket.found[unit] = found[unit[1]]
                        del ticket.left[unit]
                    if mine and not ticket.left:
                        _tell(ticket, ticket.found, None)
        with self._changed:
            for ticket in self._tickets:
                _tell(ticket, None, Closed())

    def _next(self) -> tuple[str, list[str]] | None:
        """The arm of the oldest waiting prompt, and a batch of prompts for it, requests taking turns; None when closed."""
        with self._changed:
            # in a loop, since another thread may be woken first and leave nothing to do
            while self._open and not any(ticket.left for ticket in self._tickets):
                self._changed.wait()
            if not self._open:
                return None
            arm = next(unit[0] for ticket in self._tickets for unit in ticket.left)
            waiting = [[prompt for name, prompt in ticket.left if name == arm] for ticket in self._tickets]
            # a prompt of each request in turn: a large request does not hold up the small ones behind it
            in_turn = (prompt for row in zip_longest(*waiting) for prompt in row if prompt is not None)
            return arm, list(islice(dict.fromkeys(in_turn), self._batch_size))


def _tell(ticket: Ticket, found: dict[Unit, Prediction] | None, error: Exception | None) -> None:
    """Hand a result to the event loop of the caller, unless the caller has left."""

    def settle() -> None:
        # the caller was cancelled between the batch and this turn of its loop
        if ticket.future.done():
            return
        if error is not None:
            ticket.future.set_exception(error)
        else:
            ticket.future.set_result(found or {})

    try:
        ticket.future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:  # that loop is closed: nobody waits
        return
