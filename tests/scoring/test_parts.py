"""Scoring by several processes gives the bytes of one, and goes on from the parts that are there."""

import errno
import os
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from small_models import PROMPTS, described

from steady.errors import SteadyError
from steady.inference.likelihood import make_scorer
from steady.labels import LabelTask
from steady.models import ranks
from steady.records import Prediction
from steady.scoring.generated import Wanted, generated_answers
from steady.scoring.parts import shared_logits
from steady.scoring.predictions import classify
from steady.scoring.resume import Partial

LABELS = ("yes", "no", "perhaps")


def by_processes(monkeypatch, number, work):
    """What process 0 ends with; the processes run one after the other, process 0 last."""
    monkeypatch.setattr(ranks, "wait_for_all", lambda: None)
    for rank in reversed(range(number)):
        monkeypatch.setattr(ranks, "_worlds", [ranks.World(rank, number, rank)])
        if rank:
            with pytest.raises(ranks.ShareDone):
                work()
        else:
            return work()
    return None


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_bytes_of_a_model_that_writes_are_the_same_for_any_number_of_processes(tmp_path, monkeypatch, number):
    scorer = make_scorer(described("llama"), 4, 60)  # a small budget, so that there are several bundles

    def work(folder="parts"):
        wanted = Wanted(paired=False, references=True)
        found = generated_answers(scorer, PROMPTS, LabelTask(LABELS), wanted, Partial(tmp_path / folder))
        return replace(found, partial=Partial())

    expected = work("alone")
    assert len(list((tmp_path / "alone").iterdir())) >= 3
    assert msgspec.json.encode(by_processes(monkeypatch, number, work)) == msgspec.json.encode(expected)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("alone", "parts")]
    assert files[0] == files[1]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_predictions_of_a_classifier_are_the_same_for_any_number_of_processes(tmp_path, monkeypatch, number):
    batches = []

    def score(texts):
        batches.append(list(texts))
        return np.stack([np.random.default_rng(len(text)).normal(size=3).astype(np.float32) / 3 for text in texts])

    def work():
        texts = [prompt.prompt for prompt in PROMPTS]
        return classify(shared_logits(score, texts, 2, Partial(tmp_path), False), PROMPTS, LABELS, 2)

    expected = classify(score, PROMPTS, LABELS, 2)
    alone = list(batches)
    batches.clear()
    assert by_processes(monkeypatch, number, work) == expected
    assert sorted(batches) == sorted(alone)  # each batch was scored once, whole
    batches.clear()
    by_processes(monkeypatch, number, work)
    assert batches == []  # the parts are there


def test_process_0_says_that_it_misses_the_part_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "wait_for_all", lambda: None)
    monkeypatch.setattr(ranks, "_worlds", [ranks.World(0, 2, 0)])
    texts = [prompt.prompt for prompt in PROMPTS]
    with pytest.raises(SteadyError, match="bundle 1 of another process is not there"):
        shared_logits(lambda batch: np.zeros((len(batch), 3), np.float32), texts, 1, Partial(tmp_path), False)


def test_what_was_kept_and_cannot_be_deleted_is_named(tmp_path, monkeypatch, caplog):
    partial = Partial(tmp_path / "scoring")
    for text in ("", f"{partial.folder} could not be deleted."):
        partial.keep(0, [Prediction(prompt_id="p", text="red", parsed="red")])
        partial.clear()
        assert partial.folder.exists() == bool(text) and text in caplog.text and bool(caplog.text) == bool(text)
        monkeypatch.setattr(os, "rmdir", refused)


def refused(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))
