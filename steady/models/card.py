"""The model card, of an adapter, a fully fine-tuned model or a merged one: front matter for the Hub, then sections that are there
or not, and a quick start that runs with plain transformers and PEFT.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ruamel.yaml import YAML

from steady.models.arm import ArmManifest
from steady.models.base import Base
from steady.models.chat import DATE
from steady.models.params import AUTO_MODELS, ModelParams

PIPELINES = {"SEQ_CLS": "text-classification", "CAUSAL_LM": "text-generation", "SEQ_2_SEQ_LM": "text2text-generation"}
KINDS = {
    "adapter": "LoRA adapter",
    "full": "fully fine-tuned model",
    "merged": "model with a LoRA adapter merged into its weights",
}
OBJECTIVES = {
    "sft": "supervised fine-tuning",
    "dpo": "supervised fine-tuning, then DPO",
    "grpo": "supervised fine-tuning, then GRPO",
}
# The names that the Hub has for figures of a validation split, and the names that a record has.
FIGURES = {"loss": "validation_loss", "accuracy": "validation_accuracy", "exact_match": "validation_generated_accuracy"}


@dataclass(frozen=True)
class CardTraining:
    """What a card says of a training beside what `steady.json` keeps of it; `settings` are the sections that it used."""

    objective: str
    wordings: str
    sources: tuple[str, ...]
    train_rows: int
    validation_rows: int
    settings: Mapping[str, object]


@dataclass(frozen=True)
class Card:
    """Everything a card states; nothing in it is a placeholder.

    `example` is the prompt of the quick start, and `note` a paragraph after it. `training` is None where it is another card that says
    how the weights were trained.
    """

    name: str
    kind: Literal["adapter", "full", "merged"]
    base: Base
    model: ModelParams
    manifest: ArmManifest
    example: str
    training: CardTraining | None = None
    note: str = ""

    @property
    def pooled(self) -> bool:
        """Whether the head lies beside an encoder, in `head.safetensors`."""
        return self.model.pooling is not None


def render_card(card: Card) -> str:
    """The whole `README.md` of the model's folder."""
    rows = f"It learned from {card.training.train_rows} rows. " if card.training else ""
    limits = (
        f"## Limits\n\n{rows}Its probabilities are not calibrated, and rewordings of kinds that it never saw can still change its "
        "answer.\nHow often they do is measured per family of rewordings in the repository's `metrics/`."
    )
    sections = [_title(card), USES, limits, f"## Quick start\n\n```python\n{quick_start(card)}```", card.note]
    if card.training is not None:
        sections.append(_training(card, card.training))
        best = card.manifest.training["best"]
        figures = ", ".join(f"{name.replace('_', ' ')} {best[key]:.4f}" for name, key in FIGURES.items() if key in best)
        sections.append(
            f"## Results\n\nOn the validation prompts, which chose the step: {figures}. Figures on the test split, with intervals and "
            "paired\ntests against the baseline, are in `metrics/comparison.json` of the repository, which `dvc repro` rebuilds."
        )
    return f"---\n{_front_matter(card)}---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _front_matter(card: Card) -> str:
    pipeline = PIPELINES[card.model.task]
    method = {"adapter": "lora", "full": "full", "merged": "merged"}[card.kind]
    values: dict[str, object] = {
        "base_model": card.base.public_id,
        "library_name": "peft" if card.kind == "adapter" else "transformers",
        "pipeline_tag": pipeline,
        "license": card.base.licence or "other",
        "tags": [method, pipeline, "prompt-sensitivity", "steady"],
    }
    if card.training is not None:
        best = card.manifest.training["best"]
        metrics = [{"type": name, "value": round(best[key], 6)} for name, key in FIGURES.items() if key in best]
        data = {"type": "json", "name": ", ".join(card.training.sources), "split": "validation"}
        results = [{"task": {"type": pipeline}, "dataset": data, "metrics": metrics}]
        # The Hub shows the figures of this entry beside the model.
        values["model-index"] = [{"name": card.name, "results": results}]
    stream, yaml = io.StringIO(), YAML()
    yaml.default_flow_style = False
    yaml.dump(values, stream)
    return stream.getvalue()


def _title(card: Card) -> str:
    labels, several = ", ".join(card.manifest.labels), card.manifest.multi_label
    if card.model.task != "SEQ_CLS":
        number = "any of" if several else "one of"
        purpose = f"answers a prompt with {number} {labels}" if labels else "answers a prompt with a text"
    elif several:
        purpose = f"names which of {labels} apply to a text (several may, or none)"
    else:
        purpose = f"sorts a text into {labels}"
    text = f"# {card.name}\n\nA {KINDS[card.kind]}, made from {_base(card)}, that {purpose}."
    if card.training is None:
        return text
    wordings = "many wordings" if card.training.wordings == "variants" else "one wording"
    name = card.training.objective
    objective = OBJECTIVES.get(name, f"supervised fine-tuning with the objective {name}")
    return (
        f"{text} It was trained by {objective}\non {wordings} of each prompt, to see whether the answer stays the same when only "
        "the wording of the prompt changes."
    )


