"""How long `--help` takes: nobody waits for libraries to read what an option means."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.rows import Row

BAR = 0.3
REPEATS = 5


def measure() -> list[Row]:
    """The median wall time of each `--help`, in seconds."""
    names = ["steady", *(f"stages.{path.stem}" for path in sorted(Path("stages").glob("[a-z]*.py")))]
    return [Row(f"python -m {name} --help", median(_seconds(name) for _ in range(REPEATS)), "s", BAR) for name in names]


def _seconds(name: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", name, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
