"""Read `params.yaml` and check what a stage uses of it; all faults are reported in one message.

The typed sections live beside the code that they configure; a stage's view is a `StageParams` subclass with one field for
each top-level section it reads.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from steady.errors import SteadyError

SECTIONS = (
    "seed",
    "model",
    "data",
    "format",
    "arms",
    "none",
    "full",
    "probe",
    "lora",
    "train",
    "sft",
    "dpo",
    "grpo",
    "consistency",
    "evaluate",
    "sensitivity",
    "compare",
    "runtime",
)


class Section(BaseModel):
    """Base of every section of `params.yaml`: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class PartOfSection(Section):
    """What one stage reads of a section; a change of the other keys is then no reason to run it again."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


def _words(labels: Any) -> Any:
    # YAML reads `true` as a truth value; as a label it is that word.
    return [str(label).lower() if isinstance(label, bool) else label for label in labels] if labels else labels


LabelList = Annotated[tuple[str, ...] | None, BeforeValidator(_words)]
"""The key `data.labels`."""


class Runtime(Section):
    """Section `runtime`: what cannot change results, so no stage tracks it.

    `device` is `auto` or a torch device; `device_map: auto` spreads a model over all that there are. `report_to` names trackers
    that log the training beside DVCLive.
    """

    device: str
    progress: bool
    device_map: Literal["auto"] | None = None
    report_to: tuple[Literal["trackio", "wandb", "mlflow", "tensorboard"], ...] = ()


class StageParams(BaseModel):
    """Base of a stage's view of `params.yaml`: sections of other stages are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


Params = TypeVar("Params", bound=StageParams)


def read_params(path: Path, view: type[Params]) -> Params:
    """Parse YAML 1.2 (so `1e-4` is a number) and validate the sections that `view` names; a SteadyError lists every fault."""
    values = read_yaml(path, "no such file. Run from the repository's root, or pass --params.")
    if not isinstance(values, dict):
        expected = f"a mapping of sections ({', '.join(SECTIONS)})"
        raise SteadyError(f"{path}: expected {expected}, got {type(values).__name__}.")
    # A misspelt section would show as a missing one alone, or not at all where nobody reads it.
    faults = [_unknown(name, SECTIONS) for name in values if name not in SECTIONS]
    try:
        params = view.model_validate(values)
    except ValidationError as error:
        faults += faults_of(error, view)
    if faults:
        raise SteadyError("\n".join(f"{path}: {fault}" for fault in faults))
    return params


def faults_of(error: ValidationError, view: type[BaseModel]) -> list[str]:
    """A line for each value that a view refuses: its place, the reason, and what was got or is allowed."""
    faults = []
    for item in error.errors():
        place = ".".join(map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            *parents, name = item["loc"]
            faults.append(f"{'.'.join(map(str, parents))}: {_unknown(str(name), _keys(view, parents))}")
        else:
            faults.append(f"`{place}`: {item['msg']}, got {item['input']!r}.")
    return faults


def read_yaml(path: Path, missing: str, *, with_lines: bool = False) -> Any:
    """The content of a YAML 1.2 file; SteadyError where it is no YAML or, with the words `missing`, where it is not there.

    With `with_lines` mappings know the line of every key (`mapping.lc`).
    """
    if not path.is_file():
        raise SteadyError(f"{path}: {missing}")
    try:
        # Only the pure loader of ruamel reads YAML 1.2; in YAML 1.1, `1e-4` is a text and `no` is false.
        return YAML(typ="rt" if with_lines else "safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise SteadyError(f"{path}: not YAML: {error}") from error


def _unknown(name: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return f"unknown key `{name}`.{hint} Allowed: {', '.join(allowed)}."


def _keys(view: type[BaseModel], parents: list[Any]) -> tuple[str, ...]:
    """The keys allowed at a place: walks annotations; list indices and mapping keys are passed through."""
    kind: Any = view
    for part in parents:
        kind = kind.model_fields[part].annotation if _is_section(kind) and part in kind.model_fields else kind
        # `X | None`, tuples and mappings hold the section among their arguments.
        kind = next(filter(_is_section, getattr(kind, "__args__", ())), kind)
    return tuple(kind.model_fields) if _is_section(kind) else ()


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
