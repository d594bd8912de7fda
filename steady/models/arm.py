"""An arm on disk: the manifest that `finetune` writes beside the weights, and the check that it fits the base."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from steady.errors import SteadyError
from steady.labels import LabelTask
from steady.models.base import locate
from steady.models.params import ModelParams
from steady.records import read_document, write_document

Method = Literal["none", "probe", "lora", "full"]
MANIFEST = "steady.json"
PHRASEBOOK = "phrasebook.json"


class ArmManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How an arm was made: enough to score with it, and to refuse to score with it under other settings.

    `prompts_sha256` is the fingerprint of the phrasebook that it was trained on, which lies beside the manifest; `base_digest`
    pins a base that is a folder or a GGUF file; `quantised` says how the base's weights differ from those published. Where
    `solved` is a text, it stands before every prompt; `calibrated` and `averaged_wordings` say what is done with the
    probabilities of the labels (`steady.scoring.adjusting`).
    """

    method: Method
    base: str
    revision: str | None
    labels: list[str]
    max_length: int
    seed: int
    training: dict[str, Any]
    prompts_sha256: str = ""
    base_digest: str = ""
    quantised: str | None = None
    multi_label: bool = False
    solved: str = ""
    calibrated: bool = False
    averaged_wordings: int = 1

    @property
    def adjusted(self) -> bool:
        """Whether the answer to a prompt depends on those to other prompts."""
        return self.calibrated or self.averaged_wordings > 1

    @property
    def label_task(self) -> LabelTask:
        """What an answer of the arm is, where it has labels."""
        return LabelTask(tuple(self.labels), self.multi_label)


def write_manifest(folder: Path, manifest: ArmManifest) -> None:
    """Write `steady.json`."""
    write_document(folder / MANIFEST, manifest)


def read_manifest(folder: Path) -> ArmManifest:
    """Read `steady.json`; SteadyError where the arm is missing or its manifest is not one."""
    missing = f"{folder}: no such arm ({MANIFEST} is missing). Run `dvc repro` to train it or `dvc pull` to fetch it."
    return read_document(folder / MANIFEST, ArmManifest, "an arm's manifest", missing)


def checked_manifest(folder: Path, params: ModelParams) -> ArmManifest:
    """The manifest of an arm; SteadyError where it is missing, or was made from another base than that of `params`."""
    manifest = read_manifest(folder)
    base = locate(params)
    # PEFT would put the adapter on any base whose layers have the same names and shapes.
    if manifest.base != base.public_id:
        raise SteadyError(
            f"{folder}: the arm was made from {manifest.base!r}, but model.id is {base.public_id!r}. Run `dvc repro`."
        )
    # The path of a folder says nothing about the model in it, which may have been replaced since.
    if manifest.base_digest and manifest.base_digest != base.digest:
        raise SteadyError(
            f"{folder}: the model in {base.source} is not the one that the arm was made from. Fetch that one, or run `dvc repro`."
        )
    return manifest
