"""What `inspect` shows for a model that generates: the prompt with its frame, what is cut of it, and the answer that is learned."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict

from steady.inference.arm import prompt_limit
from steady.models.load import load_tokenizer
from steady.models.params import ModelParams
from steady.models.tokenizer import answer_ids, chat_frame, prompt_ids
from steady.parameters import Section, StageParams

Piece = tuple[str, dict[str, Any]]
FRAME = {"fg": "cyan", "dim": True}
NOTE = {"dim": True}
LEARNED = ({"fg": "magenta", "underline": True}, {"fg": "blue", "underline": True})


class LossOn(Section):
    """What inspecting reads of section `sft`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    completion_only_loss: bool = True


class AnswerView(StageParams):
    """What inspecting reads of the model beside the prompts."""

    model: ModelParams
    sft: LossOn = LossOn()


@lru_cache(maxsize=1)
def _tokenizer(params: ModelParams) -> Any:
    return load_tokenizer(params)


def limit(view: AnswerView, labels: tuple[str, ...] | None, max_length: int) -> int:
    """The most tokens of a prompt."""
    return prompt_limit(_tokenizer(view.model), view.model, labels or (), max_length)


def framed(view: AnswerView, prompt: Callable[[], Iterator[Piece]]) -> Iterator[Piece]:
    """The pieces of a prompt within what the chat template puts around it, where there is one."""
    if not view.model.chat_template:
        yield from prompt()
        return
    frame = chat_frame(_tokenizer(view.model))
    yield frame.before, FRAME
    yield from prompt()
    yield frame.after, FRAME


def answer_pieces(view: AnswerView, prompt: str, answer: str, most: int) -> Iterator[Piece]:
    """The answer token by token, the end token included, and what the loss sees."""
    tokenizer, task = _tokenizer(view.model), view.model.task
    asked = prompt_ids(tokenizer, task, prompt, view.model.chat_template)
    ids = answer_ids(tokenizer, task, answer, prompt, view.model.chat_template)
    yield "answer: ", NOTE
    for place, token in enumerate(ids[:-1]):
        yield tokenizer.decode([token]), dict(LEARNED[place % 2])
    yield f"⟨{tokenizer.eos_token}⟩\n", FRAME
    cut = max(0, len(asked) - most)
    told = f"CUT: {cut} of them, for {most} are allowed" if cut else f"nothing is cut (at most {most})"
    kept = len(asked) - cut
    masked = (
        f"all {kept} of the prompt are masked"
        if view.sft.completion_only_loss or task == "SEQ_2_SEQ_LM"
        else "none is masked"
    )
    yield f"{len(asked)} tokens of the prompt; {told}; {len(ids)} of the answer, the end included; {masked}\n", NOTE
