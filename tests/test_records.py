"""Files are written whole or not at all, and a writer that was killed leaves nothing that stays."""

import os
import subprocess
import sys
from pathlib import Path

from steady.records import write_bytes, write_records

KILLED = """
import os, pathlib, signal, sys
from steady.records import write_records
def rows():
    os.kill(os.getpid(), signal.SIGKILL)
    yield
write_records(pathlib.Path(sys.argv[1]), rows())
"""


def test_what_a_killed_writer_left_goes_when_the_file_is_written_again(tmp_path):
    path = tmp_path / "rows[1].jsonl"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    for again in (lambda: write_records(path, []), lambda: write_bytes(path, b"")):
        subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False)
        assert len(list(tmp_path.glob("*.tmp"))) == 1
        again()
        assert list(tmp_path.iterdir()) == [path]


def test_what_a_living_writer_is_writing_stays(tmp_path):
    living = tmp_path / f".rows.jsonl.{os.getppid()}.tmp"
    other = tmp_path / ".rows.jsonl.backup.tmp"
    for file in (living, other):
        file.touch()
    write_bytes(tmp_path / "rows.jsonl", b"")
    assert living.exists() and other.exists()
