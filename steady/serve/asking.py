"""The `predict` command: texts in, every arm's answers out, side by side."""

import json
import queue
import sys
import textwrap
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from steady.errors import SteadyError
from steady.parameters import read_params
from steady.records import CANONICAL
from steady.serve.answers import Choice, agreement, answer
from steady.serve.arms import AskParams, ReadyArm, current_bank, load_arms, read_arm
from steady.serve.phrasing import Phrasing, chosen_wordings, make_phrasing
from steady.serve.rows import SUFFIXES, Row, read_rows, write_rows

BATCH = 64
SHOWN = 60
LINE = 120
Answers = dict[str, list[Choice]]


@dataclass(frozen=True)
class Asker:
    """Arms that are loaded, the wordings there are, and those that were asked for."""

    arms: list[ReadyArm]
    phrasing: Phrasing
    wordings: list[str]

    def ask(self, texts: Sequence[str]) -> list[Answers]:
        """For each text: arm -> an answer for each wording."""
        prompts = [self.phrasing.prompt(text, wording) for text in texts for wording in self.wordings]
        names, width = self.wordings * len(texts), len(self.wordings)
        columns = {}
        for arm in self.arms:
            found = zip(names, arm.predict(prompts), arm.lengths(prompts), strict=True)
            columns[arm.name] = [answer(*one) for one in found]
        starts = range(0, len(prompts), width)
        return [{name: column[start : start + width] for name, column in columns.items()} for start in starts]


@dataclass(frozen=True)
class Request:
    """What the command was called with: texts, a file, or neither (standard input)."""

    texts: Sequence[str]
    source: Path | None
    column: str | None
    out: Path | None
    as_json: bool


def spare_quantisation(params: Path) -> None:
    """Make Python answer that there is no bitsandbytes, unless the model is quantised: its import is a third of the start.

    For a process that only asks; it cannot load a quantised model afterwards.
    """
    if read_params(params, AskParams).model.quantization == "none":
        sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]


def open_asker(params: Path, models: Path, listed: Path, arms: Sequence[str], wordings: Sequence[str]) -> Asker:
    """Check the settings, the arms (all of `params.yaml` where none is named) and their prompts, and only then load the weights."""
    view = read_params(params, AskParams)
    if strangers := [name for name in arms if name not in view.arms]:
        raise SteadyError(f"no arm {strangers[0]!r}. There are: {', '.join(view.arms)}.")
    names = list(dict.fromkeys(arms)) or list(view.arms)
    bank = current_bank(view, models / names[0])
    # what can be wrong is looked for before the weights are loaded, which takes longest
    recorded = [read_arm(models / name, bank) for name in names]
    phrasing = make_phrasing(recorded, bank, listed)
    chosen = [wording.id for wording in chosen_wordings(phrasing.wordings, wordings)]
    return Asker(load_arms(recorded, view), phrasing, chosen)


def predict(asker: Asker, request: Request) -> Iterator[str]:
    """The lines to print; texts of standard input are answered as they come, many at a time when many have come."""
    if request.source is not None:
        yield from _file(asker, request)
        return
    if request.out is not None:
        raise SteadyError("--out goes with --in FILE; texts and standard input are answered on standard output.")
    chunks = [list(request.texts)] if request.texts else as_they_come(sys.stdin, BATCH)
    for number, texts in enumerate(chunks):
        if blank := [text for text in texts if not text.strip()]:
            raise SteadyError(f"an empty text: {blank[0]!r}. Give a text, or lines on standard input.")
        answered = asker.ask(texts)
        if not request.as_json and number == 0 and len(asker.wordings) == 1 and not written(answered[0]):
            # each column as wide as a label and its probability
            widths = [len(label) for label in asker.arms[0].labels] + [len(arm.name) - 5 for arm in asker.arms]
            yield "  ".join([*(f"{arm.name:<{max(widths) + 5}}" for arm in asker.arms), "text"])
        for text, answers in zip(texts, answered, strict=True):
            yield from shown(request, text, answers)


def shown(request: Request, text: str, answers: Answers) -> Iterator[str]:
    """The lines of one text: JSON, generated texts in columns, or labels in a table."""
    if request.as_json:
        yield as_json(text, answers)
    else:
        yield from columns(text, answers) if written(answers) else table(text, answers)
        yield from cut(answers)


def cut(answers: Answers) -> Iterator[str]:
    """A line for each prompt that an arm did not read to its end."""
    for name, column in answers.items():
        for item in column:
            if item.read_tokens < item.prompt_tokens:
                yield f"  cut: {name} read {item.read_tokens} of the {item.prompt_tokens} tokens of the prompt ({item.wording})"


def written(answers: Answers) -> bool:
    """Whether the arms answer by text of their own."""
    return any(item.text is not None for column in answers.values() for item in column)


