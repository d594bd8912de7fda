"""Folders of arms that `params.yaml` no longer lists."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path


def remove_leftovers(folders: Sequence[Path], arms: Collection[str]) -> list[Path]:
    """Remove the folders of arms that are not in `arms`, and return them.

    DVC leaves the outputs of a stage that is gone in place; `compare` and `report` depend on the whole folders, so a run without an
    arm would depend on what an earlier run had left. The files stay in DVC's cache.
    """
    found = [place for folder in folders for place in sorted(folder.glob("*")) if place.is_dir()]
    gone = [place for place in found if place.name not in arms]
    for place in gone:
        shutil.rmtree(place)
    return gone
