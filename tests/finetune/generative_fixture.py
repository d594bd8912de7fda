"""Small random models that generate, a few rows of a label task and of free answers, and an arm trained on them."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from minilm_params import minilm_values
from small_models import byte_tokenizer, random_model

from steady.finetune.finetune import finetune
from steady.finetune.params import Arm, FinetuneParams, TrainParams
from steady.finetune.run import TrainingData, TrainingRun
from steady.models.arm import ArmManifest
from steady.prompts.levels import available_wordings
from steady.prompts.phrasebook import phrasebook
from steady.prompts.schedule import TrainingPrompts
from steady.records import CANONICAL, Example, Prompt, ScheduleRow

ROOT = Path(__file__).parents[2]
TASKS = {"llama": "CAUSAL_LM", "gpt2": "CAUSAL_LM", "t5": "SEQ_2_SEQ_LM"}
LABELS = ("red", "blue")
ROWS = 12


def model_folder(root: Path, name: str) -> Path:
    """A fresh copy of a random model with its tokenizer; no token but the tokenizer's end ends an answer."""
    folder = root / name
    if not folder.is_dir():
        model = random_model(name)
        eos, model.generation_config.eos_token_id = model.generation_config.eos_token_id, byte_tokenizer().eos_token_id
        start = model.generation_config.decoder_start_token_id
        model.save_pretrained(folder)
        model.generation_config.eos_token_id = eos
        model.generation_config.decoder_start_token_id = start
        byte_tokenizer().save_pretrained(folder)
    return folder


def examples(answers: Sequence[str] = LABELS, rows: int = ROWS) -> list[Example]:
    """Rows whose answer is the first word of their text, of several lengths."""
    made = []
    for place in range(rows):
        answer = answers[place % len(answers)]
        text = f"{answer} thing{' indeed' * (place % 3)} {place}"
        made.append(
            Example(id=f"e{place}", group_id=f"e{place}", instruction="Say the colour.", input=text, output=answer)
        )
    return made


def material(rows: Sequence[Example], labels: tuple[str, ...] = LABELS, wordings: int = 3) -> TrainingData:
    """Training prompts under some wordings that change from epoch to epoch, and the same rows for validation."""
    view = values()
    from steady.prompts.params import FormatParams

    trained = [one for one in available_wordings(None, FormatParams.model_validate(view["format"])) if one.trained]
    chosen = [one for one in trained if one.id == CANONICAL or one.family == "surface"][:wordings]
    ids = [one.id for one in chosen]
    schedule = [
        ScheduleRow(example_id=row.id, wordings=ids[n % len(ids) :] + ids[: n % len(ids)]) for n, row in enumerate(rows)
    ]
    prompts = TrainingPrompts(list(rows), schedule, phrasebook(chosen, None))
    asked = [
        Prompt(
            id=f"v{place}",
            group_id=row.group_id,
            example_id=row.id,
            wording=CANONICAL,
            prompt=prompts.prompt(place, 0),
            completion=row.output,
            split="validation",
        )
        for place, row in enumerate(rows)
    ]
    return TrainingData(prompts=prompts, validation=asked, labels=labels)


@cache
def values() -> dict[str, Any]:
    """The parameters of a recipe of a small classifier in float32, whatever the committed ones are."""
    return minilm_values()


def view(folder: Path, task: str, **sections: dict[str, Any]) -> FinetuneParams:
    """The parameters of an arm `tuned`: small, on one thread; `sections` change keys."""
    arm = {"method": "lora", "wordings": "variants", "objective": "sft"}
    changed: dict[str, dict[str, Any]] = {
        "model": {"id": str(folder), "revision": None, "task": task, "pooling": None, "num_threads": 1},
        "format": {"max_length": 96},
        "lora": {"r": 2, "lora_dropout": 0.2},
        "train": {
            "num_train_epochs": 3,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 2,
            "learning_rate": 0.01,
        },
        "runtime": {"device": "cpu", "progress": False},
    }
    whole = {name: dict(section) if isinstance(section, dict) else section for name, section in values().items()}
    for source in (changed, {name: section for name, section in sections.items() if name != "arm"}):
        for name, section in source.items():
            whole[name] = whole[name] | section
    whole["data"] = {"labels": list(LABELS)}
    whole["arms"] = {"tuned": arm | sections.get("arm", {})}
    return FinetuneParams.model_validate(whole)


def trained_by(schedule: TrainParams, curves: Path) -> TrainingRun:
    """A run that trains a classifier as `schedule` says, with seed 0, on what is handed to it."""
    runtime = SimpleNamespace(device="cpu", progress=False, report_to=())
    arm = Arm(method="lora", wordings="variants", objective="sft")
    params: Any = SimpleNamespace(train=schedule, seed=0, runtime=runtime, arms={"tuned": arm})
    data: Any = None
    return TrainingRun("tuned", params, data, curves)


RUN_EACH = """
import os, sys
for folder, code in zip(sys.argv[1::2], sys.argv[2::2]):
    os.chdir(folder)
    exec(code, {"__name__": "__main__"})
    print("END")
"""


def last_lines(arms: Sequence[Path], environment: Mapping[str, str] | None = None) -> list[str]:
    """Run the quick starts of the cards of arms, as they stand, in one new process: the last line that each prints.

    The process imports the libraries, which takes longer than all the rest, once.
    """
    words = []
    for arm in arms:
        card = (arm / "README.md").read_text(encoding="utf-8")
        code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
        assert code is not None and "steady" not in code[1] and "More Information Needed" not in card
        words += [str(arm), code[1]]
    command = [sys.executable, "-c", RUN_EACH, *words]
    done = subprocess.run(command, cwd=arms[0], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [output.strip().splitlines()[-1] for output in done.stdout.split("END\n")[:-1]]


def train_arm(folder: Path, params: FinetuneParams, given: TrainingData, root: Path | None = None) -> ArmManifest:
    """Train into `folder/arm`, with curves and previews in `folder/curves`."""
    return finetune("tuned", params, given, folder / "arm", folder / "curves", root)
