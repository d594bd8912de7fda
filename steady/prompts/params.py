"""The typed settings of the format stage: section `format`, and what it reads of `data`, `model` and `sensitivity`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from steady.parameters import LabelList, PartOfSection, Section, StageParams
from steady.prompts import families

if TYPE_CHECKING:
    Family = str
else:
    Family = Literal[families.names()]  # one family, one file: the names are those of the modules


class FormatParams(Section):
    """Section `format`.

    `wordings` is the bank of templates, null where each example brings its own instruction. `max_length` counts tokens,
    special ones included. `formats`, `orders` and `spelling_seeds` say how many wordings are made: per pool of the format
    grammar, in all, and per spelling operator and strength. One in `canonical_every` scheduled wordings is the canonical one.
    `seed` draws the schedule and nothing else, so that training seeds share their prompts.
    """

    wordings: Path | None
    max_length: int = Field(ge=8)
    trained_families: tuple[Family, ...] = Field(min_length=1)
    wordings_per_example: int = Field(ge=1)
    canonical_every: int = Field(ge=2)
    validation_wordings: int = Field(ge=0)
    spelling_strengths: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)  # counts of words
    spelling_seeds: int = Field(ge=2)
    formats: int = Field(ge=1)
    orders: int = Field(ge=2)
    seed: int

    @field_validator("trained_families", "spelling_strengths")
    @classmethod
    def _each_once(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) != len(values):
            raise ValueError("names something twice")
        return values


class PromptLength(PartOfSection):
    """What training reads of section `format`, so that another key of it reruns no training unless it changes a file."""

    max_length: int = Field(ge=8)


class SensitivityDraw(PartOfSection):
    """What the format stage reads of section `sensitivity`: which groups are reworded how; other keys are not its own.

    The `test_groups` are of the test split, or of the validation split where settings of a method are chosen.
    `wordings_per_family` wordings are drawn for each family, in equal parts from its levels. Every group is asked under
    `wordings_per_group` of them, the groups taking turns, so that all wordings have nearly equally many groups; null: under all.
    """

    families: tuple[Family, ...] = Field(min_length=1)
    split: Literal["validation", "test"]
    test_groups: int = Field(ge=1)
    train_groups: int = Field(ge=0)
    wordings_per_family: int = Field(ge=1)
    wordings_per_group: int | None = Field(ge=1)
    seed: int

    @field_validator("wordings_per_group")
    @classmethod
    def _within_the_family(cls, count: int | None, read: ValidationInfo) -> int | None:
        drawn = read.data.get("wordings_per_family")
        if count is not None and drawn is not None and count > drawn:
            raise ValueError(f"more than wordings_per_family, {drawn}")
        return count


class LabelNames(PartOfSection):
    """What is read of section `data` after the prepare stage."""

    labels: LabelList
    multi_label: bool = False


class TokenizerName(PartOfSection):
    """What the format stage reads of section `model`."""

    id: str
    revision: str | None
    gguf_file: str | None = None


class FormatStage(StageParams):
    """The view of `params.yaml` that the format stage has."""

    data: LabelNames
    model: TokenizerName
    format: FormatParams
    sensitivity: SensitivityDraw
