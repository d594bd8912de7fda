"""Samplers show the same rows in the same number of steps, and differ in what shares a batch."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import examples, material

from steady.errors import SteadyError
from steady.finetune.sampling import Sampling
from steady.prompts.levels import CANONICAL_WORDING
from steady.prompts.phrasebook import phrasebook
from steady.prompts.schedule import TrainingPrompts, canonical_schedule

ROWS = 12
PROMPTS = material(examples(rows=ROWS), wordings=4).prompts


def batches(kind: str, epoch: int, rows: int = ROWS, size: int = 4, count: int = 1) -> list[list[tuple[int, str]]]:
    sampler = Sampling(kind, count, size, size, seed=3).over(PROMPTS, range(rows))
    shown = sampler.shown(epoch)
    order = sampler.order(epoch, [len(PROMPTS.worded(*one)) for one in shown])
    assert sorted(order) == list(range(len(sampler)))
    drawn = [shown[place] for place in order]
    return [drawn[start : start + size] for start in range(0, len(drawn), size)]


@pytest.mark.parametrize("count", [2, 4])
def test_after_as_many_epochs_as_wordings_together_grouped_has_shown_the_rows_of_shuffled(count):
    grouped = Counter(
        row for epoch in range(count) for batch in batches("grouped", epoch, count=count) for row in batch
    )
    shuffled = Counter(row for epoch in range(count) for batch in batches("shuffled", epoch) for row in batch)
    assert grouped == shuffled


@pytest.mark.parametrize("rows", [12, 11, 5])
@pytest.mark.parametrize("epoch", range(3))
def test_a_batch_of_grouped_has_whole_items_and_an_epoch_as_many_steps_as_that_of_shuffled(rows, epoch):
    drawn = batches("grouped", epoch, rows, count=2)
    for batch in drawn:
        for one, other in zip(batch[::2], batch[1::2], strict=True):
            assert one[0] == other[0] and one[1] != other[1]
    assert len(drawn) == len(batches("shuffled", epoch, rows))


def test_a_step_of_by_wording_has_one_wording_and_the_canonical_ones_come_as_often_as_in_the_schedule():
    drawn = [batch for epoch in range(4) for batch in batches("by_wording", epoch)]
    assert all(len({wording for _, wording in batch}) == 1 for batch in drawn)
    assert all(sorted(place for batch in drawn[:3] for place, _ in batch) == list(range(ROWS)) for _ in "a")
    # A quarter of the schedule is canonical, and the three other wordings take turns.
    assert Counter(batch[0][1] == "canonical" for batch in drawn) == {True: 3, False: 9}
    assert set(Counter(batch[0][1] for batch in drawn).values()) == {3}


def test_every_epoch_has_another_order_and_every_seed_too():
    for kind in ("shuffled", "by_wording", "grouped"):
        assert batches(kind, 0, count=2) != batches(kind, 1, count=2)
        other = Sampling(kind, 2, 4, 4, seed=4).over(PROMPTS, range(ROWS))
        mine = Sampling(kind, 2, 4, 4, seed=3).over(PROMPTS, range(ROWS))
        assert [other.shown(0), other.order(0, [1] * ROWS)] != [mine.shown(0), mine.order(0, [1] * ROWS)]


def test_by_wording_with_one_wording_alone_is_refused():
    rows = examples()
    alone = TrainingPrompts(rows, canonical_schedule(rows, None), phrasebook([CANONICAL_WORDING], None))
    with pytest.raises(SteadyError, match="no wording but the canonical one"):
        Sampling("by_wording", batch_rows=4, step_rows=4).over(alone, range(ROWS)).shown(0)
