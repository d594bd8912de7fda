"""Progress in a log: whole lines, and none for short work."""

import io

import pytest

from steady.inference import progress


@pytest.mark.parametrize(("seconds", "bars"), [(0.0, True), (300.0, False)])
def test_a_log_has_whole_lines_and_none_for_short_work(monkeypatch, seconds, bars):
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    monkeypatch.setattr(progress, "LOG_SECONDS", seconds)
    assert list(progress.progress_bar(range(3), "scoring", "batch")) == [0, 1, 2]
    log.write("finished\n")
    *lines, last = log.getvalue().splitlines()
    assert last == "finished" and "\r" not in log.getvalue()
    assert bool(lines) == bars and all(line.startswith("scoring:") for line in lines)
