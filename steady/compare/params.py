"""The typed settings of the compare stage: section `compare`, the seed, and the names of the arms."""

from pydantic import Field

from steady.metrics.params import MINIMUM_DRAWS
from steady.parameters import Section, StageParams


class CompareParams(Section):
    """Section `compare`: the level of the tests (intervals have confidence 1 - alpha), permutations and bootstrap draws."""

    alpha: float = Field(gt=0, lt=0.5)
    permutations: int = Field(ge=MINIMUM_DRAWS)
    bootstrap_draws: int = Field(ge=MINIMUM_DRAWS)


class CompareStage(StageParams):
    """The view of `params.yaml` that the compare stage has; of `arms` it reads the names, in their order."""

    seed: int
    arms: dict[str, object] = Field(min_length=1)
    compare: CompareParams
