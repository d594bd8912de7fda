"""Progress: a bar on a terminal, nothing in a log until the work has taken minutes, nothing at all where it is not wanted."""

import io
import sys

import pytest

from steady.inference import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "stream, shown, printed", [(Terminal, True, True), (io.StringIO, True, False), (Terminal, False, False)]
)
def test_a_bar_is_for_a_terminal(stream, shown, printed, monkeypatch):
    written = stream()
    monkeypatch.setattr(sys, "stderr", written)
    assert list(progress.progress_bar(range(3), "scoring", "batch", shown)) == [0, 1, 2]
    assert ("scoring" in written.getvalue()) is printed


def test_a_long_run_leaves_a_line_in_a_log(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(progress, "LOG_SECONDS", 1e-9)
    bar = progress.progress_bar(None, "training", "step", total=4)
    for _ in range(2):
        bar.update(1)
    assert "training:  50%" in written.getvalue() and "2/4" in written.getvalue()
    bar.close()
    # what is printed next stands on a line of its own
    written.write("finished\n")
    *bars, last = written.getvalue().splitlines()
    assert last == "finished" and "\r" not in written.getvalue() and all(line.startswith("training:") for line in bars)
