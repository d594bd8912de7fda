"""A whole run of a model that generates, prepare to report, in one process: tiny random models on the sample data."""

from importlib import import_module
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from minilm_params import minilm_values
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
ARMS = ("baseline", "control", "tuned")
LABELS = ["billing", "technical", "account", "shipping", "other"]


def write_model(folder: Path, task: str) -> Path:
    """A random model of some thousand weights with a tokenizer of bytes, as `model.id` names it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        T5Config,
        T5ForConditionalGeneration,
    )

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<pad>": 0, "</s>": 1, **{letter: place + 2 for place, letter in enumerate(letters)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens(["<pad>", "</s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if task == "SEQ_2_SEQ_LM":
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    torch.manual_seed(0)
    ends: dict[str, Any] = {"pad_token_id": 0, "eos_token_id": 1, "vocab_size": 264}
    if task == "SEQ_2_SEQ_LM":
        config = T5Config(d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4, decoder_start_token_id=0, **ends)
        model: Any = T5ForConditionalGeneration(config)
    else:
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        model = LlamaForCausalLM(LlamaConfig(max_position_embeddings=1024, bos_token_id=None, **sizes, **ends))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>").save_pretrained(folder)
    return folder


def settings(model: Path, task: str, labels: bool) -> dict[str, Any]:
    """The smoke recipe for a model that generates, on the tickets or on the groups of instructions."""
    values = minilm_values()
    values["model"] |= {"id": str(model), "task": task, "pooling": None, "num_threads": 1}
    values["data"] |= {"train_rows": 20, "validation_rows": 6, "test_rows": 12}
    values["format"] |= {"max_length": 320, "wordings_per_example": 4, "formats": 8, "orders": 4}
    values["train"] |= {"num_train_epochs": 1, "per_device_train_batch_size": 4}
    values["evaluate"] |= {"batch_size": 16, "max_new_tokens": 8, "within_words": 3, "bootstrap_draws": 100}
    families = ["spelling", "format", "paraphrase", "surface"] if labels else ["spelling", "paraphrase", "surface"]
    values["sensitivity"] |= {
        "test_groups": 3,
        "train_groups": 2,
        "wordings_per_family": 2,
        "bootstrap_draws": 100,
        "families": families,
    }
    values["compare"] |= {"permutations": 100, "bootstrap_draws": 100}
    values["runtime"] |= {"device": "cpu", "progress": False}
    values["arms"]["baseline"] |= {"method": "none"}
    if not labels:
        values["data"] |= {"train_rows": 36, "validation_rows": 12, "test_rows": 24}
        values["data"] |= {"labels": None, "sources": [{"path": VARIANTS, "format": "instruction-output-group"}]}
        values["format"] |= {"wordings": None, "trained_families": ["paraphrase", "surface"]}
    return values


VARIANTS = "data/raw/variants.jsonl"


def write_settings(run: Path, values: dict[str, Any]) -> None:
    """Write `params.yaml` of a run."""
    YAML(typ="safe", pure=True).dump(values, run / "params.yaml")


def stage(run: Path, name: str, *arguments: str) -> str:
    """Call one stage; paths that begin with `run:` lie in the folder of the run. What it printed comes back."""
    words = [str(run / word.removeprefix("run:")) if word.startswith("run:") else word for word in arguments]
    result = CliRunner().invoke(
        import_module(f"stages.{name}").main, ["--params", str(run / "params.yaml"), *words], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def prepare(run: Path) -> None:
    """The stages prepare and format."""
    splits = [
        word for split in ("train", "validation", "test") for word in (f"--{split}", f"run:prepared/{split}.jsonl")
    ]
    stage(run, "prepare", *splits, "--rejected", "run:prepared/rejected.jsonl", "--metrics", "run:metrics/data.json")
    stage(run, "format", "--prepared", "run:prepared", "--out", "run:formatted", "--metrics", "run:metrics/format.json")


def finetune(run: Path, arm: str, wordings: str) -> None:
    """Train one arm."""
    schedule = f"run:formatted/schedule/{wordings}"
    stage(
        run,
        "finetune",
        *("--arm", arm, "--train", "run:prepared/train.jsonl", "--schedule", f"{schedule}.jsonl"),
        *("--phrasebook", f"{schedule}.phrasebook.json", "--validation", "run:formatted/validation.jsonl"),
        *("--own", "data/raw/prompts"),
        *("--out", f"run:models/{arm}", "--curves", f"run:reports/arms/{arm}/training"),
    )


def evaluate(run: Path, arm: str, own: str = "data/raw/prompts") -> str:
    """Evaluate one arm."""
    reports = f"run:reports/arms/{arm}"
    return stage(
        run,
        "evaluate",
        *("--arm", arm, "--model", f"run:models/{arm}", "--prepared", "run:prepared"),
        *("--prompts", "run:formatted/evaluation.jsonl", "--own", own),
        *("--predictions", f"{reports}/predictions.jsonl", "--texts", f"{reports}/texts"),
        *("--confusion", f"{reports}/confusion.json"),
        *("--metrics", f"run:metrics/arms/{arm}/evaluate.json"),
    )


def sensitivity(run: Path, arm: str) -> str:
    """Score the reworded prompts with one arm."""
    reports = f"run:reports/arms/{arm}"
    return stage(
        run,
        "sensitivity",
        *("--arm", arm, "--model", f"run:models/{arm}", "--evaluated", f"run:metrics/arms/{arm}/evaluate.json"),
        *("--prompts", "run:formatted/sensitivity.jsonl", "--wordings", "run:formatted/wordings.jsonl"),
        *("--predictions", f"{reports}/sensitivity.jsonl", "--matrices", f"{reports}/matrices"),
        *("--metrics", f"run:metrics/arms/{arm}/sensitivity.json"),
    )


def conclude(run: Path) -> None:
    """The stages compare and report."""
    places = ["--metrics", "run:metrics/arms", "--reports", "run:reports/arms", "--prompts", "run:formatted"]
    comparison = ["--out", "run:metrics/comparison.json", "--headline", "run:metrics/headline.json"]
    stage(run, "compare", *places, *comparison, "--claims", str(ROOT / "claims.yaml"))
    stage(
        run,
        "report",
        *places,
        *("--comparison", "run:metrics/comparison.json", "--data", "run:metrics/data.json"),
        *("--format", "run:metrics/format.json"),
        *("--rejected", "run:prepared/rejected.jsonl", "--versions", str(ROOT / "requirements.txt")),
        *("--previews", "run:reports/previews.md", "--out", "run:reports/index.html"),
    )
