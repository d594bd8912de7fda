"""Settings of every test; modules that tests of several folders share are imported from here by their bare names."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from warm_python import warm_python

# No timing is asserted in a test of properties, and a busy machine or an old processor is slow.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


class FrozenLibraries:
    """Leaves the objects of imported libraries out of later collections of garbage, of which each training asks for one.

    PEFT, TRL and what they import are half a million objects that stay: walking them took two thirds of a small training.
    """

    modules = 0

    def __call__(self, phase: str, collection: dict[str, Any]) -> None:
        if phase == "stop" and collection["generation"] == 2 and len(sys.modules) > self.modules + 100:
            self.modules = len(sys.modules)
            gc.freeze()


gc.callbacks.append(FrozenLibraries())


# Folders whose files take longest: trainings and whole runs come first, so that no process is left with one at the end.
LONGEST = ("serve", "stages", "finetune", "torture", "hub", "measure", "models", "prepare")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; a folder's order stays."""
    folders = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: folders.get(item.nodeid.removeprefix("tests/").partition("/")[0], len(folders)))


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """The folder of a `python` that has the libraries imported; first on `PATH`, before the folder of this Python and DVC."""
    # The path of a socket has at most a hundred characters, so it lies in no folder of pytest's.
    with (
        tempfile.TemporaryDirectory() as folder,
        warm_python(Path(folder) / "bin") as place,
        pytest.MonkeyPatch.context() as patch,
    ):
        places = [str(place), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        patch.setenv("PATH", os.pathsep.join(places))
        yield place
