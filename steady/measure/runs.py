"""A folder that holds one measurement: what was asked, the prompts, the answers, the matrices, what was left out."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from steady.errors import SteadyError
from steady.measure.group_measures import judged
from steady.metrics.matrices import ScoredGroup, read_matrices, write_matrices
from steady.records import Prediction, Prompt, Rejected, read_records, write_bytes, write_records

RUN, PROMPTS, PREDICTIONS, MATRICES, SKIPPED = (
    "run.json",
    "prompts.jsonl",
    "predictions.jsonl",
    "matrices.safetensors",
    "skipped.jsonl",
)
PARTS = "parts"


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What was asked: the same settings and prompts give the same numbers; values for different `max_new_tokens` do not compare.

    `weights` and `prompts` are digests of the files; `labels` those of a classifier. `chat_template`: prompts went through the
    tokenizer's chat template, after the message `system` where there is one.
    `base` and `quantised` say which published model it is and how its weights differ from those, where they do. `same_tokens`
    counts prompts that the tokenizer cannot tell from another of their group, `unknown_tokens` those that it cannot write whole.
    """

    model: str
    revision: str | None
    adapter: str | None
    weights: str
    dtype: str
    prompts: str
    max_new_tokens: int
    batch_tokens: int
    max_pairs: int | None
    precision: float | None
    seed: int
    labels: list[str]
    chat_template: bool = False
    system: str = ""
    gguf_file: str | None = None
    base: str = ""
    quantised: str | None = None
    same_tokens: int = 0
    unknown_tokens: int = 0

    @property
    def key(self) -> str:
        """One digest of them all."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()


def open_run(folder: Path, settings: RunSettings) -> bool:
    """Begin a run in `folder`, or go on with the same one; true when it is finished.

    Raises:
        SteadyError: the folder holds a run with other settings, which are named, or something else.
    """
    path = folder / RUN
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise SteadyError(f"{folder}: not empty, and no run of `measure` ({RUN} is missing). Choose another --out.")
        write_bytes(path, msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n")
    found = read_settings(folder)
    if found != settings:
        changed = [
            f"{name} was {getattr(found, name)!r} and is {getattr(settings, name)!r}"
            for name in settings.__struct_fields__
            if getattr(found, name) != getattr(settings, name)
        ]
        raise SteadyError(
            f"{folder}: holds another run: {'; '.join(changed)}. Delete the folder or choose another --out."
        )
    return (folder / MATRICES).is_file()


def read_settings(folder: Path) -> RunSettings:
    """Read `run.json`.

    Raises:
        SteadyError: there is none, or it is damaged.
    """
    path = folder / RUN
    if not path.is_file():
        raise SteadyError(f"{path}: no such file: {folder} holds no run of `python -m steady measure`.")
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunSettings)
    except msgspec.DecodeError as error:
        raise SteadyError(f"{path}: damaged ({error}). Delete the folder and score again.") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two processes never write one run.

    Raises:
        SteadyError: another process holds it.
    """
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


def finish_run(
    folder: Path, groups: Sequence[ScoredGroup], prompts: Sequence[Prompt], skipped: Sequence[Rejected], key: str
) -> None:
    """Write the files of a finished run, the matrices last, and remove the parts."""
    by_id = {prompt.id: prompt for prompt in prompts}
    scored = [item for group in groups for item in group.predictions]
    write_records(folder / PROMPTS, prompts)
    write_records(folder / SKIPPED, skipped)
    write_records(folder / PREDICTIONS, [judged(item, by_id[item.prompt_id]) for item in scored])
    # the last file of a run: where it is, the run is finished, whatever a kill left of the parts
    write_matrices(folder / MATRICES, groups, key=key)
    for path in sorted((folder / PARTS).glob("*.safetensors")):
        path.unlink()
    if (folder / PARTS).is_dir():
        (folder / PARTS).rmdir()


class Run(msgspec.Struct, frozen=True):
    """A finished run, read back."""

    settings: RunSettings
    prompts: dict[str, Prompt]
    groups: list[ScoredGroup]
    skipped: list[Rejected]


def read_run(folder: Path) -> Run:
    """Read a finished run; the predictions are judged anew.

    Raises:
        SteadyError: a file is missing or damaged (it is named), or the run is not finished.
    """
    settings = read_settings(folder)
    if not (folder / MATRICES).is_file():
        done = len(list((folder / PARTS).glob("*.safetensors")))
        raise SteadyError(
            f"{folder}: the run is not finished ({done} bundles are). "
            "Run the same `python -m steady measure` command: it goes on."
        )
    prompts = {prompt.id: prompt for prompt in read_records(folder / PROMPTS, Prompt)}
    predictions = read_records(folder / PREDICTIONS, Prediction)
    unknown = [item.prompt_id for item in predictions if item.prompt_id not in prompts]
    if unknown:
        raise SteadyError(f"{folder / PREDICTIONS}: prompt {unknown[0]} is not in {PROMPTS}. Score again.")
    judged_ones = {item.prompt_id: judged(item, prompts[item.prompt_id]) for item in predictions}
    groups = read_matrices(folder / MATRICES, judged_ones, settings.key)
    return Run(settings, prompts, groups, read_records(folder / SKIPPED, Rejected))
