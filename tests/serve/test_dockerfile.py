"""The Dockerfile copies what there is, and what serving reads."""

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from steady.commands.serve import main

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
MADE = {"data/formatted/wordings.jsonl", "models"}  # by `make repro`


def copied() -> set[str]:
    found = set()
    for line in LINES:
        if line.startswith("COPY "):
            *sources, _ = shlex.split(line)[1:]
            found |= set(sources)
    return found


def test_every_file_that_is_copied_is_there_or_made_by_the_pipeline():
    assert [name for name in copied() if name not in MADE and not (ROOT / name).exists()] == []
    assert copied() > MADE


def test_what_serving_reads_is_copied():
    assert {"params.yaml", "steady", "data/raw/wordings"} < copied()


def test_it_runs_as_a_user_that_is_not_root_with_options_that_exist():
    assert "USER steady" in LINES
    command = next(line for line in LINES if line.startswith("CMD"))
    options = set(re.findall(r"--[a-z-]+", command))
    assert options <= set(re.findall(r"--[a-z-]+", CliRunner().invoke(main, ["--help"]).output))
    assert re.search(r"default:\s+127\.0\.0\.1", CliRunner().invoke(main, ["--help"]).output)
