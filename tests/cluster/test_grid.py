"""What overrides expand to, what a grid shares, and what is made of Slurm's answers."""

from pathlib import Path

import pytest

from steady.cluster.grid import check_points, expand, minutes_of, shared_stages, varied
from steady.cluster.plan import Folder, Plan
from steady.cluster.slurm import _numbers
from steady.cluster.status import statuses, table
from steady.errors import SteadyError

ROOT = Path(__file__).resolve().parents[2]


def test_a_grid_is_every_combination_after_the_grammar_of_hydra():
    points = expand(["lora.r=4,8", "seed=range(0,3)", "lora.target_modules=[query,key]"], "smoke")
    assert len(points) == 6
    assert points[1] == ["+recipe=smoke", "lora.r=4", "seed=1", "lora.target_modules=[query,key]"]
    assert varied(points) == ["lora.r", "seed"]


@pytest.mark.parametrize(
    "overrides, named",
    [
        (["lora.r=["], "-S"),
        (["lora.r=4", "lora.r=8"], "twice"),
        (["lora.rank=4"], "lora.rank"),
        (["lora.r=4,0"], "lora.r=0"),
    ],
    ids=["no override", "a key twice", "no such key", "a value that a stage refuses"],
)
def test_a_grid_that_could_not_run_is_refused_before_it_is_submitted(overrides, named):
    with pytest.raises(SteadyError, match=named):
        check_points(ROOT, expand(overrides))


@pytest.mark.parametrize(
    "keys, shared, not_shared",
    [
        (["lora.r"], "sensitivity@baseline", "finetune@tuned"),
        (["seed"], "format", "finetune@baseline"),
        (["compare.permutations"], "sensitivity@tuned", "compare"),
        (["recipe"], None, "prepare"),
    ],
)
def test_stages_that_no_varied_key_reaches_are_shared(keys, shared, not_shared):
    found = shared_stages(ROOT, keys)
    assert shared is None or shared in found
    assert not_shared not in found and "report" not in found


@pytest.mark.parametrize("text, minutes", [("90", 90), ("1:30:00", 90), ("0:30", 1), ("2-12", 3600), ("1-0:1:0", 1441)])
def test_times_are_those_of_slurm(text, minutes):
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "an hour", "1:2:3:4", "0"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(SteadyError, match="--time"):
        minutes_of(text)


def test_a_record_of_slurm_may_stand_for_many_tasks():
    assert _numbers("2-4,7%2") == [2, 3, 4, 7]
    assert _numbers("5") == [5]


def test_a_task_that_has_recorded_its_end_is_done_or_failed_and_any_other_is_as_slurm_says(tmp_path, monkeypatch):
    folder = Folder(tmp_path, "grid")
    points = [["seed=1", f"lora.r={rank}"] for rank in range(1, 7)]
    plan = Plan(
        name="grid", commit="c", cache="k", points=points, shared=[], cluster="slurm", jobs=[f"7_{n}" for n in range(6)]
    )
    for number, code in ((0, 0), (1, 1), (2, None), (4, None)):
        attempt = folder.begin(number)
        attempt.code, attempt.seconds = code, None if code is None else 5.0
        folder.write_attempt(number, attempt)
    folder.log(1).parent.mkdir()
    folder.log(1).write_text("step 1\nError: no label x\nERROR: failed to reproduce 'finetune'\n")
    answers = {"7_2": ("RUNNING", "None"), "7_3": ("PENDING", "Resources"), "7_4": ("CANCELLED", "None")}
    monkeypatch.setattr(
        "steady.cluster.status.job_states", lambda jobs: {job: answers[job] for job in jobs if job in answers}
    )
    lines = list(table(folder, plan, statuses(folder, plan)))
    assert lines[0] == "all: seed=1"
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["0", "done"], ["1", "failed"], ["2", "running"], ["3", "waiting"], ["4", "cancelled"], ["5", "cancelled"]
    ]  # fmt: skip
    assert "Error: no label x" in lines[2]
    answers.clear()  # as Slurm forgets
    assert "cancelled" in list(table(folder, plan, statuses(folder, plan)))[5]
