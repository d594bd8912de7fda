"""Running the pipeline: few lines, the time of every stage, and no DVC where nothing has changed."""

import os
from pathlib import Path

from steady.repro.pipeline import StageTimes, _allow_no_git, duration, remember, unchanged


def test_a_stage_lasts_until_the_next_one_starts_and_what_dvc_says_around_it_is_left_out():
    lines = [
        "Stage 'a' didn't change, skipping\n",
        "Running stage 'b':\n",
        "> work\n",
        "12 rows\n",
        "Updating lock file 'dvc.lock'\n",
    ]
    lines += ["\n", "Running stage 'c@x':\n", "> more\n", "Stage 'd' is cached - skipping run, checking out outputs\n"]
    clock = iter([10.0, 11.0, 73.5, 73.5, 80.0, 81.5])
    times = StageTimes(lambda: next(clock))
    assert list(times.read(lines)) == [
        "[0:01] b",
        "  12 rows",
        "[1:04] c@x",
        "[1:10] d: taken from the cache, where the same inputs have run",
    ]
    assert times.seconds == {"b": 62.5, "c@x": 8.0}


def test_a_duration_reads_as_a_clock():
    assert [duration(seconds) for seconds in (6.6, 750, 3723)] == ["0:07", "12:30", "1:02:03"]


def test_a_file_of_another_size_or_time_and_a_new_one_are_a_change(tmp_path: Path):
    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    write("data/rows", "one")
    write("data/__pycache__/x.pyc", "1")
    write("params.yaml", "seed: 0")
    write("dvc.lock", "stages: {a: {deps: [{path: data, md5: 0.dir}]}}")
    assert not unchanged(tmp_path)
    remember(tmp_path)
    assert unchanged(tmp_path)
    write("data/__pycache__/y.pyc", "2")
    assert unchanged(tmp_path)
    for change in (
        lambda: write("data/rows", "two"),
        lambda: write("data/more", ""),
        lambda: os.utime(tmp_path / "params.yaml", (1, 1)),
        (tmp_path / "data/more").unlink,
    ):
        change()
        assert not unchanged(tmp_path)
        remember(tmp_path)
    (tmp_path / ".dvc/tmp/steady-repro.json").write_text("{")
    assert not unchanged(tmp_path)


def test_a_copy_without_git_is_one_that_dvc_runs_in(tmp_path: Path):
    """What an unpacked ZIP is; in a clone nothing is set."""
    for name, git in (("my dad's projects (ü)", False), ("clone", True)):
        (tmp_path / name / ".dvc").mkdir(parents=True)
        if git:
            (tmp_path / name / ".git").mkdir()
        _allow_no_git(tmp_path / name)
        local = tmp_path / name / ".dvc/config.local"
        assert (local.is_file() and "no_scm = True" in local.read_text()) is not git
