"""Hold the tracked files to the house rules: `python -m checks.repository`, part of `make check`."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from checks import code, layers, pipeline
from checks.findings import Finding, conclude

# Absolute paths of somebody's machine have no place in a repository.
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(?:work|root|home|Users|mnt|scratch)/\w")
PYTHON = ("steady/", "stages/", "checks/", "benchmarks/", "tests/")
COUNTED = ("steady/", "stages/", "checks/")  # the median is over these


def tracked(root: Path) -> list[str]:
    """The files that Git tracks and that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (root / name).is_file()]


def check_machine_paths(root: Path, names: Sequence[str]) -> Iterator[Finding]:
    """Findings for absolute paths in tracked text files; the sample data are prose and left out."""
    for name in names:
        if name.startswith("data/raw/"):
            continue
        try:
            lines = (root / name).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            if MACHINE_PATH.search(line):
                yield Finding(name, number, "machine-path", line.strip()[:120])


def check_record(root: Path) -> Iterator[Finding]:
    """A finding where `metrics/recorded.json` is not of the run that `dvc.lock` names, though parameters and claims are."""
    from steady.repro.lockfile import lock_entries
    from steady.repro.recorded import RECORD, changed_outputs, input_digests, output_hashes, read_record

    record = read_record(root)
    if record is None or record.inputs != input_digests(root):
        return  # an experiment, whose results are not committed yet
    if changed := changed_outputs(record.outputs, output_hashes(lock_entries(root))):
        advice = "python -m steady reproduced --record, before results are committed"
        yield Finding(RECORD, 0, "record", f"{len(changed)} outputs are not those of dvc.lock: {advice}")


def check_code(root: Path, names: Sequence[str]) -> Iterator[Finding]:
    """Findings of every rule about code."""
    sources = {name: (root / name).read_text(encoding="utf-8") for name in names if name.endswith(".py")}
    for name, text in sources.items():
        yield from code.check_names(name)
        yield from code.check_lengths(name, text)
        yield from code.check_click(name, text)
        yield from code.check_remote_code(name, text)
        yield from code.check_parameters(name, text)
    yield from code.check_loose_files(names)
    graph = layers.import_graph(sources)
    yield from layers.check_circles(graph)
    yield from layers.check_directions(graph)
    middle = code.median_length([text for name, text in sources.items() if name.startswith(COUNTED)])
    if middle > code.MEDIAN_FUNCTION:
        yield Finding(".", 0, "function-median", f"{middle} lines, allowed {code.MEDIAN_FUNCTION}")


def main(root: Path) -> list[Finding]:
    """All findings of the repository."""
    names = tracked(root)
    return [
        *check_machine_paths(root, names),
        *check_record(root),
        *check_code(root, [name for name in names if name.startswith(PYTHON)]),
        *pipeline.check_pipeline(root),
    ]


if __name__ == "__main__":
    conclude("repository", main(Path()))
