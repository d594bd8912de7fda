"""Upload a trained arm to the Hub: adapter or weights, tokenizer, card and manifest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.models.arm import read_manifest

WEIGHTS = ("adapter_model.safetensors", "model.safetensors", "model.safetensors.index.json", "head.safetensors")
# What loads the arm and describes it; checkpoints, logs and `training_args.bin`, which has paths of this machine, stay here.
PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "README.md")


@dataclass(frozen=True)
class Pushed:
    """Where an arm went: the address of the commit, and the files in it."""

    url: str
    commit: str
    files: tuple[str, ...]


def push_arm(folder: Path, repo_id: str, *, private: bool, message: str | None = None) -> Pushed:
    """Upload what an arm's folder holds at its top, as one commit on `main` of a model repository, made where it is missing.
    SteadyError where the folder is no trained arm or has no card, the id is none, nobody is logged in, or the Hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    # Before the Hub is asked for anything: an arm that is no whole arm leaves no empty repository.
    manifest = read_manifest(folder)
    files = tuple(sorted({path.name for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()}))
    if not set(files) & set(WEIGHTS):
        raise SteadyError(
            f"{folder}: an arm of method {manifest.method} has no weights to push. Push an arm that was trained."
        )
    if "README.md" not in files:
        raise SteadyError(f"{folder}: the card README.md is missing. Run `dvc repro` (or `dvc pull`) to make it again.")
    # the first base of HfHubHTTPError is any fault of the connection, whichever HTTP library the client uses
    faults: tuple[Any, ...] = (HFValidationError, OfflineModeIsEnabled, OSError, *HfHubHTTPError.__bases__)
    api = HfApi()
    try:
        user = _who(api)
        api.create_repo(repo_id, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo_id,
            folder_path=str(folder),
            allow_patterns=list(files),
            commit_message=message or f"{manifest.method} arm {folder.name}, pushed by {user}",
        )
    except faults as error:
        raise SteadyError(
            f"{repo_id}: cannot be pushed to: {error}\nGive OWNER/NAME, where OWNER is you or an organisation you may write to."
        ) from error
    return Pushed(str(done.commit_url), str(done.oid), files)


def _who(api: Any) -> str:
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        return str(api.whoami()["name"])
    except LocalTokenNotFoundError as error:
        raise SteadyError("Not logged in to the Hub. Run `hf auth login`, or set HF_TOKEN; then push again.") from error
    except HfHubHTTPError as error:
        if error.response.status_code not in {401, 403}:
            raise
        raise SteadyError(
            "The Hub does not know the token of this machine. Run `hf auth login` again, with a token that may write."
        ) from error
