"""Serve the models of recipes: `python -m tests.hub.stand_in recipe/NAME.yaml …`, then set HF_ENDPOINT and HF_HOME as it says."""

import argparse
import threading
from pathlib import Path

from ruamel.yaml import YAML

from .models import publish_recipe
from .server import served
from .store import Hub


def main() -> None:
    """Publish and serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+", type=Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    hub = Hub()
    for path in arguments.recipes:
        recipe = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        print(f"{recipe['model']['id']} {publish_recipe(hub, recipe)}", flush=True)
    with served(hub, arguments.port) as address:
        print(f"export HF_ENDPOINT={address} HF_HOME=$(mktemp -d)", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
