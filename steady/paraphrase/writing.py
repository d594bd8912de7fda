"""Paraphrases as files: rows of groups or a bank with more templates, what was rejected, and where each came from."""

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from steady.paraphrase.drawing import Generate, Sampling, Source, draw_texts
from steady.paraphrase.judging import Embed, Filters, Judged, judge
from steady.paraphrase.originals import Given, Original, Row, text_key
from steady.records import write_bytes


class Tools(NamedTuple):
    """What draws texts and what compares them, and where draws are kept."""

    source: Source
    sampling: Sampling
    generate: Generate
    embed: Embed
    filters: Filters
    cache: Path


class Found(NamedTuple):
    """The verdicts on the draws of each original, and how many originals were in the cache."""

    judged: list[tuple[Original, list[Judged]]]
    from_cache: int

    @property
    def counts(self) -> Counter[str]:
        """Draws by verdict; `kept` first."""
        codes = Counter(item.code or "kept" for _, items in self.judged for item in items)
        return Counter({"kept": codes.pop("kept", 0), **dict(sorted(codes.items()))})


def find_paraphrases(given: Given, tools: Tools, progress: Callable[[Iterable[Original]], Iterable[Original]]) -> Found:
    """Draw and judge for every original; paraphrases of one group never repeat each other."""
    judged, cached = [], 0
    kept: dict[str, list[str]] = {}
    for original in progress(given.originals):
        # the templates of a bank are wordings of one task, so all of them share what was kept
        shared = kept.setdefault("" if given.bank else original.name, [])
        draws, known_before = draw_texts(original.text, tools.source, tools.sampling, tools.generate, tools.cache)
        items = judge(original.text, draws, [*original.known, *shared], tools.filters, tools.embed)
        shared += [item.text for item in items if item.code is None]
        judged.append((original, items))
        cached += known_before
    return Found(judged, cached)


def paraphrase_rows(given: Given, found: Found, tools: Tools, held_out: float) -> list[Row]:
    """The rows that came, then the paraphrases with their provenance, `held_out` of them for testing; of a bank, templates alone."""
    rows: list[Row] = [dict(row) for row in given.rows]
    # reversed, so that the first row of a group decides
    keys = {str(row["group_id"]): text_key(row) for row in reversed(given.rows)}
    taken = set(given.bank.templates) if given.bank else set()
    for original, items in found.judged:
        for item in items:
            if item.code is not None:
                continue
            # drawn by the text itself: a paraphrase more or less moves no other one between training and test
            draw = random.Random(f"{tools.sampling.seed}:held-out:{original.name}:{item.text}").random()
            kept_back = draw < held_out or original.held_out
            said = provenance(original, item, tools)
            if not given.bank:
                text = {keys[original.name]: item.text}
                rows.append({**text, **original.shared, "held_out": kept_back, "paraphrase": said})
                continue
            name = f"{original.name}-model-{item.sample + 1}"
            # the bank may have been paraphrased before
            while name in taken:
                name += "b"
            taken.add(name)
            split = "held_out" if kept_back else "trained"
            template = {"id": name, "kind": "model", "split": split, **original.shared, "template": item.text}
            rows.append(template | {"paraphrase": said})
    return rows


def provenance(original: Original, item: Judged, tools: Tools) -> Row:
    """Where a text came from: enough to draw it again."""
    source, sampling = tools.source, tools.sampling
    return {
        "of": original.text,
        "model": source.model,
        "revision": source.revision,
        "weights": source.weights,
        "chat_template": source.chat,
        "ask": sampling.ask,
        "sampling": {name: value for name, value in vars(sampling).items() if name != "ask"},
        "sample": item.sample,
        "similarity": item.similarity,
        "distance": item.distance,
    }


def rejected_rows(found: Found, tools: Tools) -> list[Row]:
    """Every draw that was rejected, with the reason."""
    return [
        {"name": original.name, "text": item.text, "code": item.code, "reason": item.reason}
        | {"paraphrase": provenance(original, item, tools)}
        for original, items in found.judged
        for item in items
        if item.code is not None
    ]


def write_json_lines(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as JSON Lines, atomically."""
    write_bytes(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def write_bank(path: Path, given: Given, rows: Sequence[Row]) -> None:
    """The bank as it was, comments and all, with the templates of `rows` below its own."""
    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import LiteralScalarString

    yaml = YAML()
    # no folded line and no other quotes: a diff shows what is new
    yaml.width = 4096
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(given.path.read_text(encoding="utf-8"))
    # each template has its slots: a slot is a span that `judge` wants unchanged
    for row in rows:
        fields = {key: value for key, value in row.items() if key not in {"paraphrase", "template"}}
        content["wordings"].append({**fields, "template": LiteralScalarString(row["template"])})
    stream = io.StringIO()
    yaml.dump(content, stream)
    write_bytes(path, stream.getvalue().encode())
