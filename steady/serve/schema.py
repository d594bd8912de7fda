"""What goes over the wire: the request, the answer and the error, as pydantic models that OpenAPI documents."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from steady.records import CANONICAL
from steady.serve.answers import Choice

LONGEST_TEXT = 8_000  # characters; longer than any prompt that the models read
MOST_TEXTS = 32
MOST_PROMPTS = 512  # texts x wordings x arms of one request

Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S")]


class ArmAnswer(BaseModel):
    """An arm's answers to one text. `agreement`: equal pairs among all pairs of wordings, 1 for a single wording."""

    answers: list[Choice]
    agreement: float = Field(ge=0, le=1)


class TextAnswer(BaseModel):
    """All arms' answers to one text, and what they were asked: one prompt for each wording, in order."""

    prompts: list[str]
    arms: dict[str, ArmAnswer]


class Answered(BaseModel):
    """The answer to a request: one entry for each text, in order."""

    labels: list[str]
    results: list[TextAnswer]


class Fault(BaseModel):
    """Why a request was refused: `code` is stable, `message` is for people."""

    code: str
    message: str = Field(max_length=1000)


class Refused(BaseModel):
    """The body of every answer that is no success."""

    error: Fault


class WordingChoice(BaseModel):
    """A wording that a request may name."""

    id: str
    family: str
    level: Literal["L0", "L1", "L2"]
    trained: bool


class Choices(BaseModel):
    """What a request may name, and whether an answer may have several labels, joined by ", "."""

    labels: list[str]
    multi_label: bool
    arms: list[str]
    wordings: list[WordingChoice]


class Health(BaseModel):
    """Whether the server answers, and how many requests it has at the moment."""

    status: Literal["ok"]
    pending: int
    capacity: int


def request_model(arms: Sequence[str], wordings: Sequence[str]) -> Any:
    """The type of a request, with the arms and wordings of this server as its allowed values."""
    arm_name = Literal[tuple(arms)]  # type: ignore[valid-type]
    wording_name = Literal[tuple(wordings)]  # type: ignore[valid-type]
    asked = Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)]
    return create_model(
        "Question",
        __config__=ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "My card was charged twice"}]}),
        __doc__="One text or many, for some arms (all of them if none is named) under some wordings (the canonical one).",
        text=(Text | asked, Field(description="a text, or a list of texts")),
        arms=(
            list[arm_name],  # type: ignore[valid-type]
            Field(default=list(arms), min_length=1, max_length=len(arms), description="whom to ask"),
        ),
        wordings=(
            list[wording_name],  # type: ignore[valid-type]
            Field(default=[CANONICAL], min_length=1, max_length=len(wordings), description="in which wordings"),
        ),
    )
