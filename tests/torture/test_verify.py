"""`verify` finds a changed byte anywhere in what DVC has recorded: outputs, inputs and the cache."""

import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from steady.commands.verify import main

STAGES = """
stages:
  make:
    cmd: mkdir -p out/inner && head -c 3000 in > out/inner/part && head -c 500 in > out/small && cp in metrics.json
    deps: [in]
    outs: [out, metrics.json]
  use:
    cmd: cat out/inner/part > report
    deps: [out]
    outs: [report]
"""
FLIPS = 200


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stages that DVC itself has run, with its lock file and its cache."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("project")
    (folder / "in").write_bytes(random.Random(0).randbytes(5000))
    (folder / "dvc.yaml").write_text(STAGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with Repo.init(".", no_scm=True) as repository:
            repository.reproduce()
    return folder


def test_every_flipped_byte_is_found(project, figure):
    assert CliRunner().invoke(main, ["--root", str(project)]).exit_code == 0
    workspace = [project / name for name in ("in", "out/inner/part", "out/small", "metrics.json", "report")]
    cache = [path for path in (project / ".dvc/cache/files").rglob("*") if path.is_file()]
    assert any(path.name.endswith(".dir") for path in cache)
    generator, missed = random.Random(1), []
    for number in range(FLIPS):
        path = generator.choice((workspace, cache)[number % 2])
        data, mode = path.read_bytes(), path.stat().st_mode
        place = generator.randrange(len(data))
        path.chmod(0o644)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << generator.randrange(8)]) + data[place + 1 :])
        found = CliRunner().invoke(main, ["--root", str(project)])
        named = path.relative_to(project).as_posix()
        # a damaged listing is no traceback, and a damaged file is named
        if found.exit_code != 1 or named not in found.output or not isinstance(found.exception, SystemExit):
            missed.append((named, place, found.output))
        path.write_bytes(data)
        path.chmod(mode)
    figure("flipped bytes that `verify` finds", f"{FLIPS - len(missed)}/{FLIPS}")
    assert missed == []
