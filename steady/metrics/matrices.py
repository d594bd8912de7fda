"""Groups with their matrices of log-probabilities, and the safetensors files that hold them.

A file has a digest of each group, so that a damaged one is named.

A finished run has `matrices.safetensors` beside `predictions.jsonl`. While it runs, each bundle of groups is one part file that
holds its predictions too; parts that are whole are not scored again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.labels import Floats, Mask
from steady.metrics.posix import Sensitivity, group_fault, log_ratios, prompt_sensitivity
from steady.records import Prediction, write_bytes

FORMAT = "steady-matrices-1"
PARTS = ("matrix", "lengths", "sampled", "scaled")  # the arrays of a group; the last two may be missing


@dataclass(frozen=True)
class ScoredGroup:
    """What a model did on a group.

    `matrix` is `(N, N)`, log P(response of column | prompt of row) in nats, NaN where it was not asked for; `lengths` `(N,)`
    counts the tokens of each response, end token included, and is 1 for the label of a classifier; `predictions` are the
    responses, with the diagonal as `logprob`; `sampled` marks the pairs of a sample, None where all pairs were scored; `scaled`
    is the matrix with the logits divided by the temperature of the arm, None where it has none.
    """

    id: str
    matrix: Floats
    lengths: Floats
    predictions: tuple[Prediction, ...]
    sampled: Mask | None = None
    scaled: Floats | None = None

    @property
    def responses(self) -> list[tuple[int, ...] | str]:
        """What is compared for equality: token ids, or the label of a classifier."""
        return [tuple(item.token_ids) or item.text for item in self.predictions]

    @property
    def fault(self) -> str | None:
        """Why the group has no POSIX (see `steady.metrics.posix.group_fault`), or None."""
        if self.sampled is None or len(self.predictions) < 2:
            return group_fault(self.matrix, self.lengths)
        # the pair (i, j) of a sample compares M[i][j] with M[j][j]
        known = self.sampled | np.diag(self.sampled.any(axis=0))
        return group_fault(np.where(known, self.matrix, 0.0), self.lengths)


def sensitivity(group: ScoredGroup) -> Sensitivity:
    """Psi of a group and its parts: exact, or the unbiased estimate from a sample of its pairs; ValueError where it has a `fault`."""
    if group.sampled is None:
        return prompt_sensitivity(group.matrix, group.lengths, group.responses)
    if group.fault:
        raise ValueError(f"group {group.id} cannot be scored: {group.fault}")
    equal = np.asarray([[one == other for other in group.responses] for one in group.responses])
    ratios = log_ratios(group.matrix, group.lengths)
    pairs = int(group.sampled.sum())
    same, different = (float(ratios[group.sampled & part].sum()) / pairs for part in (equal, ~equal))
    return Sensitivity(same + different, same, different)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A group of a file: its prompts in the order of the rows, whether its pairs were sampled, its digest, and whether a matrix
    at the temperature of the arm lies beside.
    """

    id: str
    prompt_ids: list[str]
    sampled: bool
    digest: str
    scaled: bool = False


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the header says: the run it belongs to, its groups, and their predictions while the run goes on."""

    key: str
    groups: list[Entry]
    predictions: list[list[Prediction]] | None


def write_matrices(path: Path, groups: Sequence[ScoredGroup], *, key: str = "", with_predictions: bool = False) -> None:
    """Write the matrices of groups atomically.

    Args:
        key: says which run the file belongs to; `read_matrices` compares it.
        with_predictions: keep the predictions in the file too; otherwise they are written elsewhere and only hashed.
    """
    from safetensors.numpy import save

    tensors = {
        f"{number:06d}.{part}": np.ascontiguousarray(getattr(group, part))
        for number, group in enumerate(groups)
        for part in PARTS
        if getattr(group, part) is not None
    }
    entries = [
        Entry(
            group.id,
            [item.prompt_id for item in group.predictions],
            group.sampled is not None,
            _digest(group),
            group.scaled is not None,
        )
        for group in groups
    ]
    predictions = [list(group.predictions) for group in groups] if with_predictions else None
    contents = msgspec.json.encode(Contents(key, entries, predictions)).decode()
    write_bytes(path, save(tensors, {FORMAT: contents}))  # one entry: safetensors writes several in any order


def read_matrices(
    path: Path, predictions: Mapping[str, Prediction] | None = None, key: str | None = None
) -> list[ScoredGroup]:
    """Read the matrices of groups and put their predictions beside them.

    SteadyError where the file is missing, damaged, of another run, or does not belong to these predictions; it is named.

    Args:
        predictions: by prompt id; None where the file holds them itself.
        key: what the file must have been written with; None takes any.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise SteadyError(
            f"{path}: no such file. Score the prompts first (`python -m steady measure`, or `dvc repro`)."
        )
    try:
        with safe_open(str(path), framework="numpy") as handle:
            text = (handle.metadata() or {}).get(FORMAT, "")
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    try:
        contents = msgspec.json.decode(text, type=Contents)
        # Parts that were scored under other settings would be taken for parts of this run.
        if key is not None and contents.key != key:
            raise SteadyError(f"{path}: belongs to another run. Delete it, or choose another folder.")
        kept = contents.predictions or []
        if predictions is not None:
            kept = [[predictions[prompt_id] for prompt_id in entry.prompt_ids] for entry in contents.groups]
        groups = []
        for number, entry in enumerate(contents.groups):
            # An entry says which parts it has, so that a part that has gone from the file is damage and not an option.
            parts = [part for part in PARTS if getattr(entry, part, True)]
            arrays = {part: tensors[f"{number:06d}.{part}"] for part in parts}
            groups.append(ScoredGroup(entry.id, predictions=tuple(kept[number]), **arrays))
    # safetensors checks the header alone; a file of another version has other keys in it
    except (KeyError, IndexError, msgspec.DecodeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    for entry, group in zip(contents.groups, groups, strict=True):
        if _digest(group) != entry.digest:
            raise _damaged(path, f"group {entry.id}: the digest of its matrix and responses is another one")
    return groups


def _digest(group: ScoredGroup) -> str:
    """Of the matrix and of what the model answered; whether an answer counts as correct may change without it."""
    answers = [[item.prompt_id, item.text, item.token_ids, item.label_logprobs] for item in group.predictions]
    digest = hashlib.blake2b(msgspec.json.encode([group.id, answers]), digest_size=16)
    for part in PARTS:
        array = getattr(group, part)
        digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _damaged(path: Path, reason: str) -> SteadyError:
    return SteadyError(
        f"{path}: damaged ({reason}). Delete it and run the same command again: only what it held is scored."
    )
