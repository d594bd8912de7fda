"""The typed settings of what is measured: section `evaluate`, and what measuring reads of section `sensitivity`."""

from pydantic import Field

from steady.parameters import PartOfSection, Section

# Of fewer draws the tails of a 95 % interval hold one or two.
MINIMUM_DRAWS = 100


class EvaluateParams(Section):
    """Section `evaluate`: prompts per batch, and the bootstrap draws and the confidence of every interval.

    For a model that generates also the longest answer in tokens, the words of a short answer (those of at most
    `within_words` are counted), and a file of the user's own `prompts` to answer.
    """

    batch_size: int = Field(ge=1)
    bootstrap_draws: int = Field(ge=MINIMUM_DRAWS)
    confidence: float = Field(gt=0, lt=1)
    max_new_tokens: int = Field(ge=1, default=64)
    within_words: int = Field(ge=1, default=30)
    prompts: str | None = None


class Confidence(PartOfSection):
    """What the sensitivity stage reads of section `evaluate`."""

    batch_size: int = Field(ge=1)
    max_new_tokens: int = Field(ge=1, default=64)
    confidence: float = Field(gt=0, lt=1)


class SensitivityDraws(PartOfSection):
    """What the sensitivity stage reads of section `sensitivity`: the bootstrap draws of its intervals."""

    bootstrap_draws: int = Field(ge=MINIMUM_DRAWS)
