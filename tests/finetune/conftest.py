"""A tiny random encoder with the real tokenizer of the packaged one, made once."""

import pytest
from small_models import random_encoder

from steady.finetune.params import LoraParams, TrainParams
from steady.models.params import ModelParams

LABELS = ("billing", "technical")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> ModelParams:
    return random_encoder(tmp_path_factory.mktemp("tiny"))


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
