"""The settings of a data source: one entry of `data.sources`."""

from typing import Literal

from steady.parameters import Section

Format = Literal["text-label", "question-answer", "instruction-output-group"]


class SourceParams(Section):
    """A file and what is in it; `path` is relative to the repository."""

    path: str
    format: Format
