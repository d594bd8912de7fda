"""Settings of LoRA and of a short training, the tiny encoder, and checkpoints that cost little."""

from collections.abc import Iterator

import pytest
from model_fixtures import tiny_encoder  # noqa: F401

from steady.finetune.params import LoraParams, TrainParams

LABELS = ("billing", "technical")


@pytest.fixture(scope="module", autouse=True)
def quick_saves() -> Iterator[None]:
    """Nothing waits for the disk, and PEFT writes no card: the arm has its own, and a checkpoint needs none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steady.finetune.checkpoints.checkpoints._to_disk", lambda path: None)
        patch.setattr("peft.PeftModel.create_or_update_model_card", lambda *_: None)
        yield


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
