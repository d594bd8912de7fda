"""Small random models."""

import copy
from pathlib import Path

import pytest
from model_fixtures import any_language, llama_folder, one_thread  # noqa: F401
from small_models import byte_tokenizer, random_model


@pytest.fixture(scope="session")
def chat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokenizer has a chat template."""
    folder = tmp_path_factory.mktemp("chat")
    random_model("llama").save_pretrained(folder)
    tokenizer = copy.deepcopy(byte_tokenizer())
    tokenizer.chat_template = "{% for one in messages %}<{{ one.role }}>{{ one.content }}{% endfor %}<model>"
    tokenizer.save_pretrained(folder)
    return folder
