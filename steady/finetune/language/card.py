"""The model card of a generative arm: front matter for the Hub, and a quick start that needs transformers and peft alone."""

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from steady.finetune.card import CardFacts
from steady.models.tokenizer import DATE

if TYPE_CHECKING:
    from steady.finetune.finetune import FinetuneParams

PIPELINES = {"CAUSAL_LM": "text-generation", "SEQ_2_SEQ_LM": "text2text-generation"}
AUTO = {"CAUSAL_LM": "AutoModelForCausalLM", "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM"}
KINDS = {"lora": "LoRA adapter", "full": "fully fine-tuned model"}
OBJECTIVES = {
    "sft": "supervised fine-tuning",
    "dpo": "supervised fine-tuning, then DPO",
    "grpo": "supervised fine-tuning, then GRPO",
}


def render_generative_card(facts: CardFacts, params: "FinetuneParams") -> str:
    """The whole `README.md` of the arm's folder; it has no placeholder."""
    return f"---\n{_front_matter(facts, params)}---\n\n{_body(facts, params)}"


def _front_matter(facts: CardFacts, params: "FinetuneParams") -> str:
    best, pipeline = facts.training["best"], PIPELINES[params.model.task]
    data = {"type": "json", "name": ", ".join(facts.sources), "split": "validation"}
    metrics = [{"type": "loss", "value": round(best["validation_loss"], 6)}]
    if "validation_generated_accuracy" in best:
        metrics.append({"type": "exact_match", "value": round(best["validation_generated_accuracy"], 6)})
    values: dict[str, Any] = {
        "base_model": facts.base.public_id,
        "library_name": "peft" if facts.method == "lora" else "transformers",
        "pipeline_tag": pipeline,
        "license": facts.base.licence or "other",
        "tags": [facts.method, pipeline, "prompt-sensitivity", "steady"],
        "model-index": [
            {
                "name": f"steady-{facts.arm}",
                "results": [{"task": {"type": pipeline}, "dataset": data, "metrics": metrics}],
            }
        ],
    }
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(values, stream)
    return stream.getvalue()


def _body(facts: CardFacts, params: "FinetuneParams") -> str:
    best, training = facts.training["best"], facts.training
    settings = "\n".join(f"| `{name}` | `{value}` |" for name, value in facts.settings.items())
    number = "any of" if facts.multi_label else "one of"
    answers = f"{number} {', '.join(facts.labels)}" if facts.labels else "a text"
    wordings = "many wordings of each prompt" if facts.wordings == "variants" else "one wording of each prompt"
    cuts = training["truncation"]
    generated = ""
    if "validation_generated_accuracy" in best:
        generated = f" A draw of {params.sft.generate_rows} of them was answered by greedy generation: {best['validation_generated_accuracy']:.4f} exactly right."
    return f"""# steady-{facts.arm}

A {KINDS[facts.method]} for {_base(facts)} that answers a prompt with {answers}. It was made by
{OBJECTIVES[params.arms[facts.arm].objective]} on {wordings}, to see whether the answer stays the same when only the wording
of the prompt changes.

## Uses

Prompts like those it was trained on (below). Out of scope: other tasks, and decisions about people. It can say what is not
true; keep a person in the loop.

## Limits

It knows {facts.train_rows} training rows. Rewordings of kinds it never saw can still change its answer; how often they do is
measured per family of rewordings in the repository's `metrics/`.

## Quick start

```python
{quick_start(facts, params)}```

## Training

Data: {", ".join(f"`{source}`" for source in facts.sources)}; {facts.train_rows} rows for training and {facts.validation_rows} for validation.
Best evaluation: step {best["step"]} (epoch {best["epoch"]:g}) by validation loss, out of {training["steps"]} steps; seed {facts.seed}.
Trainable parameters: {training["trainable_parameters"]:,} of {training["parameters"]:,} ({training["trainable_percent"]:g} %).
Of {cuts["prompts_shown"]} prompts shown {cuts["prompts_cut"]} were cut to {facts.max_length} tokens with their answer; {cuts["rows_left_out"]} rows were left out, whose answer does not fit.

| setting | value |
|---|---|
{settings}

## Results

On the validation prompts, which chose the step: loss {best["validation_loss"]:.4f} nats a token of the answer.{generated}
Figures on the test split, with intervals and paired tests against the baseline, are in `metrics/comparison.json` of the
repository, which `dvc repro` rebuilds.
"""


def _base(facts: CardFacts) -> str:
    if facts.base.revision is None and (facts.base.gguf_file or facts.base.source == facts.base.public_id):
        weights = f" ({facts.base.weights})" if facts.base.quantised else ""
        return f"the model in `{facts.base.public_id}` of the repository{weights}"
    return f"[{facts.base.public_id}](https://huggingface.co/{facts.base.public_id}) ({facts.base.weights})"


def quick_start(facts: CardFacts, params: "FinetuneParams") -> str:
    """Plain transformers and peft; `folder` is where the card lies, and of a base without a Hub id the repository's root is the
    working directory.
    """
    auto, adapted = AUTO[params.model.task], facts.method == "lora"
    lines = [
        "import torch",
        *["from peft import PeftModel"] * adapted,
        f"from transformers import {auto}, AutoTokenizer",
        "",
    ]
    lines += ['folder = "."  # this folder', "tokenizer = AutoTokenizer.from_pretrained(folder)"]
    source = facts.base.arguments if adapted else "folder"
    lines.append(f"model = {auto}.from_pretrained({source}, dtype=torch.{_dtype(params)})")
    if adapted and params.model.special_tokens:
        lines.append("model.resize_token_embeddings(max(len(tokenizer), model.get_input_embeddings().num_embeddings))")
    lines += ["model = PeftModel.from_pretrained(model, folder)"] * adapted
    lines += ["model.eval()", "", f"prompt = {facts.example!r}", *_encoded(params)]
    lines += [
        'ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}',
        "with torch.inference_mode():",
        f"    output = model.generate(**inputs, do_sample=False, max_new_tokens={MOST_NEW_TOKENS}, **ends)",
    ]
    skipped = '[inputs["input_ids"].shape[1] :]' if params.model.task == "CAUSAL_LM" else "[1:]"
    lines.append(f"print(tokenizer.decode(output[0]{skipped}, skip_special_tokens=True).strip())")
    return "\n".join(lines) + "\n"


MOST_NEW_TOKENS = 64


def _dtype(params: "FinetuneParams") -> str:
    return "float32" if params.model.dtype == "auto" else params.model.dtype


def _encoded(params: "FinetuneParams") -> list[str]:
    if not params.model.chat_template:
        return ['inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)']
    return [
        'messages = [{"role": "user", "content": prompt}]',
        f'framing = {{"add_generation_prompt": True, "return_dict": True, "date_string": {DATE!r}}}',
        'inputs = tokenizer.apply_chat_template(messages, return_tensors="pt", **framing)',
    ]
