"""What the tests of paraphrasing share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scripted_paraphrases import Script, counted_words

from steady.paraphrase.drawing import Sampling, Source
from steady.paraphrase.judging import Filters
from steady.paraphrase.writing import Tools


@pytest.fixture
def tools(tmp_path: Path) -> Callable[..., Tools]:
    """Tools with a script; settings of the sampling by name."""

    def make(script: Script, filters: Filters | None = None, model: str = "scripted", **sampling: Any) -> Tools:
        settings = Sampling(**{"samples": 3, "ask": "Say it otherwise: {text}"} | sampling)
        source = Source(model, None, "", False)
        return Tools(source, settings, script, counted_words, filters or Filters(0.5, 0.2), tmp_path / "cache")

    return make
