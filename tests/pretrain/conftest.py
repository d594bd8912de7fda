"""A corpus of a few hundred rows, written here, and params at which the pipeline takes seconds."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
COLOURS = ["red", "green", "blue", "black", "white", "brown"]
ANIMALS = ["fox", "hen", "cat", "dog", "owl", "rat", "bee", "ant"]
PLACES = ["barn", "road", "field", "river", "house", "garden"]


def sentence(generator: random.Random) -> str:
    colour, animal, place = (generator.choice(words) for words in (COLOURS, ANIMALS, PLACES))
    return f"The {colour} {animal} went to the {place} at {generator.randint(1, 999)} past noon."


def write_corpus(folder: Path, rows_per_task: int = 120) -> None:
    """Three tasks over the same kind of sentence: a colour, a yes or no, and a rewriting."""
    generator = random.Random(5)
    tasks = {
        "task001_colour": ("Name the colour of the animal. Answer with one word.", lambda s: s.split()[1]),
        "task002_fox": (
            "Answer yes if the animal is a fox. Otherwise answer no.",
            lambda s: "yes" if "fox" in s else "no",
        ),
        "task003_rewrite": ("Write the sentence in capital letters.", str.upper),
    }
    rows, facts = [], {}
    for name, (definition, answer) in tasks.items():
        facts[name] = {
            "definition": [definition],
            "categories": ["Misc."],
            "source": ["written for this test"],
            "license": "CC0",
            "rows": rows_per_task,
        }
        for _ in range(rows_per_task):
            text = sentence(generator)
            rows.append({"task": name, "input": text, "output": answer(text)})
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "rows.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    (folder / "tasks.json").write_text(json.dumps(facts), encoding="utf-8")


def shrink_params(params: dict[str, Any], corpus: Path) -> dict[str, Any]:
    """The shipped params at a tiny size."""
    params["corpus"] |= {"rows": str(corpus / "rows.jsonl.gz"), "tasks": str(corpus / "tasks.json"), "checkout": None}
    params["corpus"]["held_out_percent"] = 10.0
    params["tokenizer"]["vocab_size"] = 480
    for model in params["models"].values():
        model["architecture"] |= {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_decoder_layers": 1,
            "num_attention_heads": 2,
        }
        model["train"] |= {
            "micro_batch_tokens": 512,
            "gradient_accumulation_steps": 2,
            "short_length": 128,
            "long_length": 256,
            "long_every": 3,
            "target_length": 96,
            "max_steps": 50,
            "warmup_steps": 5,
            "decay_steps": 20,
        }
    params["evaluate"] |= {
        "classification_rows": 12,
        "language_rows": 12,
        "unseen_rows_per_task": 4,
        "generations": 4,
        "max_new_tokens": 4,
        "unseen_tasks": str(corpus / "unseen"),
    }
    return params


def write_unseen(folder: Path) -> None:
    """A checkout with one test task of two labels."""
    generator = random.Random(6)
    sentences = [sentence(generator) for _ in range(30)]
    answers = [["yes" if "hen" in text else "no"] for text in sentences]
    document = {
        "Definition": ["Answer yes if the animal is a hen."],
        "Input_language": ["English"],
        "Output_language": ["English"],
        "Instruction_language": ["English"],
        "Instances": [{"input": text, "output": answer} for text, answer in zip(sentences, answers, strict=True)],
    }
    (folder / "tasks").mkdir(parents=True)
    (folder / "splits/default").mkdir(parents=True)
    (folder / "tasks/task009_hen.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "splits/default/test_tasks.txt").write_text("task009_hen\ntask010_absent\n", encoding="utf-8")


@pytest.fixture(scope="session")
def params_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    write_corpus(folder)
    write_unseen(folder / "unseen")
    yaml = YAML(typ="safe")
    params = yaml.load((ROOT / "pretrain/params.yaml").read_text(encoding="utf-8"))
    path = folder / "params.yaml"
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(shrink_params(params, folder), stream)
    return path


@pytest.fixture(scope="session")
def prepared(params_path: Path) -> Path:
    """Folder ``data`` after the stages ``prepare`` and ``tokenizer``."""
    from click.testing import CliRunner

    from pretrain.stages import prepare, tokenizer

    data = params_path.parent / "data"
    for stage, options in (
        (prepare, ["--output", str(data / "prepared")]),
        (tokenizer, ["--data", str(data / "prepared"), "--output", str(data / "tokenizer.json")]),
    ):
        result = CliRunner().invoke(stage.main, ["--params", str(params_path), *options])
        assert result.exit_code == 0, result.output
    return data


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The data folder that STEADY_REAL_DATA names; the corpus lies beside it."""
    named = os.environ.get("STEADY_REAL_DATA")
    folder = Path(named or ROOT.parent / "shared" / "data")
    if not (folder.parent / "corpus" / "natural_instructions_tasks.json").is_file():
        pytest.skip("the real corpus is not here; STEADY_REAL_DATA names a data folder with ../corpus beside it")
    return folder
