"""`pip install .`: the wheel has the sheets, the script and the playground, and needs no tool of the tests; eight seconds, so slow."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return dict(line.lower().split("==") for line in lines if "==" in line and not line.startswith("#"))


def test_every_direct_requirement_is_pinned_as_in_the_constraints():
    every = pins("constraints.txt")
    files = ["requirements.txt", *(f"requirements/{name}.txt" for name in ("4bit", "cluster", "dev", "page", "serve"))]
    assert {name: pin for file in files for name, pin in pins(file).items() if every.get(name) != pin} == {}


@pytest.mark.slow
def test_the_wheel_is_whole_and_brings_no_tool_of_the_tests(tmp_path):
    source = tmp_path / "source"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in files.split("\0"):
        if name.startswith(("steady/", "stages/", "requirements")) or name in ("pyproject.toml", "README.md"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        metadata = next(wheel.read(name).decode() for name in names if name.endswith("METADATA"))
    assert {"steady/report/page.css", "steady/report/page.js", "steady/serve/playground.html"} <= set(names)
    assert set(re.findall(r"^Provides-Extra: (.*)$", metadata, re.MULTILINE)) == {
        "4bit",
        "cluster",
        "page",
        "serve",
        "trackers",
    }
    required = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert "torch" in required and not {"pytest", "mypy", "playwright", "ruff", "mkdocs-material"} & set(required)
