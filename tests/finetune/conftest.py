"""Settings of LoRA and of a short training, and the tiny encoder."""

import pytest
from model_fixtures import tiny_encoder  # noqa: F401

from steady.finetune.params import LoraParams, TrainParams

LABELS = ("billing", "technical")


@pytest.fixture
def lora() -> LoraParams:
    return LoraParams(
        r=4,
        lora_alpha=8,
        lora_dropout=0.0,
        target_modules="all-linear",
        modules_to_save=None,
        use_rslora=False,
        use_dora=False,
    )


@pytest.fixture
def schedule() -> TrainParams:
    return TrainParams(
        num_train_epochs=3,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=1,
        learning_rate=3e-2,
        lr_scheduler_type="linear",
        warmup_steps=0.1,
        weight_decay=0.01,
        max_grad_norm=1.0,
        label_smoothing_factor=0.0,
        early_stopping_patience=3,
        base_dropout=0.0,
    )
