"""The whole way from a file and a model to files of paraphrases."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steady.errors import SteadyError
from steady.inference.progress import progress_bar
from steady.paraphrase.drawing import Sampling
from steady.paraphrase.judging import Filters
from steady.paraphrase.models import open_encoder, open_generator
from steady.paraphrase.originals import read_given
from steady.paraphrase.writing import (
    Tools,
    find_paraphrases,
    paraphrase_rows,
    rejected_rows,
    write_bank,
    write_json_lines,
)

if TYPE_CHECKING:
    from steady.inference.named import Named


@dataclass(frozen=True)
class Order:
    """What to paraphrase and where to: `held_out` is a share, `every` wording of a group or the first."""

    source: Path
    out: Path
    cache: Path
    held_out: float
    every: bool
    encoder: str


def paraphrase(order: Order, named: "Named", sampling: Sampling, filters: Filters) -> Iterator[str]:
    """Read, draw, judge, write; the lines that say what came of it.

    Raises:
        SteadyError: the file, the model or the request is at fault.
    """
    # the source stays as it is, so that the next call reads the same
    if order.out.suffix != ".jsonl" or order.out.resolve() == order.source.resolve():
        raise SteadyError(f"--out {order.out}: give a new file that ends in .jsonl.")
    given = read_given(order.source, order.every)
    yield f"{order.source}: {len(given.originals)} texts, {sampling.samples} samples of each"
    embed = open_encoder(order.encoder, named.device)
    source, generate = open_generator(named, sampling)
    tools = Tools(source, sampling, generate, embed, filters, order.cache)
    found = find_paraphrases(given, tools, lambda all_of: progress_bar(all_of, "paraphrasing", "text"))
    rows = paraphrase_rows(given, found, tools, order.held_out)
    rejected = order.out.with_name(f"{order.out.stem}.rejected.jsonl")
    write_json_lines(order.out, rows)
    write_json_lines(rejected, rejected_rows(found, tools))
    counts = found.counts
    yield f"{found.from_cache} of {len(given.originals)} texts were drawn before ({order.cache})"
    yield f"{counts.total()} samples: " + ", ".join(f"{code} {count}" for code, count in counts.items())
    yield f"wrote {order.out} ({len(rows)} rows), {rejected}"
    if given.bank:
        bank = order.out.with_suffix(".yaml")
        write_bank(bank, given, rows)
        yield f"wrote {bank}: the bank with {len(rows)} more templates; name it in format.wordings"
