"""The section `data` of `params.yaml`, and what the stage prepare reads."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from steady.labels import NO_LABELS, ambiguous
from steady.parameters import LabelList, Section, StageParams
from steady.prepare.readers.params import SourceParams

# Strict: 1 is a count and 1.0 a share, and neither may be turned into the other.
Rows = Annotated[int, Field(ge=0, strict=True)]
Share = Annotated[float, Field(ge=0, le=1)]


class DataParams(Section):
    """What is read, what is allowed and how it is split; sizes are counts (integers) or shares of the rows (fractions).

    Attributes:
        labels: the classes of a label task; null: those that occur, sorted.
        train_rows, validation_rows, test_rows: of the rows whose source has no `split`. Where every source has one, counts are the
            most rows of a split, and shares leave the splits as they came; where none is for validation, its rows are taken from
            the train rows.
        max_rejected: so many rows, or such a share of those read, may be rejected; more stop the stage.
        multi_label: whether a row may have several labels, or none; `labels` then names them all.
        max_groups, max_rows: at most so many, sampled; null: all.
        near_duplicate_threshold: texts whose words and pairs of neighbouring words have this Jaccard similarity stay in one
            split; null: not looked for.
        seed: draws samples and splits; it is not the seed of training, so that training seeds share their rows.
    """

    sources: tuple[SourceParams, ...]
    labels: LabelList = None
    train_rows: Rows | Share
    validation_rows: Rows | Share
    test_rows: Rows | Share
    max_rejected: Rows | Share = 0
    max_groups: Annotated[int, Field(gt=0)] | None = None
    max_rows: Annotated[int, Field(gt=0)] | None = None
    multi_label: bool = False
    near_duplicate_threshold: Annotated[float, Field(gt=0, le=1)] | None = 0.8
    seed: int = 0

    @field_validator("sources", mode="before")
    @classmethod
    def _a_source_for_each_part(cls, sources: Any) -> Any:
        """`records: {train: rows, test: dev}` names the part of a document that holds each split: a source for each."""
        if not isinstance(sources, list | tuple):
            return sources
        found: list[Any] = []
        for source in sources:
            parts = source.get("records") if isinstance(source, dict) else None
            each = parts.items() if isinstance(parts, dict) else ()
            found += [source | {"split": split, "records": key} for split, key in each] or [source]
        return found

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.sources:
            raise ValueError(
                "`sources` is empty; name at least one file: - {path: data/raw/rows.jsonl, format: text-label}"
            )
        # One label leaves nothing to decide.
        if self.labels is not None and len(set(self.labels)) != max(len(self.labels), 2):
            raise ValueError("`labels` must be two or more different names, or null to take those of the data")
        if not self.multi_label:
            return self
        if self.labels is None:
            raise ValueError(
                "`labels` is null; with `multi_label: true` it names all labels, in the order of the answers"
            )
        if strange := ambiguous(self.labels):
            raise ValueError(
                f"`labels`: an answer of several labels is written `a, b`, and `{NO_LABELS}` where it has none, so with "
                f"`multi_label: true` no label has a comma or is called so, got {strange[0]!r}; rename it"
            )
        return self


class PrepareParams(StageParams):
    """What the stage prepare reads of `params.yaml`."""

    data: DataParams
