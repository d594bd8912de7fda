"""What `python -m steady inspect` shows: rendered prompts, token by token, with what is cut and what is masked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.format.formatted import SPLITS
from steady.format.lengths import summary, tokenizer_file
from steady.inspection.answers import AnswerView, answer_pieces, framed, limit
from steady.parameters import read_params
from steady.prompts.bank import Bank, task_bank
from steady.prompts.families.paraphrase import with_paraphrases
from steady.prompts.params import FormatStage
from steady.prompts.render import applies, render
from steady.records import CANONICAL, Example, Split, Wording, read_records

Piece = tuple[str, dict[str, Any]]
CLASSIFIES = "SEQ_CLS"
CUT = {"fg": "red", "strikethrough": True}
SPECIAL = {"fg": "cyan", "dim": True}
HEAD = {"bold": True}
NOTE = {"dim": True}
TURNS = ({"fg": "green"}, {"fg": "yellow"})


@dataclass(frozen=True)
class Inspection:
    """Examples, the wordings asked for, and the tokenizer, which needs no model library; `answers` of a model that generates."""

    params: FormatStage
    bank: Bank | None
    examples: Mapping[Split, list[Example]]
    split: Split
    wordings: list[Wording]
    tokenizer: Any
    answers: AnswerView | None = None

    def chosen(self, ids: Sequence[str], rows: int) -> list[Example]:
        """The examples named, or the first `rows` of the split.

        Raises:
            SteadyError: no split has such an example.
        """
        if not ids:
            return self.examples[self.split][:rows]
        order = [self.split, *(name for name in SPLITS if name != self.split)]
        everything = [example for name in order for example in self.examples[name]]
        found = []
        for name in ids:
            match = [one for one in everything if one.id.startswith(name) or one.group_id.startswith(name)]
            if not match:
                raise SteadyError(f"no example {name!r} in {', '.join(order)}. Such ids are: {everything[0].id}, …")
            found.append(match[0])
        return found

    def wordings_of(self, example: Example) -> Iterator[Wording]:
        """The wordings asked for that the example can be put in."""
        return (wording for wording in self.wordings if applies(example, wording, self.bank))


def open_inspection(params: Path, prepared: Path, listed: Path, split: Split, asked: Sequence[str]) -> Inspection:
    """Read the settings, the splits and the wordings.

    Raises:
        SteadyError: a file is missing or faulty, or there is no such wording.
    """
    from tokenizers import Tokenizer

    view = read_params(params, FormatStage)
    bank = task_bank(view.format.wordings, view.data.labels, multi_label=view.data.multi_label)
    wordings = {wording.id: wording for wording in read_records(listed, Wording)}
    examples = {name: with_paraphrases(read_records(prepared / f"{name}.jsonl", Example)) for name in SPLITS}
    path = tokenizer_file(view.model.id, view.model.revision, view.model.gguf_file)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    answers = read_params(params, AnswerView)
    tokenizer.encode_special_tokens = answers.model.task != CLASSIFIES  # then text never becomes a control token
    chosen = _asked(wordings, asked or (CANONICAL,))
    return Inspection(
        view, bank, examples, split, chosen, tokenizer, answers if answers.model.task != CLASSIFIES else None
    )


def _asked(wordings: dict[str, Wording], asked: Sequence[str]) -> list[Wording]:
    found: dict[str, Wording] = {}
    for name in asked:
        match = {key: one for key, one in wordings.items() if name in (key, one.family, "all")}
        if not match:
            families = ", ".join(dict.fromkeys(one.family for one in wordings.values()))
            raise SteadyError(f"no wording {name!r}. Give `all`, a family ({families}) or an id of the wordings' file.")
        found |= match
    return list(found.values())


def shown_row(inspection: Inspection, example: Example, wording: Wording) -> Iterator[Piece]:
    """Text and style, piece by piece: a heading, the prompt in tokens, the target, the lengths."""
    prompt = render(example, wording, inspection.bank)
    encoding = inspection.tokenizer.encode(prompt)
    most = inspection.params.format.max_length
    yield (
        f"{example.id}  {example.split}  {wording.id}  ({wording.level}, {'trained' if wording.trained else 'held out'})\n",
        HEAD,
    )
    yield f"{example.source}:{example.line}\n", NOTE
    if inspection.answers is not None:
        yield from _generated_row(inspection, inspection.answers, prompt, example.output)
        return
    yield from pieces(prompt, encoding, most)
    yield "\n", {}
    yield "target: ", NOTE
    yield f"{example.output}\n", HEAD
    yield f"{_lengths(encoding, most)}; the loss sees the label alone: every token of the prompt is masked\n", NOTE


def _generated_row(inspection: Inspection, view: AnswerView, prompt: str, answer: str) -> Iterator[Piece]:
    """The rest of a row of a model that generates."""
    most = limit(view, inspection.params.data.labels, inspection.params.format.max_length)
    encoding = inspection.tokenizer.encode(prompt, add_special_tokens=not view.model.chat_template)
    yield from framed(view, lambda: pieces(prompt, encoding, most, from_start=view.model.task == "CAUSAL_LM"))
    yield "\n", {}
    yield from answer_pieces(view, prompt, answer, most)


def _lengths(encoding: Any, most: int) -> str:
    count, special = len(encoding.ids), sum(encoding.special_tokens_mask)
    cut = max(0, count - most)
    told = f"CUT: {cut} of them are beyond {most}" if cut else f"nothing is cut (at most {most})"
    return f"{count} tokens, {special} of them special; {told}"


def pieces(prompt: str, encoding: Any, most: int, *, from_start: bool = False) -> Iterator[Piece]:
    """The prompt in the pieces that the tokenizer makes of it; its words stand as they are, between them what it drops.

    A cut prompt keeps its last special tokens and loses the words before them, as truncation in training does; one that is cut
    `from_start` loses its first tokens.
    """
    tail = 0
    while tail < len(encoding.ids) and encoding.special_tokens_mask[len(encoding.ids) - 1 - tail]:
        tail += 1
    kept = most - tail
    last, end = len(encoding.ids) - tail, 0
    for place, (token, (start, stop)) in enumerate(zip(encoding.tokens, encoding.offsets, strict=True)):
        if encoding.special_tokens_mask[place]:
            yield (prompt[end:] if place == last and end else "") + f"⟨{token}⟩", SPECIAL
            continue
        beyond = place < len(encoding.ids) - most if from_start else place >= kept and len(encoding.ids) > most
        yield prompt[end:start], {}
        yield prompt[start:stop], dict(CUT if beyond else {**TURNS[place % 2], "underline": True})
        end = stop
    if not tail:
        yield prompt[end:], {}


def lengths_table(inspection: Inspection) -> str:
    """Tokens of every prompt of the split, a line for each wording asked for."""
    lines = [f"{'wording':<48} {'prompts':>7} {'mean':>7} {'p95':>7} {'max':>5} {'cut':>5}"]
    for wording in inspection.wordings:
        rows = [row for row in inspection.examples[inspection.split] if applies(row, wording, inspection.bank)]
        encoded = inspection.tokenizer.encode_batch([render(row, wording, inspection.bank) for row in rows])
        if not encoded:
            continue
        found = summary([len(one.ids) for one in encoded], inspection.params.format.max_length)
        name = wording.id if len(wording.id) <= 48 else wording.id[:47] + "…"
        lines.append(
            f"{name:<48} {found['prompts']:>7} {found['mean']:>7} {found['p95']:>7} {found['max']:>5} {found['truncated']:>5}"
        )
    return "\n".join(lines)