def _base(card: Card) -> str:
    base, loaded = card.base, card.model.quantization
    # A base that is a folder of the repository has no page on the Hub.
    if base.revision is None and (base.gguf_file or base.source == base.public_id):
        name, facts = f"the model in `{base.public_id}` of the repository", [base.weights] if base.quantised else []
    else:
        name, facts = f"[{base.public_id}](https://huggingface.co/{base.public_id})", [base.weights]
    if loaded != "none" and card.kind != "merged":
        facts.append(f"loaded in {loaded}")
    return f"{name} ({', '.join(facts)})" if facts else name


USES = """## Uses

Texts like those it was trained on, put as one of the prompts it was trained on. Out of scope: other tasks, label sets and
languages, and decisions about people. A wrong answer can do harm, so keep a person in the loop."""


def _training(card: Card, training: CardTraining) -> str:
    record, sources = card.manifest.training, ", ".join(f"`{source}`" for source in training.sources)
    best, settings = record["best"], "\n".join(f"| `{name}` | `{value}` |" for name, value in training.settings.items())
    lines = [
        f"Data: {sources}; {training.train_rows} rows for training and {training.validation_rows} for validation.",
        f"Best evaluation: step {best['step']} (epoch {best['epoch']:g}) by validation loss, out of {record['epochs']:g} epochs; "
        f"seed {card.manifest.seed}.",
        f"Trainable parameters: {record['trainable_parameters']:,} of {record['parameters']:,} "
        f"({record['trainable_percent']:g} %).",
    ]
    if cuts := record.get("truncation"):
        lines.append(
            f"Of {cuts['prompts_shown']} prompts shown {cuts['prompts_cut']} were cut to {card.manifest.max_length} tokens with their "
            f"answer; {cuts['rows_left_out']} rows whose answer does not fit were left out."
        )
    return "## Training\n\n" + "\n".join(lines) + f"\n\n| setting | value |\n|---|---|\n{settings}"


def quick_start(card: Card) -> str:
    """Plain transformers and PEFT; `folder` is where the card lies, a folder or the Hub id it was pushed to."""
    # No line of it imports this package: whoever loads the model need not have it.
    auto = "AutoModel" if card.pooled else AUTO_MODELS[card.model.task]
    imports = ["import torch", *["from peft import PeftModel"] * (card.kind == "adapter")]
    imports += ["from safetensors.torch import load_file"] * card.pooled
    imports += [f"from transformers import {auto}, AutoTokenizer"]
    dtype = "float32" if card.model.dtype == "auto" or card.kind == "merged" else card.model.dtype
    adapted, named = card.kind == "adapter", card.model.task == "SEQ_CLS"
    source = card.base.arguments if adapted else "folder"
    # The base of an adapter has no head for these labels; a whole model has it in its configuration.
    head = ", num_labels=len(labels), id2label=dict(enumerate(labels))" if named and adapted and not card.pooled else ""
    lines = ['folder = "."  # this folder', "tokenizer = AutoTokenizer.from_pretrained(folder)"]
    lines += [f"labels = {card.manifest.labels}"] * named
    lines.append(f"model = {auto}.from_pretrained({source}, dtype=torch.{dtype}{head})")
    if adapted and card.model.special_tokens:
        lines.append("model.resize_token_embeddings(max(len(tokenizer), model.get_input_embeddings().num_embeddings))")
    lines += ["model = PeftModel.from_pretrained(model, folder)"] * adapted
    lines += ["model.eval()", *['head = load_file(f"{folder}/head.safetensors")'] * card.pooled]
    body = _classify(card) if named else _generate(card)
    return "\n".join([*imports, "", *lines, "", f"prompt = {card.example!r}", *body]) + "\n"


def _classify(card: Card) -> list[str]:
    lines = [
        f'inputs = tokenizer(prompt, truncation=True, max_length={card.manifest.max_length}, return_tensors="pt")',
        "with torch.inference_mode():",
    ]
    if card.pooled:
        lines += [
            "    hidden = model(**inputs).last_hidden_state",
            '    mask = inputs["attention_mask"].unsqueeze(-1)',
            "    pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)",
            '    logits = pooled @ head["weight"].T + head["bias"]',
        ]
    else:
        lines.append("    logits = model(**inputs).logits")
    several = "[label for label, logit in zip(labels, logits[0]) if logit >= 0]"
    answer = several if card.manifest.multi_label else "labels[int(logits.argmax())]"
    return [*lines, f"print({answer}, logits.tolist())"]


def _generate(card: Card) -> list[str]:
    lines = ['inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)']
    if card.model.chat_template:
        lines = [
            'messages = [{"role": "user", "content": prompt}]',
            f'framing = {{"add_generation_prompt": True, "return_dict": True, "date_string": {DATE!r}}}',
            'inputs = tokenizer.apply_chat_template(messages, return_tensors="pt", **framing)',
        ]
    # An encoder-decoder begins its answer with a start token; a causal model repeats the prompt before it.
    answer = '[inputs["input_ids"].shape[1] :]' if card.model.task == "CAUSAL_LM" else "[1:]"
    return [
        *lines,
        'ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}',
        "with torch.inference_mode():",
        "    output = model.generate(**inputs, do_sample=False, max_new_tokens=64, **ends)",
        f"print(tokenizer.decode(output[0]{answer}, skip_special_tokens=True).strip())",
    ]
