"""What the arms say to a text under each wording, and how far they say the same."""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from steady.records import Prediction
from steady.serve.arms import Length, ReadyArm
from steady.serve.phrasing import Phrasing


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One arm's answer to one prompt.

    The label and `label_logprobs` of a classifier are those of the offline predictions; the logarithms may differ by up to 1e-5
    nats (float32) where a prompt is scored among other prompts or on another kind of processor.
    Where an answer may have several labels, `label` joins them by ", " and `probability` is that of the whole set.
    A model that generates has a `text`. With labels, `label` is its choice among them and `probability` that of the choice;
    without, `label` is the text and `probability` that of the whole text.
    `read_tokens` of the prompt's `prompt_tokens` were read: fewer where it is longer than the arm takes.
    """

    wording: str
    label: str
    probability: float
    label_logprobs: list[float]
    text: str | None = None
    prompt_tokens: int
    read_tokens: int


def answer(wording: str, prediction: Prediction, length: Length) -> Answer:
    """What to show of a prediction; the probability is rounded to 6 digits as its logarithm is."""
    generated = bool(prediction.token_ids)
    choice = max(prediction.label_logprobs) if generated and prediction.label_logprobs else prediction.logprob
    return Answer(
        wording=wording,
        label=prediction.text if prediction.parsed is None else prediction.parsed,
        probability=round(math.exp(choice or 0.0), 6),
        label_logprobs=prediction.label_logprobs,
        text=prediction.text if generated else None,
        prompt_tokens=length.prompt,
        read_tokens=length.read,
    )


def ask(
    arms: Sequence[ReadyArm], phrasing: Phrasing, texts: Sequence[str], wordings: Sequence[str]
) -> list[dict[str, list[Answer]]]:
    """For each text: arm -> its answers in the order of `wordings`."""
    prompts = [phrasing.prompt(text, wording) for text in texts for wording in wordings]
    names = list(wordings) * len(texts)
    columns = {}
    for arm in arms:
        found = zip(names, arm.predict(prompts), arm.lengths(prompts), strict=True)
        columns[arm.name] = [answer(*one) for one in found]
    width = len(wordings)
    return [
        {name: column[row * width : (row + 1) * width] for name, column in columns.items()} for row in range(len(texts))
    ]


def agreement(answers: Sequence[Answer]) -> float | None:
    """Equal pairs of answers among all pairs (Elazar et al. 2021), None for fewer than two answers."""
    count = len(answers)
    if count < 2:
        return None
    equal = sum(votes * (votes - 1) for votes in Counter(item.label for item in answers).values())
    return round(equal / (count * (count - 1)), 6)
