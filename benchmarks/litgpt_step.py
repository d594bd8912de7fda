"""Training a real base on tickets: ours against a step of LitGPT's `finetune_lora`, on the same rows.

LitGPT's own model of SmolLM2-135M with LoRA of rank 8 on all linear layers but the head, in bfloat16; its weights are random, which
changes no time. A step is what its script does: a batch padded to its longest row, logits in chunks of 128 positions, the loss of
the answers alone, AdamW. Ours are steps of the trainer of the finetune stage, batches of like length as it makes them. The first
step of each is left out. LitGPT wants an older huggingface-hub, so it has an environment of its own that also sees this one's
packages:

    python -m venv /tmp/litgpt
    realpath .venv/lib/python3.*/site-packages > "$(echo /tmp/litgpt/lib/python3.*)/site-packages/steady.pth"
    /tmp/litgpt/bin/pip install --no-deps litgpt lightning lightning-utilities pytorch-lightning torchmetrics jsonargparse \\
        docstring-parser typeshed-client
    /tmp/litgpt/bin/python -m benchmarks.litgpt_step --threads 1 --batch 16 --steps 6
"""

import tempfile
from statistics import mean
from typing import Any

import click

from benchmarks.sensitivity_subjects import Timed, timed
from benchmarks.sft import Job, base_params, ours, tickets

IGNORED = -100  # what the loss leaves out


def their_steps(job: Job) -> list[Timed]:
    """Seconds of each step but the first."""
    import torch
    from litgpt.lora import GPT, Config, mark_only_lora_as_trainable
    from litgpt.utils import chunked_cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    from steady.models.load import load_tokenizer

    names = ("query", "key", "value", "projection", "mlp")
    config = Config.from_name(
        "SmolLM2-135M-Instruct", lora_r=8, lora_alpha=16, **{f"lora_{name}": True for name in names}
    )
    model = GPT(config).to(torch.bfloat16)
    mark_only_lora_as_trainable(model)
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-3)
    tokenizer = load_tokenizer(base_params())
    rows = []
    for prompt, answer in tickets(job, tokenizer):
        framed = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
        )
        first, rest = (
            tokenizer(text, add_special_tokens=False)["input_ids"] for text in (framed, f"{answer}<|im_end|>")
        )
        rows.append((torch.tensor(first + rest), torch.tensor([IGNORED] * len(first) + rest)))

    def step(batch: list[Any]) -> None:
        ids, targets = zip(*batch, strict=True)
        wanted = pad_sequence(targets, batch_first=True, padding_value=IGNORED)
        logits = model(pad_sequence(ids, batch_first=True), lm_head_chunk_size=128)
        logits[-1] = logits[-1][..., :-1, :]
        chunked_cross_entropy(logits, wanted[..., 1:]).backward()
        optimizer.step()
        optimizer.zero_grad()

    starts = range(0, len(rows), job.batch)
    return [timed(lambda start=start: step(rows[start : start + job.batch])) for start in starts][1:]


def our_steps(job: Job) -> list[Timed]:
    """Mean seconds of one of our steps: a training of all steps less one of a single step."""
    with tempfile.TemporaryDirectory() as folder:
        shorter = ours(job._replace(steps=1), folder)
        ours_one = timed(shorter.train)
        whole = timed(ours(job, folder).train)
    return [Timed(*((a - b) / (job.steps - 1) for a, b in zip(whole, ours_one, strict=True)))]


@click.command()
@click.option("--batch", default=16, show_default=True)
@click.option("--steps", default=6, show_default=True, help="The first is not counted.")
@click.option("--threads", default=2, show_default=True)
def main(batch: int, steps: int, threads: int) -> None:
    """Train the base of the last run against LitGPT."""
    import torch

    job = Job(batch, steps, threads, even=False, checkpointing=False)
    torch.set_num_threads(threads)
    theirs = mean(one.processor for one in their_steps(job))
    torch.set_num_threads(threads)
    own = mean(one.processor for one in our_steps(job))
    click.echo(f"SmolLM2, steps of {batch} tickets: LitGPT, processor seconds a step {theirs:.3f} s")
    click.echo(f"SmolLM2, steps of {batch} tickets: LitGPT / ours, processor {theirs / own:.3f} x")


if __name__ == "__main__":
    main()
