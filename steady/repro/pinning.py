"""Write the full commit of a Hub model into `params.yaml`: the one place where a branch becomes a revision that stays."""

from dataclasses import dataclass
from pathlib import Path

from steady.errors import SteadyError
from steady.models.load import full_revision
from steady.models.params import FULL_COMMIT, is_hub_id
from steady.parameters import StageParams, read_params
from steady.prompts.params import TokenizerName
from steady.repro.workspaces import change_params


class NamedModel(StageParams):
    """What is read of `params.yaml`: which model, not whether its revision is a full commit yet."""

    model: TokenizerName


@dataclass(frozen=True)
class Pinned:
    """A model's id, the revision that stood in `params.yaml` and the full commit that stands there now."""

    model_id: str
    before: str | None
    commit: str


def pin_revision(path: Path, revision: str | None = None) -> Pinned:
    """Replace `model.revision` by the full commit of `revision` (None: of what stands there, or of `main`).

    A full commit that stands there stays, and nothing is asked, unless a `revision` is given. SteadyError where there is no such
    file or no `model.id` in it, the model is no Hub model, or the Hub has no such model or revision, or cannot be reached.
    """
    model = read_params(path, NamedModel).model
    model_id, before = model.id, model.revision
    if not is_hub_id(model_id):
        raise SteadyError(
            f"{path}: model.id is {model_id!r}, no Hub id: a folder and a package have no revision to resolve."
        )
    # Nothing to ask, so this works without a network.
    if revision is None and FULL_COMMIT.fullmatch(before or ""):
        return Pinned(model_id, before, str(before))
    commit = full_revision(model_id, revision or before or "main")
    if not FULL_COMMIT.fullmatch(commit or ""):
        raise SteadyError(f"{model_id}: the Hub gave {commit!r}, not a full commit. Set model.revision by hand.")
    change_params(path, {"model.revision": commit})
    return Pinned(model_id, before, str(commit))
