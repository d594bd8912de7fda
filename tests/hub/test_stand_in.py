"""The real Hub client against the stand-in: downloads, pinned revisions, branches that move, faults, and the cache alone."""

from pathlib import Path

import pytest
from stand_in.models import BEGINNINGS, kind_of, model_files
from stand_in.server import served
from stand_in.store import Hub

from steady.errors import SteadyError
from steady.models.load import full_revision, load_base, load_tokenizer
from steady.models.params import ModelParams

FIRST, SECOND = "1" * 40, "2" * 40
SMALL = {"config.json": b"{}", "folder/notes.txt": b"one"}


def test_the_client_downloads_a_file_of_either_size_and_lists_the_rest(hub):
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    large = bytes(range(256)) * 200
    hub.publish("someone/model", SMALL | {"model.safetensors": large}, FIRST)
    assert Path(hf_hub_download("someone/model", "model.safetensors", revision=FIRST)).read_bytes() == large
    folder = Path(snapshot_download("someone/model"))
    assert (folder / "folder/notes.txt").read_text() == "one" and folder.name == FIRST
    info = HfApi().model_info("someone/model")
    assert info.sha == FIRST and {file.rfilename for file in info.siblings} == {*SMALL, "model.safetensors"}
    assert {entry.path for entry in HfApi().list_repo_tree("someone/model")} == {
        "config.json",
        "folder",
        "model.safetensors",
    }


def test_a_moved_branch_changes_main_and_leaves_a_pinned_revision_alone(hub):
    from huggingface_hub import hf_hub_download

    hub.publish("someone/model", SMALL, FIRST)
    pinned = Path(hf_hub_download("someone/model", "folder/notes.txt", revision=FIRST)).read_text()
    hub.publish("someone/model", {**SMALL, "folder/notes.txt": b"two"}, SECOND)
    assert Path(hf_hub_download("someone/model", "folder/notes.txt", revision=FIRST)).read_text() == pinned == "one"
    assert Path(hf_hub_download("someone/model", "folder/notes.txt")).read_text() == "two"
    assert (full_revision("someone/model", "main"), full_revision("someone/model", FIRST[:10])) == (SECOND, FIRST)


@pytest.mark.parametrize("model_id, revision", [("nobody/nothing", "main"), ("someone/model", "no-such-branch")])
def test_what_the_hub_does_not_have_is_one_clear_message(hub, model_id, revision):
    hub.publish("someone/model", SMALL, FIRST)
    with pytest.raises(SteadyError, match=model_id) as error:
        full_revision(model_id, revision)
    assert revision in str(error.value)


def test_a_pinned_commit_that_is_not_there_is_one_clear_message(hub):
    hub.publish("google/flan-t5-small", model_files("t5"), FIRST)
    with pytest.raises(SteadyError, match=f"google/flan-t5-small.*{SECOND}"):
        load_tokenizer(_params("google/flan-t5-small", SECOND, "SEQ_2_SEQ_LM"))


def test_a_gated_model_says_to_log_in_and_opens_with_a_token(hub, monkeypatch):
    hub.publish("someone/model", SMALL, FIRST, gated=True)
    with pytest.raises(SteadyError, match="hf auth login"):
        full_revision("someone/model", "main")
    hub.tokens["hf_secret"] = "someone"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert full_revision("someone/model", "main") == FIRST


def test_a_hub_that_cannot_be_reached_is_one_clear_message(point_client):
    with served(Hub()) as address:
        pass
    point_client(address)
    with pytest.raises(SteadyError, match="someone/model"):
        full_revision("someone/model", "main")


def test_once_in_the_cache_a_model_loads_without_the_hub(hub, monkeypatch, point_client):
    from huggingface_hub import constants

    hub.publish("distilbert-base-uncased", model_files("distilbert"), FIRST)
    params = _params("distilbert-base-uncased", FIRST, "SEQ_CLS")
    before = load_tokenizer(params)("Where is my parcel?")["input_ids"]
    weights = load_base(params, ("a", "b"), headless=True).state_dict()
    asked = len(hub.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_tokenizer(params)("Where is my parcel?")["input_ids"] == before
    again = load_base(params, ("a", "b"), headless=True).state_dict()
    assert all(again[name].equal(tensor) for name, tensor in weights.items())
    assert len(hub.requests) == asked


@pytest.mark.parametrize("beginning", sorted(BEGINNINGS))
def test_each_stand_in_is_of_its_architecture_and_its_tokenizer_reads_back(hub, beginning):
    from transformers import AutoConfig, AutoTokenizer

    task = {"google/flan-t5": "SEQ_2_SEQ_LM", "distilbert": "SEQ_CLS"}.get(beginning, "CAUSAL_LM")
    kind = kind_of(beginning, task)
    hub.publish("someone/model", model_files(kind), FIRST)
    config = AutoConfig.from_pretrained("someone/model", revision=FIRST, trust_remote_code=False)
    tokenizer = AutoTokenizer.from_pretrained("someone/model", revision=FIRST, trust_remote_code=False)
    assert config.model_type == kind
    assert config.vocab_size >= len(tokenizer) > 500
    text = "where is my parcel? 42"
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True).strip() == text
    if kind != "distilbert":
        assert config.eos_token_id == tokenizer.eos_token_id is not None


def test_an_unknown_model_and_a_task_that_is_not_its_own_are_refused():
    with pytest.raises(KeyError, match="no stand-in"):
        kind_of("someone/unknown", "CAUSAL_LM")
    with pytest.raises(KeyError, match="not for CAUSAL_LM"):
        kind_of("google/flan-t5-small", "CAUSAL_LM")


def _params(model_id: str, revision: str, task: str) -> ModelParams:
    settings = {"pooling": None, "dtype": "float32", "num_threads": None}
    return ModelParams.model_validate({"id": model_id, "revision": revision, "task": task, **settings})
