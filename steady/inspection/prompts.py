"""What `python -m steady inspect` shows: rendered prompts, token by token, with what is cut and what the loss masks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from steady.errors import SteadyError
from steady.format.formatted import SPLITS, read_splits, task_labels
from steady.format.lengths import load_tokenizer_file, summary, tokenizer_file
from steady.inference.arm import prompt_limit
from steady.models.chat import chat_frame
from steady.models.load import load_tokenizer
from steady.models.params import ModelParams
from steady.models.tokenizer import answer_ids, prompt_ids
from steady.parameters import Section, StageParams, read_params
from steady.prompts.bank import Bank, task_bank
from steady.prompts.params import FormatStage
from steady.prompts.render import applies, render
from steady.records import Example, Split, Wording, read_records
from steady.serve.phrasing import chosen_wordings

# Text, and how `click.style` shows it
Piece = tuple[str, dict[str, Any]]
CUT = {"fg": "red", "strikethrough": True}
SPECIAL = {"fg": "cyan", "dim": True}
HEAD = {"bold": True}
NOTE = {"dim": True}
TOKENS = ({"fg": "green", "underline": True}, {"fg": "yellow", "underline": True})
LEARNED = ({"fg": "magenta", "underline": True}, {"fg": "blue", "underline": True})


class LossOn(Section):
    """What inspecting reads of section `sft`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    completion_only_loss: bool = True


class ModelView(StageParams):
    """What inspecting reads beside the settings of the format stage."""

    model: ModelParams
    sft: LossOn = LossOn()

    @property
    def generates(self) -> bool:
        """Whether the model writes its answers."""
        return self.model.task != "SEQ_CLS"


@dataclass(frozen=True)
class Inspection:
    """Examples, the wordings that were selected, and the model's tokenizer, which needs no model library."""

    params: FormatStage
    view: ModelView
    bank: Bank | None
    examples: Mapping[Split, list[Example]]
    split: Split
    wordings: list[Wording]
    tokenizer: Any

    @cached_property
    def generating_tokenizer(self) -> Any:
        """The tokenizer as training and scoring of a model that generates have it; loaded when it is needed."""
        return load_tokenizer(self.view.model)

    @cached_property
    def most_tokens(self) -> int:
        """The length at which a prompt is cut; a model that generates needs room for its answer too."""
        limit = self.params.format.max_length
        if not self.view.generates:
            return limit
        return prompt_limit(self.generating_tokenizer, self.view.model, self.params.data.labels or (), limit)

    def select(self, ids: Sequence[str], rows: int) -> list[Example]:
        """The examples whose id or group begins with one of `ids` (SteadyError without any), or the first `rows` of the split."""
        if not ids:
            return self.examples[self.split][:rows]
        # an id that was copied from a page may be of another split; the one that was asked for comes first
        order = [self.split, *(name for name in SPLITS if name != self.split)]
        every = [example for name in order for example in self.examples[name]]
        selected = []
        for name in ids:
            match = next((one for one in every if one.id.startswith(name) or one.group_id.startswith(name)), None)
            if match is None:
                raise SteadyError(f"no example {name!r} in {', '.join(order)}. Such ids are: {every[0].id}, …")
            selected.append(match)
        return selected

    def wordings_of(self, example: Example) -> Iterator[Wording]:
        """The selected wordings that the example can be put in."""
        return (wording for wording in self.wordings if applies(example, wording, self.bank))


def open_inspection(params: Path, prepared: Path, listed: Path, split: Split, selectors: Sequence[str]) -> Inspection:
    """Read the settings, the splits and, from `listed` (`wordings.jsonl` of the format stage), the wordings.

    `selectors` are ids of wordings, families, or `all`; without any it is the canonical wording. SteadyError where a file is
    missing or faulty, or there is no such wording.
    """
    settings, view = read_params(params, FormatStage), read_params(params, ModelView)
    examples = read_splits(prepared)
    labels = task_labels(settings, examples)
    bank = task_bank(settings.format.wordings, labels, multi_label=settings.data.multi_label)
    model = settings.model
    tokenizer = load_tokenizer_file(tokenizer_file(model.id, model.revision, model.gguf_file))
    # A prompt of a model that generates may quote a control token, which then is text like any other.
    tokenizer.encode_special_tokens = view.generates
    selected = chosen_wordings({wording.id: wording for wording in read_records(listed, Wording)}, selectors)
    return Inspection(settings, view, bank, examples, split, selected, tokenizer)


