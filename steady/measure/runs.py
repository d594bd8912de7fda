"""A folder that holds one measurement: what was asked, the prompts, the answers, the matrices, what was left out."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from steady.errors import SteadyError
from steady.measure.prompt_files import AskedPrompt
from steady.measure.subject import Facts
from steady.metrics.matrices import ScoredGroup, read_matrices, write_matrices
from steady.records import Prediction, Rejected, read_records, write_bytes, write_json, write_records

RUN, NOTES, PROMPTS, PREDICTIONS = "run.json", "notes.json", "prompts.jsonl", "predictions.jsonl"
MATRICES, SKIPPED, REPEATS = "matrices.safetensors", "skipped.jsonl", "repeats.jsonl"
PARTS = "parts"
Content = TypeVar("Content")


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What was asked of whom: the same settings give the same numbers; `precision` and `seed` are of a run that stops early.

    `facts` are those of the subject (see `steady.measure.subject`), `prompts` is a digest of the prompts.
    """

    subject: str
    facts: Facts
    prompts: str
    precision: float | None = None
    seed: int | None = None

    @property
    def key(self) -> str:
        """One digest of them all."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()


def open_run(folder: Path, settings: RunSettings) -> bool:
    """Begin a run in `folder`, or go on with the same one; true when it is finished. SteadyError names how another run differs."""
    path = folder / RUN
    if not path.is_file():
        # never write into a folder that holds something else
        if folder.is_dir() and any(folder.iterdir()):
            raise SteadyError(f"{folder}: not empty, and no run of `measure` ({RUN} is missing). Choose another --out.")
        write_bytes(path, msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n")
    found = read_settings(folder)
    if found != settings:
        # facts stand beside the other settings, each under its own name
        was, now = ({**msgspec.structs.asdict(one), **one.facts, "facts": None} for one in (found, settings))
        # say what differs, so that nobody has to guess why the run is another one
        names = [name for name in dict.fromkeys([*was, *now]) if was.get(name) != now.get(name)]
        changed = [f"{name} was {was.get(name)!r} and is {now.get(name)!r}" for name in names]
        raise SteadyError(
            f"{folder}: holds another run: {'; '.join(changed)}. Delete the folder or choose another --out."
        )
    return (folder / MATRICES).is_file()


def read_settings(folder: Path) -> RunSettings:
    """Read `run.json`; SteadyError where there is none, or it is damaged."""
    path = folder / RUN
    if not path.is_file():
        raise SteadyError(f"{path}: no such file: {folder} holds no run of `steady measure`.")
    return _decoded(path, RunSettings)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two processes never write one run; SteadyError where another process holds it."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SteadyError(
                f"{folder}: another process is writing this run. Wait for it, or choose another --out."
            ) from error
        yield


def part_path(folder: Path, number: int) -> Path:
    """Where a bundle's results lie while the run goes on."""
    return folder / PARTS / f"{number:06d}.safetensors"


def write_part(folder: Path, number: int, groups: Sequence[ScoredGroup], key: str) -> None:
    """Keep the results of one bundle."""
    write_matrices(part_path(folder, number), groups, key=key, with_predictions=True)


def read_part(folder: Path, number: int, key: str) -> tuple[list[ScoredGroup] | None, str | None]:
    """The results of a bundle that is done, or None, with the reason where its file is there and not whole."""
    path = part_path(folder, number)
    if not path.is_file():
        return None, None
    try:
        return read_matrices(path, key=key), None
    except SteadyError as error:
        return None, str(error)


class Repeats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All answers to a prompt that was asked more than once."""

    prompt_id: str
    answers: list[str]


class Run(msgspec.Struct, frozen=True):
    """A finished run: what was asked, the prompts by id, the groups, what was not scored, and what the subject says of itself.

    Read back from its files the predictions are not judged.
    """

    settings: RunSettings
    prompts: dict[str, AskedPrompt]
    groups: list[ScoredGroup]
    skipped: list[Rejected]
    notes: list[str]
    repeats: dict[str, list[str]]


def finish_run(folder: Path, run: Run) -> None:
    """Write the files of a finished run, the matrices last, and remove the parts."""
    write_records(folder / PROMPTS, run.prompts.values())
    write_records(folder / SKIPPED, run.skipped)
    write_json(folder / NOTES, run.notes)
    if run.repeats:
        write_records(folder / REPEATS, [Repeats(name, answers) for name, answers in run.repeats.items()])
    write_records(folder / PREDICTIONS, [item for group in run.groups for item in group.predictions])
    # the last file of a run: where it is, the run is finished, whatever a kill left of the parts
    write_matrices(folder / MATRICES, run.groups, key=run.settings.key)
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def read_run(folder: Path) -> Run:
    """Read a finished run; SteadyError where a file is missing or damaged (it is named), or the run is not finished."""
    settings = read_settings(folder)
    if not (folder / MATRICES).is_file():
        done = len(list((folder / PARTS).glob("*.safetensors")))
        raise SteadyError(
            f"{folder}: the run is not finished ({done} bundles are). "
            "Run the same `steady measure` command: it goes on."
        )
    prompts = {prompt.id: prompt for prompt in read_records(folder / PROMPTS, AskedPrompt)}
    predictions = read_records(folder / PREDICTIONS, Prediction)
    unknown = [item.prompt_id for item in predictions if item.prompt_id not in prompts]
    if unknown:
        raise SteadyError(f"{folder / PREDICTIONS}: prompt {unknown[0]} is not in {PROMPTS}. Score again.")
    by_id = {item.prompt_id: item for item in predictions}
    groups = read_matrices(folder / MATRICES, by_id, settings.key)
    repeats = read_records(folder / REPEATS, Repeats) if (folder / REPEATS).is_file() else []
    by_prompt = {item.prompt_id: item.answers for item in repeats}
    notes = _decoded(folder / NOTES, list[str])
    return Run(settings, prompts, groups, read_records(folder / SKIPPED, Rejected), notes, by_prompt)


def _decoded(path: Path, kind: type[Content]) -> Content:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise SteadyError(f"{path}: damaged ({error}). Delete the folder and score again.") from error
