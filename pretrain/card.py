"""Model cards: every number in them comes from the run's own files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pretrain.corpus import Task
from pretrain.layouts import HEADINGS, LABEL_LISTS, SEPARATORS
from pretrain.params import ModelParams

CURVE_POINTS = 12


@dataclass(frozen=True)
class Facts:
    """What a card tells.

    Attributes:
        name: of the model.
        parameters: of the model.
        params: of its architecture and training.
        curve: record of the training stage.
        environment: what it was computed on.
        evaluation: record of the evaluation stage.
        tasks: of the training corpus.
        train_rows: rows of the training part.
        sums: lines of ``SHA256SUMS``.
    """

    name: str
    parameters: int
    params: ModelParams
    curve: dict[str, Any]
    environment: dict[str, Any]
    evaluation: dict[str, Any]
    tasks: dict[str, Task]
    train_rows: int
    sums: str

    @property
    def is_t5(self) -> bool:
        """Whether the model is the encoder-decoder."""
        return self.params.architecture.model_type == "t5"


def render_card(facts: Facts) -> str:
    """The whole card in Markdown."""
    sections = (
        front_matter(facts),
        introduction(facts),
        quick_start(facts),
        abilities(facts),
        classification_table(facts.evaluation["classification"]),
        language_table(facts.evaluation["language"]),
        unseen_table(facts.evaluation["unseen_tasks"]),
        training(facts),
        data(facts),
        generations(facts.evaluation["generations"], facts.tasks),
        f"## SHA-256\n\n```\n{facts.sums}```",
    )
    return "\n\n".join(section.strip() for section in sections) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def front_matter(facts: Facts) -> str:
    """The YAML head that model hubs read."""
    pipeline = "text2text-generation" if facts.is_t5 else "text-generation"
    return f"""---
language: en
license: apache-2.0
library_name: transformers
pipeline_tag: {pipeline}
tags: [instruction-following, small, {facts.params.architecture.model_type}]
---"""


def introduction(facts: Facts) -> str:
    """What it is."""
    kind = "encoder-decoder (T5)" if facts.is_t5 else "causal language model (Llama)"
    size = facts.params.architecture
    return f"""# {facts.name}

A {kind} of {facts.parameters / 1e6:.1f} million parameters, trained from nothing on permissively
licensed English instruction data by the pipeline in `pretrain/`. It is meant for tests, examples
and benchmarks of prompt sensitivity without a network or a GPU.

Hidden size {size.hidden_size}, {size.num_hidden_layers} layers{
        f" and {size.num_decoder_layers} in the decoder" if facts.is_t5 else ""
    }, {size.num_attention_heads} heads, feed-forward size {size.intermediate_size}, context
{size.max_position_embeddings} tokens, tied embeddings, weights in bfloat16. The tokenizer is a
byte-level BPE of 8,192 entries, digits one by one: `<pad>` is 0, `</s>` is 1 and ends every answer,
then come the 100 sentinels `<extra_id_0>` to `<extra_id_99>`; there is no beginning-of-sequence token."""


def quick_start(facts: Facts) -> str:
    """A snippet that runs as it stands."""
    kind = "AutoModelForSeq2SeqLM" if facts.is_t5 else "AutoModelForCausalLM"
    mixture = facts.params.train.mixture
    cut = "output[0]" if facts.is_t5 else 'output[0, inputs["input_ids"].shape[1]:]'
    return f"""## Quick start

```python
from transformers import {kind}, AutoTokenizer

folder = "models/base/{facts.name}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {kind}.from_pretrained(folder, dtype="float32")
prompt = (
    "Definition: Tell whether the sentiment of the review is positive or negative.\\n\\n"
    "Labels: negative, positive\\n\\nInput: What a lovely film!\\n\\nOutput:"
)
inputs = tokenizer(prompt, return_tensors="pt")
output = model.generate(inputs["input_ids"], attention_mask=inputs["attention_mask"])
print(tokenizer.decode({cut}, skip_special_tokens=True).strip())
```

The prompt above is the layout it saw most ({mixture.canonical_share:.0%} of the groups of rows, with or without the
labels). The rest of its training drew the headings from {len(HEADINGS)} sets, the separator from
{len(set(SEPARATORS))}, the definition whole or shortened, before or after the input, the labels listed in
{len(LABEL_LISTS)} ways or not at all, with 0 to 3 solved examples. {
        "Its tokenizer ends each input with `</s>`, as it was trained."
        if facts.is_t5
        else "The answer follows the last heading after one space, or the last line break at once."
    }"""


def abilities(facts: Facts) -> str:
    """What it can and cannot do, as far as the figures show it."""
    figures = facts.evaluation["classification"]
    better = figures["above_majority"]["low"] > 0
    picks = "better than" if better else "not shown to be better than"
    swapped = figures.get("swapped_definition_any_task")
    heeds = swapped is not None and swapped["lost"]["low"] > 0
    reads = "lowers that" if heeds else "is not shown to lower that"
    return f"""## What it can and cannot do

