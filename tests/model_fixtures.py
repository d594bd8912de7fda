"""Fixtures of the tests that score with small random models; the models are in `small_models`."""

from pathlib import Path
from typing import Any

import pytest
from small_models import BUILDERS, byte_tokenizer, described, random_encoder, random_model

from steady.models.params import ModelParams


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models of a few thousand weights are slower on two threads, and much slower on a busy machine."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(params=sorted(BUILDERS))
def any_language(request: pytest.FixtureRequest) -> Any:
    """Each kind of model in turn."""
    return described(request.param)


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Llama with its tokenizer, as a user would name it."""
    folder = tmp_path_factory.mktemp("models") / "llama"
    random_model("llama").save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> ModelParams:
    """A tiny random encoder with the real tokenizer of the packaged one."""
    return random_encoder(tmp_path_factory.mktemp("tiny"))
