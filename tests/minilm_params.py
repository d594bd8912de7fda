"""Parameters of a small classifier in float32, whatever the committed ones are."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]


def minilm_values() -> dict[str, Any]:
    """`params.yaml` with the recipe `tickets-minilm` over it."""
    yaml = YAML(typ="safe", pure=True)
    files = (ROOT / "params.yaml", ROOT / "recipe/tickets-minilm.yaml")
    return {key: value for path in files for key, value in yaml.load(path.read_text(encoding="utf-8")).items()}


def minilm_text() -> str:
    """The same as a file."""
    written = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(minilm_values(), written)
    return written.getvalue()