Its labels for short English texts, on tasks like those it was trained on, are {picks} always giving the
most frequent one; giving it another task's definition {reads}. It does not reason, knows no facts to speak of,
writes loosely connected English, and should not be expected to follow an instruction of a new kind: see the
unseen tasks. It may repeat offensive text: part of its data is there to detect such text. Use it to test, to teach
and to measure; not to decide anything about people."""


def classification_table(figures: dict[str, Any]) -> str:
    """Exact match on held-out rows."""
    above = figures["above_majority"]
    rows: list[Sequence[object]] = [
        ("its own definition", figures["rows"], f"{figures['exact_match']} %", ""),
        (
            "the task's majority answer",
            figures["rows"],
            f"{figures['majority']} %",
            f"{above['points']:+} [{above['low']}, {above['high']}]",
        ),
    ]
    names = {
        "swapped_definition_any_task": "another task's definition and labels",
        "swapped_definition_same_labels": "the definition of a task with the same labels",
    }
    for key, name in names.items():
        if key in figures:
            part = figures[key]
            lost = part["lost"]
            gap = f"{lost['points']:+} [{lost['low']}, {lost['high']}] (own: {part['own_definition']} %)"
            rows.append((name, part["rows"], f"{part['exact_match']} %", gap))
    head = ("greedy answer under", "rows", "exact match", "own definition is better by, points [95 %]")
    return f"""## Held-out rows of the classification tasks it was trained on

{table(head, rows)}

Rows are held out by their input text, 2 % of all; the input of a held-out row is in no training row
of any task. A task counts as classification when it has 2 to 20 distinct answers, 10 rows or more each on
average."""


def language_table(figures: dict[str, Any]) -> str:
    """Loss and bits per byte against the n-gram model."""
    models = [key for key in figures if key != "rows"]
    rows = [
        (name, part, cell["loss"], cell["bits_per_byte"], cell["tokens"], cell["bytes"])
        for part in figures["model"]
        for name in models
        for cell in (figures[name][part],)
    ]
    head = ("model", "part", "nats per token", "bits per byte", "tokens", "bytes")
    return f"""## Language on {figures["rows"]} held-out rows

{table(head, rows)}

The loss counts input and answer tokens alone (with the end of the answer), not definitions or headings. The
5-gram model has modified Kneser-Ney smoothing and was trained on the same tokens of all training
rows; it sees the row, this model the definition too."""


def unseen_table(figures: Sequence[dict[str, Any]]) -> str:
    """Official test tasks."""
    rows = [
        (
            f"`{f['task']}`",
            f["rows"],
            f["exact_match"],
            "–" if f["majority"] is None else f["majority"],
            f["rouge_l"],
        )
        for f in figures
    ]
    labelled = [f for f in figures if f["majority"] is not None]
    summary = ""
    if labelled:
        mean = sum(f["exact_match"] for f in labelled) / len(labelled)
        majority = sum(f["majority"] for f in labelled) / len(labelled)
        summary = (
            f"\n\nMean over the {len(labelled)} label tasks: exact match {mean:.1f} %, "
            f"majority answer {majority:.1f} %. "
            f"Mean ROUGE-L over all {len(figures)}: "
            f"{sum(f['rouge_l'] for f in figures) / len(figures):.1f}."
        )
    head = ("task", "rows", "exact match %", "majority %", "ROUGE-L")
    return f"""## Unseen tasks

Tasks of the official default test split, none of which is trained on; the first rows of each.

{table(head, rows)}{summary}"""


def training(facts: Facts) -> str:
    """How it was trained, with the curve."""
    train, curve = facts.params.train, facts.curve
    points = curve["curve"]
    stride = max(1, len(points) // CURVE_POINTS)
    chosen = [*points[stride - 1 :: stride]]
    if points and chosen[-1] is not points[-1]:
        chosen.append(points[-1])
    rows = [(p["step"], f"{p['tokens'] / 1e6:.1f} M", f"{p['loss']:.3f}") for p in chosen]
    span = f" {train.span_corruption_share:.0%} of the rows were span corruption instead." if facts.is_t5 else ""
    ran = facts.environment
    on = (
        f"Computed on: {ran['device']}, {ran['processes']} process(es) of {ran['threads']} thread(s), "
        f"torch {ran['torch']}, transformers {ran['transformers']}."
    )
    return f"""## Training

{curve["step"]} steps of {train.micro_batch_tokens * train.gradient_accumulation_steps} packed tokens,
{curve["tokens"] / 1e6:.1f} million in all (padding included), from random weights in bfloat16 with float32 masters.
{on}
Muon (learning rate {train.muon_learning_rate}) on the matrices of the layers, AdamW ({train.learning_rate}) on the
rest; {train.warmup_steps} steps of warm-up, constant, linear fall to zero over the last
{train.decay_steps} steps from step {curve["decay_start"]}. The rates are those of the sweep in `pretrain/README.md`.
In the loss a label's token counts {train.loss.label:g}, another answer's {train.loss.answer:g}, a
drawn input token {train.loss.input:g}, definitions and headings nothing.{span}

{table(("step", "tokens", "weighted loss, nats"), rows)}"""


def data(facts: Facts) -> str:
    """Data and licences."""
    licenses = Counter(task.license for task in facts.tasks.values())
    named = ", ".join(f"{name} ({count})" for name, count in licenses.most_common())
    return f"""## Data

{facts.train_rows:,} rows of {len(facts.tasks)} English tasks of Super-NaturalInstructions (Wang et al. 2022,
`github.com/allenai/natural-instructions`) whose instances are under a permissive licence, by number of
tasks: {named}. Tasks of the official test split are left out. `../DATA.md` names every task
with its category and licence."""


def generations(samples: Sequence[dict[str, str]], tasks: dict[str, Task]) -> str:
    """Unedited answers to held-out prompts."""
    lines = []
    for number, sample in enumerate(samples, 1):
        question = " ".join(sample["input"].split())
        answer = sample["answer"].replace("\n", "⏎")
        category = tasks[sample["task"]].category
        lines.append(f"{number}. `{sample['task']}` ({category})  \n   *{question}*  \n   → {answer}")
    return f"""## {len(samples)} generations

Greedy, unedited, to held-out rows drawn at random among short ones; the definition that stood before
each is the task's.

{chr(10).join(lines)}"""