def as_they_come(lines: Iterable[str], most: int) -> Iterator[list[str]]:
    """Lines in lists of what has arrived, at most `most`; blank ones are left out. Reading goes on while a list is used."""
    # bounded, so that a large file on standard input is not held in memory while the model works
    arrived: queue.Queue[str | None] = queue.Queue(maxsize=4 * most)
    faults: list[UnicodeDecodeError] = []

    def read() -> None:
        try:
            for line in lines:
                if line.strip():
                    arrived.put(line.rstrip("\r\n"))
        except UnicodeDecodeError as error:
            faults.append(error)
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    ended = False
    while not ended:
        chunk = [arrived.get()]
        while chunk[-1] is not None and len(chunk) < most and not arrived.empty():
            chunk.append(arrived.get())
        ended = chunk[-1] is None
        if texts := [line for line in chunk if line is not None]:
            yield texts
    if faults:
        raise SteadyError(f"standard input is not UTF-8: {faults[0]}.")


def table(text: str, answers: Answers) -> Iterator[str]:
    """One line for one wording; a line for each wording, and the agreement of each arm, for several."""
    columns = list(answers.values())
    several = len(columns[0]) > 1
    width = max(len(item.label) for column in columns for item in column)
    width = max([width, *(len(name) - 5 for name in answers), *([len("agreement")] * several)])
    shown = " ".join(text.split())
    shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
    if several:
        yield "  ".join([*(f"{name:<{width + 5}}" for name in answers), f"wording of: {shown}"])
    for row in zip(*columns, strict=True):
        cells = [f"{item.label:<{width}} {item.probability:.2f}" for item in row]
        yield "  ".join([*cells, row[0].wording if several else shown])
    if several:
        cells = [f"{'agreement':<{width}} {agreement(column) or 0:.2f}" for column in columns]
        yield "  ".join([*cells, f"of {len(columns[0])} wordings"])


def columns(text: str, answers: Answers) -> Iterator[str]:
    """Generated texts side by side, a column for each arm: for each wording the text and, below it, the choice among labels."""
    # narrower columns break every word
    width = max(24, LINE // len(answers) - 3)
    yield "> " + " ".join(text.split())
    yield " | ".join(f"{name:<{width}}" for name in answers).rstrip()
    for row in zip(*answers.values(), strict=True):
        if row[0].wording != CANONICAL:
            yield f"({row[0].wording})"
        cells = []
        for item in row:
            parts = (item.text or "(nothing)").splitlines()
            lines = [line for part in parts for line in textwrap.wrap(part, width) or [""]]
            cells.append([*lines, *[f"= {item.label} {item.probability:.2f}"] * bool(item.label_logprobs)])
        for line in zip_longest(*cells, fillvalue=""):
            yield " | ".join(f"{part:<{width}}" for part in line).rstrip()
    yield ""


def as_json(text: str, answers: Answers) -> str:
    """One JSON line: the text, and for each arm its answers and their agreement."""
    found = {}
    for name, column in answers.items():
        # a classifier writes no text
        shown = [{key: value for key, value in vars(item).items() if value is not None} for item in column]
        found[name] = {"answers": shown, "agreement": agreement(column)}
    return json.dumps({"text": text, "arms": found}, ensure_ascii=False)


def _file(asker: Asker, request: Request) -> Iterator[str]:
    assert request.source is not None
    # before any work is done
    if request.out is not None and request.out.suffix not in SUFFIXES:
        raise SteadyError(f"{request.out}: --out ends in {' or '.join(SUFFIXES)}, got {request.out.suffix!r}.")
    rows, texts = read_rows(request.source, request.column)
    answered = [answers for start in range(0, len(texts), BATCH) for answers in asker.ask(texts[start : start + BATCH])]
    if request.out is None:
        for text, answers in zip(texts, answered, strict=True):
            yield from shown(request, text, answers)
        return
    pairs = zip(rows, answered, strict=True)
    write_rows(request.out, [line for row, found in pairs for line in with_answers(row, found)])
    shortened = sum(any(True for _ in cut(answers)) for answers in answered)
    read = f"; the prompts of {shortened} rows were cut (columns ending in `_read_tokens`)" if shortened else ""
    yield f"{len(rows)} rows of {request.source} under {len(asker.wordings)} wording(s), written to {request.out}{read}"


def with_answers(row: Row, answers: Answers) -> Iterator[Row]:
    """The row once for each wording, with every arm's label and probability, and the agreement where there are several."""
    for place, first in enumerate(next(iter(answers.values()))):
        found: Row = {**row, "wording": first.wording}
        for name, column in answers.items():
            item = column[place]
            found |= {f"{name}_label": item.label, f"{name}_probability": item.probability}
            found |= {f"{name}_prompt_tokens": item.prompt_tokens, f"{name}_read_tokens": item.read_tokens}
            if item.text is not None:
                found[f"{name}_text"] = item.text
            if len(column) > 1:
                found[f"{name}_agreement"] = agreement(column)
        yield found
