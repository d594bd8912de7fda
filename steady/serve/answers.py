"""What the arms say to a text under each wording, and how far they say the same."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from steady.records import Prediction
from steady.serve.arms import Length


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One arm's answer under one wording; `label_logprobs` are natural logarithms in the order of `labels`; `text` is what a
    model that generates wrote, null for a classifier, and `label` the same text where the answers are open. Where an answer
    may have several labels, `label` joins them by ", ", `probability` is that of the set, and `label_logprobs` are of each label.
    Of a prompt that is longer than the arm takes only `read_tokens` of its `prompt_tokens` were read.
    """

    wording: str
    label: str
    probability: Annotated[float, Field(ge=0, le=1)]
    label_logprobs: list[float]
    text: str | None = None
    prompt_tokens: Annotated[int, Field(ge=1)]
    read_tokens: Annotated[int, Field(ge=1)]


def answer(wording: str, prediction: Prediction, length: Length) -> Choice:
    """What to show of a prediction; the probability is rounded to 6 digits as its logarithm is.

    The label and logarithms of a classifier are those of the offline predictions; the logarithms may differ by up to 1e-5 nats
    (float32) where a prompt is scored among other prompts or on another kind of processor.
    """
    generated = bool(prediction.token_ids)
    # of a model that generates and has labels, the choice among them and not the text
    choice = max(prediction.label_logprobs) if generated and prediction.label_logprobs else prediction.logprob
    return Choice(
        wording=wording,
        label=prediction.text if prediction.parsed is None else prediction.parsed,
        probability=round(math.exp(choice or 0.0), 6),
        label_logprobs=prediction.label_logprobs,
        text=prediction.text if generated else None,
        prompt_tokens=length.prompt,
        read_tokens=length.read,
    )


def agreement(answers: Sequence[Choice]) -> float | None:
    """Equal pairs of answers among all pairs (Elazar et al. 2021), None for fewer than two answers."""
    count = len(answers)
    if count < 2:
        return None
    equal = sum(votes * (votes - 1) for votes in Counter(item.label for item in answers).values())
    return round(equal / (count * (count - 1)), 6)
