"""LoRA on a tiny encoder: what it trains, saves and gets back."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import trained_by

from steady.errors import SteadyError
from steady.finetune.classifier.supervised import train, wrap_with_lora
from steady.finetune.finetune import save_trained
from steady.finetune.params import LoraParams, TrainParams
from steady.finetune.training import set_base_dropout
from steady.inference.arm import load_scorer
from steady.inference.classifier import model_logits
from steady.models.arm import ArmManifest, write_manifest
from steady.models.base import locate
from steady.models.load import load_base, load_classifier, load_tokenizer, prepare_torch
from steady.models.params import ModelParams
from steady.models.pooled import PooledClassifier

LABELS = ("billing", "technical")
TEXTS = ["you charged my card twice", "the app shows an error", "refund me please", "it crashes when it starts"] * 4
GOLD = [0, 1, 0, 1] * 4


class Rows:
    """What `train` needs of a dataset: rows, and an epoch that it is told."""

    def __init__(self, tokenizer: Any) -> None:
        self.rows = [{**tokenizer(text), "labels": gold} for text, gold in zip(TEXTS, GOLD, strict=True)]
        self.epoch = 0
        self.epochs: list[int] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        self.epochs.append(self.epoch)
        return self.rows[index]


def trained(
    base: ModelParams, lora: LoraParams, schedule: TrainParams, folder: Path
) -> tuple[Any, dict[str, Any], Rows]:
    prepare_torch(base, 0)
    tokenizer = load_tokenizer(base)
    model = wrap_with_lora(load_classifier(base, LABELS), lora, locate(base))
    rows = Rows(tokenizer)
    summary = train(model, tokenizer, rows, rows.rows, trained_by(schedule, folder / "curves"))  # type: ignore[arg-type]
    save_trained(model, tokenizer, folder)
    return model, summary, rows


def test_only_lora_and_the_head_are_trained(tiny_encoder: ModelParams, lora: LoraParams) -> None:
    model = wrap_with_lora(load_classifier(tiny_encoder, LABELS), lora, locate(tiny_encoder))
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {"head.weight", "head.bias"} < trainable
    assert all("lora_" in name or name.startswith("head.") for name in trainable)


def test_a_target_module_that_matches_nothing_names_the_linear_layers(
    tiny_encoder: ModelParams, lora: LoraParams
) -> None:
    wrong = lora.model_copy(update={"target_modules": ["nowhere"]})
    with pytest.raises(SteadyError, match=r"nowhere[\s\S]*query"):
        wrap_with_lora(load_classifier(tiny_encoder, LABELS), wrong, locate(tiny_encoder))


def test_base_dropout_leaves_the_dropout_of_lora_alone(tiny_encoder: ModelParams, lora: LoraParams) -> None:
    dropping = lora.model_copy(update={"lora_dropout": 0.25})
    model = wrap_with_lora(load_classifier(tiny_encoder, LABELS), dropping, locate(tiny_encoder))
    set_base_dropout(model, 0.0)
    kept = {
        module.p
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Dropout) and "lora_dropout" in name
    }
    base = {
        module.p
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Dropout) and "lora_dropout" not in name
    }
    assert (kept, base) == ({0.25}, {0.0})


def test_training_learns_tells_epochs_and_reloads_to_the_same_logits(
    tiny_encoder: ModelParams, lora: LoraParams, schedule: TrainParams, tmp_path: Path
) -> None:
    model, summary, rows = trained(tiny_encoder, lora, schedule, tmp_path)
    assert summary["best"]["validation_loss"] < 0.6 < summary["first_loss"]
    assert sorted(set(rows.epochs)) == [0, 1, 2]
    # of all three epochs, without padding
    assert summary["tokens_shown"] == 3 * sum(len(row["input_ids"]) for row in rows.rows)
    assert (tmp_path / "curves/plots/metrics/train/loss.tsv").is_file()
    manifest = ArmManifest(
        method="lora",
        base=tiny_encoder.id,
        revision=None,
        labels=list(LABELS),
        max_length=32,
        seed=0,
        training={},
    )
    write_manifest(tmp_path, manifest)
    again = load_scorer(tmp_path, tiny_encoder, "cpu")(TEXTS[:4])
    now = model_logits(model.eval(), load_tokenizer(tiny_encoder), 32)(TEXTS[:4])
    assert np.allclose(now, again, atol=1e-5)
    untrained = PooledClassifier(load_base(tiny_encoder, LABELS, headless=True), model.head)
    assert not np.allclose(now, model_logits(untrained.eval(), load_tokenizer(tiny_encoder), 32)(TEXTS[:4]), atol=1e-4)


def test_two_trainings_write_the_same_bytes(
    tiny_encoder: ModelParams, lora: LoraParams, schedule: TrainParams, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        trained(tiny_encoder, lora, schedule, tmp_path / name)
    for file in sorted(path for path in (tmp_path / "one").rglob("*") if path.is_file()):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes(), file


def test_the_lists_of_the_adapter_config_are_sorted(
    tiny_encoder: ModelParams, lora: LoraParams, schedule: TrainParams, tmp_path: Path
) -> None:
    trained(tiny_encoder, lora, schedule.model_copy(update={"num_train_epochs": 1}), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["base_model_name_or_path"] == tiny_encoder.id
    assert not (tmp_path / "training_args.bin").exists()


def test_a_loss_that_is_not_finite_stops_the_run(
    tiny_encoder: ModelParams, lora: LoraParams, schedule: TrainParams, tmp_path: Path
) -> None:
    with pytest.raises(SteadyError, match=r"not finite.*learning_rate"):
        trained(
            tiny_encoder, lora, schedule.model_copy(update={"learning_rate": 1e30, "max_grad_norm": 1e30}), tmp_path
        )
