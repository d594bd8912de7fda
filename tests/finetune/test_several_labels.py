"""Training where a row may have several labels: the pooled head and a stock head, LoRA and every weight."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import trained_by

from steady.errors import SteadyError
from steady.finetune.classifier.supervised import allow_several, train, wrap_with_lora
from steady.finetune.params import LoraParams, TrainParams
from steady.inference.classifier import model_logits
from steady.labels import LabelTask, log_sigmoid
from steady.models.base import locate
from steady.models.load import load_classifier, load_tokenizer, prepare_torch
from steady.models.params import ModelParams

TASK = LabelTask(("billing", "technical", "shipping"), multi_label=True)
TEXTS = ["you charged my card twice", "the app shows an error", "the parcel is late", "good morning to you"]
ANSWERS = ["billing", "technical", "billing, shipping", "none"]


class Rows:
    """What `train` needs of a dataset."""

    def __init__(self, tokenizer: Any) -> None:
        pairs = list(zip(TEXTS, ANSWERS, strict=True)) * 4
        self.rows = [{**tokenizer(text), "labels": TASK.target(answer)} for text, answer in pairs]
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


@pytest.mark.parametrize(("pooling", "adapted"), [("mean", True), (None, True), (None, False)])
def test_the_best_epoch_is_chosen_by_binary_cross_entropy_and_whole_sets_are_counted_right(
    tiny_encoder: ModelParams, lora: LoraParams, schedule: TrainParams, tmp_path: Path, pooling: Any, adapted: bool
) -> None:
    base = tiny_encoder.model_copy(update={"pooling": pooling})
    prepare_torch(base, 0)
    tokenizer, model = load_tokenizer(base), load_classifier(base, TASK.labels)
    allow_several(model, schedule)
    rate = schedule.learning_rate if adapted else 3e-3
    params = schedule.model_copy(update={"num_train_epochs": 2, "learning_rate": rate})
    model = wrap_with_lora(model, lora, locate(base)) if adapted else model
    rows = Rows(tokenizer)
    summary = train(model, tokenizer, rows, rows.rows, trained_by(params, tmp_path))  # type: ignore[arg-type]
    logits = model_logits(model.eval(), tokenizer, 32)(TEXTS)
    targets = np.array([TASK.target(answer) for answer in ANSWERS])
    loss = -np.where(targets > 0, log_sigmoid(logits), log_sigmoid(-logits)).mean()
    assert summary["best"]["validation_loss"] == pytest.approx(loss, rel=1e-3) and loss < np.log(2)
    right = [TASK.answer(log_sigmoid(row))[0] == answer for row, answer in zip(logits, ANSWERS, strict=True)]
    assert summary["best"]["validation_accuracy"] == pytest.approx(np.mean(right))


def test_a_stock_head_records_what_it_is_and_smoothing_is_refused(
    tiny_encoder: ModelParams, schedule: TrainParams
) -> None:
    model = load_classifier(tiny_encoder.model_copy(update={"pooling": None}), TASK.labels)
    allow_several(model, schedule)
    assert model.config.problem_type == "multi_label_classification"
    ids = torch.tensor([[101, 102]])
    out = model(input_ids=ids, labels=torch.tensor([[1.0, 0.0, 1.0]]))
    assert out.loss.item() == pytest.approx(
        torch.nn.functional.binary_cross_entropy_with_logits(out.logits, torch.tensor([[1.0, 0.0, 1.0]])).item()
    )
    with pytest.raises(SteadyError, match=r"label_smoothing_factor.*data.multi_label"):
        allow_several(model, schedule.model_copy(update={"label_smoothing_factor": 0.1}))
