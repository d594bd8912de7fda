"""Scoring in bundles: what is done is kept and not done again, and several processes each score some of the bundles."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.inference.classifier import Logits, in_batches
from steady.inference.progress import progress_bar
from steady.models.ranks import go_on_alone, my_places, rank, size
from steady.scoring.resume import Partial

Part = TypeVar("Part", bound=msgspec.Struct)


class TextLogits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The logits of a classifier for one text; `prompt_id` is the text."""

    prompt_id: str
    logits: list[float]


def in_parts(
    score: Callable[[int], list[Part]],
    asked: Sequence[Sequence[str]],
    kind: type[Part],
    partial: Partial,
    progress: bool,
) -> list[list[Part]]:
    """The records of every bundle, in order.

    The bundles are cut once, whatever the number of processes, and each is scored by one of them: the bytes are the same for one
    process and for many. They pass through the files of `partial`, which also let a stopped run go on. `score` gives the records of a
    bundle by its number; `asked` are the ids of the prompts of each, with which kept records have to agree.

    Raises:
        SteadyError: a process did not see what another one has written.
        ShareDone: in the processes other than 0, when all bundles are scored.
    """
    if size() > 1 and partial.folder is None:
        raise SteadyError("Several processes exchange what they scored by files, and this run keeps none.")
    found: dict[int, list[Part]] = {}
    mine = my_places(len(asked))
    for number in progress_bar(mine, "scoring", "bundle", progress and rank() == 0):
        # saved under the number of the bundle: the plan depends only on what the name of the folder is a digest of
        kept = partial.kept(number, kind, asked[number])
        if kept is None:
            kept = score(number)
            partial.keep(number, kept)
        found[number] = kept
    go_on_alone()
    for number in sorted(set(range(len(asked))) - set(mine)):
        kept = partial.kept(number, kind, asked[number])
        if kept is None:
            raise SteadyError(
                f"{partial.folder}: bundle {number} of another process is not there, or is damaged. The repository has to lie on a "
                "disk that all machines share. Run the same command again."
            )
        found[number] = kept
    return [found[number] for number in range(len(asked))]


def shared_logits(score: Logits, texts: Sequence[str], batch_size: int, partial: Partial, progress: bool) -> Logits:
    """What scores `texts` in process 0, after all processes have scored some batches of them each; a stopped run goes on from the
    batches that are kept. See `in_batches` for the arguments and `in_parts` for ShareDone.
    """
    if size() == 1 and partial.folder is None:
        return score
    batches: list[list[str]] = []

    def note(batch: list[str]) -> NDArray[np.float32]:
        batches.append(batch)
        return np.zeros((len(batch), 1), dtype=np.float32)

    in_batches(note, texts, batch_size)  # which batches there are; nothing is scored yet

    def score_batch(number: int) -> list[TextLogits]:
        rows = zip(batches[number], score(batches[number]), strict=True)
        return [TextLogits(prompt_id=text, logits=[float(value) for value in row]) for text, row in rows]

    parts = in_parts(score_batch, batches, TextLogits, partial, progress)
    known = {one.prompt_id: one.logits for part in parts for one in part}
    return lambda batch: np.asarray([known[text] for text in batch], dtype=np.float32)
