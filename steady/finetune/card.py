"""The model card of a trained arm: front matter for the Hub, results as `model-index`, and a quick start that runs as it stands."""

import io
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from steady.models.base import Base


@dataclass(frozen=True)
class CardFacts:
    """Everything the card states; nothing in it is a placeholder."""

    arm: str
    method: str
    pooled: bool
    wordings: str
    base: Base
    labels: tuple[str, ...]
    max_length: int
    sources: tuple[str, ...]
    train_rows: int
    validation_rows: int
    settings: dict[str, Any]
    training: dict[str, Any]
    example: str
    seed: int
    multi_label: bool = False


def render_card(facts: CardFacts) -> str:
    """The whole `README.md` of the arm's folder."""
    return f"---\n{_front_matter(facts)}---\n\n{_body(facts)}"


def _front_matter(facts: CardFacts) -> str:
    best = facts.training["best"]
    values: dict[str, Any] = {
        "base_model": facts.base.public_id,
        "library_name": "peft" if facts.method == "lora" else "transformers",
        "pipeline_tag": "text-classification",
        "license": facts.base.licence or "other",
        "language": "en",
        "metrics": ["accuracy"],
        "tags": [facts.method, "text-classification", "prompt-sensitivity", "steady"],
        "model-index": [
            {
                "name": f"steady-{facts.arm}",
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {"type": "json", "name": ", ".join(facts.sources), "split": "validation"},
                        "metrics": [
                            {"type": "accuracy", "value": round(best["validation_accuracy"], 6)},
                            {"type": "loss", "value": round(best["validation_loss"], 6)},
                        ],
                    }
                ],
            }
        ],
    }
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(values, stream)
    return stream.getvalue()


def _body(facts: CardFacts) -> str:
    kind = {"lora": "LoRA adapter", "full": "fully fine-tuned model"}[facts.method]
    trained_on = "many wordings of each prompt" if facts.wordings == "variants" else "one wording of each prompt"
    best = facts.training["best"]
    settings = "\n".join(f"| `{name}` | `{value}` |" for name, value in facts.settings.items())
    return f"""# steady-{facts.arm}

A {kind} for [{facts.base.public_id}](https://huggingface.co/{facts.base.public_id}) ({facts.base.weights}) that
{_purpose(facts)}. It was trained on {trained_on}, to see whether the answer stays the same
when only the wording of the prompt changes.

## Uses

Texts like those it was trained on, put as one of the prompts it was trained on (below). Out of scope: other label
sets, other languages, and decisions about people; a wrong label can send a message to the wrong desk, so keep a person
in the loop.

## Limits

It knows {facts.train_rows} training rows. Its probabilities are not calibrated; rewordings of kinds it never saw can
still change its answer. How often they do is measured per family of rewordings in the repository's `metrics/`.

## Quick start

```python
{_quick_start(facts)}```

## Training

Data: {", ".join(f"`{source}`" for source in facts.sources)}; {facts.train_rows} rows for training and {facts.validation_rows} for validation.
Best epoch {best["epoch"]:g} (step {best["step"]}) by validation loss, out of {facts.training["epochs"]:g} epochs; seed {facts.seed}.
Trainable parameters: {facts.training["trainable_parameters"]:,} of {facts.training["parameters"]:,} ({facts.training["trainable_percent"]:g} %).

| setting | value |
|---|---|
{settings}

## Results

On the validation prompts, which chose the epoch: accuracy {best["validation_accuracy"]:.4f}, loss {best["validation_loss"]:.4f}. Figures on the
test split, with intervals and paired tests against the baseline, are in `metrics/comparison.json` of the repository,
which `dvc repro` rebuilds.
"""


def _purpose(facts: CardFacts) -> str:
    labels = ", ".join(facts.labels)
    return (
        f"names which of {labels} apply to a text (several may, or none)"
        if facts.multi_label
        else f"sorts a text into {labels}"
    )


def _quick_start(facts: CardFacts) -> str:
    """Plain transformers and peft; `folder` is where this card lies: a folder or the Hub id it was pushed to."""
    auto = "AutoModel" if facts.pooled else "AutoModelForSequenceClassification"
    adapted = facts.method == "lora"
    imports = ["import torch", *["from peft import PeftModel"] * adapted]
    imports += ["from safetensors.torch import load_file"] * facts.pooled
    imports += [f"from transformers import {auto}, AutoTokenizer"]
    body = POOLED_SCORE if facts.pooled else HEAD_SCORE
    return "\n".join(imports) + body.format(
        labels=list(facts.labels),
        model=_load(facts, auto) if adapted else f"{auto}.from_pretrained(folder)",
        prompt=facts.example,
        max_length=facts.max_length,
        found=SEVERAL if facts.multi_label else ONE,
    )


def _load(facts: CardFacts, auto: str) -> str:
    head = "" if facts.pooled else ", num_labels=len(labels), id2label=dict(enumerate(labels))"
    return f"PeftModel.from_pretrained({auto}.from_pretrained({facts.base.arguments}{head}), folder)"


ONE = "labels[int(logits.argmax())]"
SEVERAL = "[label for label, logit in zip(labels, logits[0]) if logit >= 0]"

POOLED_SCORE = """

folder = "."  # this folder
labels = {labels}
tokenizer = AutoTokenizer.from_pretrained(folder)
encoder = {model}.eval()
head = load_file(f"{{folder}}/head.safetensors")

prompt = {prompt!r}
inputs = tokenizer(prompt, truncation=True, max_length={max_length}, return_tensors="pt")
with torch.inference_mode():
    hidden = encoder(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1)
    pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    logits = pooled @ head["weight"].T + head["bias"]
print({found}, logits.tolist())
"""

HEAD_SCORE = """

folder = "."  # this folder
labels = {labels}
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {model}.eval()

prompt = {prompt!r}
inputs = tokenizer(prompt, truncation=True, max_length={max_length}, return_tensors="pt")
with torch.inference_mode():
    logits = model(**inputs).logits
print({found}, logits.tolist())
"""
