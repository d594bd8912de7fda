"""A Hub of the tests' own, and the real client pointed at it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stand_in.server import served
from stand_in.store import Hub


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models of a few thousand weights are slower on two threads."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def point_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Point the real client at an address, with an empty cache and nobody logged in."""
    from huggingface_hub import close_session, constants
    from transformers.utils import hub as transformers_hub

    def point(address: str) -> None:
        monkeypatch.setattr(transformers_hub, "_hf_api", None)  # it remembers the address it first had
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        close_session()

    for name, value in {
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_TOKEN_PATH": str(tmp_path / "token"),
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    yield point
    close_session()


@pytest.fixture
def hub(point_client: Callable[[str], None]) -> Iterator[Hub]:
    """An empty Hub, served; the client talks to it."""
    found = Hub()
    with served(found) as address:
        point_client(address)
        found.address = address
        yield found
