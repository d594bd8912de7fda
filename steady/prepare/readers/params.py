"""The settings of a data source: one entry of `data.sources`."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from steady.parameters import Section
from steady.prepare import formats
from steady.records import Split

if TYPE_CHECKING:
    Format = str
else:
    Format = Literal[formats.names()]  # one format, one file: the names are those of the modules
Column = str | Annotated[int, Field(ge=0)]


class SourceParams(Section):
    """Where rows are and what they hold. `path` is relative to the repository: a file (plain, `.gz`, `.zst` or `.zip`), a
    folder, a pattern such as `raw/*.jsonl`, or `hub:OWNER/NAME`.

    Attributes:
        name: what groups belong to; sources of one name share their groups. Default: the path, and one name for all
            sources with a given `split`.
        split: keep the rows in this split.
        weight: with weights, rows are sampled so that the sources' shares are as their weights, none repeated.
        max_rows: at most so many rows, sampled by group.
        leave_out: codes of findings whose rows are left out and counted, rather than rejected.
        columns: field of the format to column (a name, a dotted path, or a number from 0), or columns to be joined.
        records: the key of a JSON document that holds the rows, dotted where it lies deeper; or the key of each split, such as
            `{train: train, validation: val, test: test}`.
        header: whether a table's first row names its columns; null: found out.
        quoting: whether `"` quotes cells.
        classes: names of classes given by number, the first of which is `first_class`.
        label_separator: what stands between the labels in one cell.
        separator: `text`: what stands between prompt and answer; null: all of it is the answer.
        keep_separator: `text`: whether the prompt ends with the separator (white space before it included), as its cue.
        prompt_prefix: `text`: what the prompt begins with and is left out, such as "Instruct: ".
        languages: keep rows of these languages (codes such as en).
        tasks: natural-instructions: a file that names the tasks to keep, one a line.
        instances: natural-instructions: only the first so many of each task (100: the official evaluation slice).
        learned_turns: conversations: the last answer is learned, or every one, each after the turns before it. Turns that the data
            mark (`weight: 0`, `train: false`) are not learned in either case.
        threads: oasst: each root question and its answer, or whole conversations.
        answers: oasst: follow the best-ranked answer, or all.
        config, revision, hub_split: `hub:`: as `datasets.load_dataset` takes them.
    """

    path: Annotated[str, Field(min_length=1)]
    format: Format
    name: str | None = None
    split: Split | None = None
    weight: Annotated[float, Field(gt=0)] | None = None
    max_rows: Annotated[int, Field(gt=0)] | None = None
    leave_out: tuple[str, ...] = ()
    columns: dict[str, Column | list[Column]] = Field(default={})
    join: str = "\n"
    records: str | None = None
    header: bool | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quoting: bool = True
    encoding: str = "utf-8"
    classes: tuple[str, ...] | None = None
    first_class: Literal[0, 1] = 0
    label_separator: Annotated[str, Field(min_length=1)] | None = None
    separator: Annotated[str, Field(min_length=1)] | None = None
    keep_separator: bool = False
    prompt_prefix: str | None = None
    languages: tuple[str, ...] | None = None
    tasks: str | None = None
    instances: Annotated[int, Field(gt=0)] | None = None
    learned_turns: Literal["last", "all"] = "last"
    threads: Literal["pairs", "conversations"] = "pairs"
    answers: Literal["best", "all"] = "best"
    config: str | None = None
    revision: str | None = None
    hub_split: str = "train"

    @property
    def named_columns(self) -> list[Column]:
        """Every column that `columns` names, by name or number."""
        return [name for value in self.columns.values() for name in (value if isinstance(value, list) else [value])]

    @model_validator(mode="after")
    def _encoding_exists(self) -> Self:
        try:
            "".encode(self.encoding)
        except LookupError as error:
            raise ValueError(
                f"`encoding`: Python knows no {self.encoding!r}; say utf-8, latin-1, cp1252, utf-16 …"
            ) from error
        return self