def shown_row(inspection: Inspection, example: Example, wording: Wording) -> Iterator[Piece]:
    """Text and style, piece by piece: a heading, the prompt in tokens, the target, the lengths."""
    prompt = render(example, wording, inspection.bank)
    use = "trained" if wording.trained else "held out"
    yield f"{example.id}  {example.split}  {wording.id}  ({wording.level}, {use})\n", HEAD
    yield f"{example.source}:{example.line}\n", NOTE
    if inspection.view.generates:
        yield from _generating(inspection, prompt, example.output)
        return
    encoding, most = inspection.tokenizer.encode(prompt), inspection.most_tokens
    yield from pieces(prompt, encoding, most)
    yield "\ntarget: ", NOTE
    yield f"{example.output}\n", HEAD
    count, special = len(encoding.ids), sum(encoding.special_tokens_mask)
    cut = f"CUT: {count - most} of them are beyond {most}" if count > most else f"nothing is cut (at most {most})"
    masked = "the loss sees the label alone: every token of the prompt is masked"
    yield f"{count} tokens, {special} of them special; {cut}; {masked}\n", NOTE


def _generating(inspection: Inspection, prompt: str, answer: str) -> Iterator[Piece]:
    """The prompt within its chat template, where there is one, the answer with its end token, and what the loss sees."""
    tokenizer, model, most = inspection.generating_tokenizer, inspection.view.model, inspection.most_tokens
    frame = chat_frame(tokenizer) if model.chat_template else None
    if frame:
        yield frame.before, SPECIAL
    encoding = inspection.tokenizer.encode(prompt, add_special_tokens=not frame)
    # A decoder loses the start of a long prompt, since the question stands at its end.
    yield from pieces(prompt, encoding, most, from_start=model.task == "CAUSAL_LM")
    if frame:
        yield frame.after, SPECIAL
    length = len(prompt_ids(tokenizer, model.task, prompt, model.chat_template))
    ids = answer_ids(tokenizer, model.task, answer, prompt, model.chat_template)
    yield "\n", {}
    yield "answer: ", NOTE
    for place, token in enumerate(ids[:-1]):
        yield tokenizer.decode([token]), dict(LEARNED[place % 2])
    yield f"⟨{tokenizer.eos_token}⟩\n", SPECIAL
    cut = f"nothing is cut (at most {most})"
    if length > most:
        cut = f"CUT: {length - most} of them, for {most} are allowed"
    # A model of two halves reads the prompt in its encoder, where there is no loss.
    prompt_masked = inspection.view.sft.completion_only_loss or model.task == "SEQ_2_SEQ_LM"
    masked = f"all {min(length, most)} of the prompt are masked" if prompt_masked else "none is masked"
    yield f"{length} tokens of the prompt; {cut}; {len(ids)} of the answer, the end included; {masked}\n", NOTE


def pieces(prompt: str, encoding: Any, most: int, *, from_start: bool = False) -> Iterator[Piece]:
    """The prompt in the pieces that the tokenizer makes of it; its words stand as they are, between them what it drops.

    A cut prompt keeps its last special tokens and loses the words before them, as truncation in training does; one that is cut
    `from_start` loses its first tokens.
    """
    count = len(encoding.ids)
    tail = 0
    # special tokens at the end are kept when a prompt is cut, so they are not among the words that go
    while tail < count and encoding.special_tokens_mask[count - 1 - tail]:
        tail += 1
    end = 0
    for place, (token, (start, stop)) in enumerate(zip(encoding.tokens, encoding.offsets, strict=True)):
        if encoding.special_tokens_mask[place]:
            yield (prompt[end:] if place == count - tail and end else "") + f"⟨{token}⟩", SPECIAL
            continue
        beyond = place < count - most if from_start else place >= most - tail and count > most
        # White space between tokens, which a tokenizer of whole words drops.
        yield prompt[end:start], {}
        yield prompt[start:stop], dict(CUT if beyond else TOKENS[place % 2])
        end = stop
    if not tail:
        yield prompt[end:], {}


def lengths_table(inspection: Inspection) -> str:
    """Tokens of every prompt of the split, a line for each selected wording."""
    lines = [f"{'wording':<48} {'prompts':>7} {'mean':>7} {'p95':>7} {'max':>5} {'cut':>5}"]
    for wording in inspection.wordings:
        rows = [row for row in inspection.examples[inspection.split] if applies(row, wording, inspection.bank)]
        encoded = inspection.tokenizer.encode_batch([render(row, wording, inspection.bank) for row in rows])
        # a wording that applies to no row has no lengths
        if encoded:
            found = summary([len(one.ids) for one in encoded], inspection.params.format.max_length)
            name = wording.id if len(wording.id) <= 48 else wording.id[:47] + "…"
            row = {"name": name, **found}
            lines.append("{name:<48} {prompts:>7} {mean:>7} {p95:>7} {max:>5} {truncated:>5}".format(**row))
    return "\n".join(lines)
