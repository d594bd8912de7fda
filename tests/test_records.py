"""Files are written whole or not at all, and a writer that was killed leaves nothing that stays."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from steady.errors import reported
from steady.records import Message, conversation, turns_of, write_bytes, write_records

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


def test_a_conversation_is_read_back_from_its_text_whatever_its_turns_hold():
    turns = [
        Message("system", "User: no\n\nAssistant: yes"),
        Message("user", "a: b"),
        Message("assistant", ""),
        Message("user", "\x1ec"),
    ]
    assert turns_of(conversation(turns)) == [*turns[:3], Message("user", " c")]
    assert turns_of(conversation(turns[1:2])) is None and conversation(turns[1:2]) == "a: b"


def test_what_could_not_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(click.ClickException, match=r"No space left on device.*Free some space"), reported():
        write_records(tmp_path / "rows.jsonl", [Message("user", "a")])
    assert not list(tmp_path.iterdir())
