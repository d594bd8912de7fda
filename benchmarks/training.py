"""One epoch of supervised fine-tuning against TRL's SFTTrainer and transformers' Seq2SeqTrainer as their scripts use them.

The same random model of 5 million weights with LoRA on all linear layers, the same rows of varying length, batch, precision
and threads; only the calls of `train()` are timed. Each runs in a process of its own, for its peak memory.

`python -m benchmarks.training --task CAUSAL_LM --answers short --threads 1`; `benchmarks.sft` trains a real base.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import click

from benchmarks.rows import Row

VOCABULARY = 8192
BATCH = 16
LENGTH = 512
ANSWER_WORDS = {"short": (1, 1), "long": (5, 60)}
TASKS = ("CAUSAL_LM", "SEQ_2_SEQ_LM")


def measure() -> list[Row]:
    """The rows of `make bench`."""
    rows = []
    for task in TASKS:
        for answers in ANSWER_WORDS:
            found = {who: run(who, task, answers, rows=192, threads=1) for who in ("stock", "ours")}
            ratio = found["ours"]["tokens_per_processor_second"] / found["stock"]["tokens_per_processor_second"]
            memory = found["ours"]["peak_mb"] / found["stock"]["peak_mb"]
            name = f"training {task}, {answers} answers, against the stock script"
            rows.append(Row(name, ratio, "times the tokens a processor second", 1.3))
            rows.append(Row(f"{name}: peak memory", memory, "times", 1.0))
    return rows


def run(
    who: str, task: str, answers: str, rows: int, threads: int, *, device: str = "cpu", flags: Sequence[str] = ()
) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training", "--who", who, "--task", task, "--answers", answers]
    command += ["--rows", str(rows), "--threads", str(threads), "--device", device, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def texts(rows: int, answers: str, even: bool = False) -> list[tuple[str, str]]:
    """Prompts of 8 to 300 words, most of them short (with `even` all of 60), and answers."""
    rng = random.Random(0)
    words = [
        f"{first}{second}" for first in ("ba", "de", "ki", "lo", "mu", "na") for second in ("n", "r", "s", "ta", "ve")
    ]
    low, high = ANSWER_WORDS[answers]
    made = []
    for _ in range(rows):
        count = 60 if even else min(300, int(8 * rng.paretovariate(0.9)))
        made.append((" ".join(rng.choices(words, k=count)), " ".join(rng.choices(words, k=rng.randint(low, high)))))
    return made


def tokenizer() -> Any:
    """One token a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = sorted({word for prompt, answer in texts(2000, "long") for word in (prompt + " " + answer).split()})
    vocabulary = {name: place for place, name in enumerate(["<pad>", "</s>", "<unk>", *names])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def model(task: str, device: str, rank: int = 8) -> Any:
    """About 5 million weights, of the shape of the repository's own bases, with LoRA."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    if task == "CAUSAL_LM":
        sizes = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 4}
        config = LlamaConfig(
            vocab_size=VOCABULARY, max_position_embeddings=1024, pad_token_id=0, eos_token_id=1, **sizes
        )
        base: Any = LlamaForCausalLM(config)
    else:
        base = T5ForConditionalGeneration(
            T5Config(
                vocab_size=VOCABULARY,
                d_model=256,
                d_ff=640,
                d_kv=64,
                num_layers=4,
                num_decoder_layers=2,
                num_heads=4,
                decoder_start_token_id=0,
                pad_token_id=0,
                eos_token_id=1,
            )
        )
    lora = LoraConfig(task_type=task, r=rank, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear")
    return get_peft_model(base.to(device), lora)


def settings(folder: str, device: str) -> dict[str, Any]:
    """The training arguments of both."""
    return {
        "output_dir": folder,
        "num_train_epochs": 1,
        "per_device_train_batch_size": BATCH,
        "learning_rate": 1e-3,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 10,
        "disable_tqdm": True,
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": False,
        "bf16": False,
        "seed": 0,
    }


def stock(task: str, rows: list[tuple[str, str]], folder: str, device: str) -> Any:
    """The trainer as the scripts of TRL and transformers set it up."""
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments
    from trl import SFTConfig, SFTTrainer

    net, tokens = model(task, device), tokenizer()
    if task == "CAUSAL_LM":
        data = Dataset.from_list([{"prompt": prompt, "completion": f" {answer}"} for prompt, answer in rows])
        arguments = SFTConfig(max_length=LENGTH, gradient_checkpointing=False, **settings(folder, device))
        return SFTTrainer(model=net, args=arguments, train_dataset=data, processing_class=tokens)
    ends = [tokens.eos_token_id]
    data = Dataset.from_list(
        [{"input_ids": tokens(p)["input_ids"] + ends, "labels": tokens(a)["input_ids"] + ends} for p, a in rows]
    )
    return Seq2SeqTrainer(
        model=net,
        args=Seq2SeqTrainingArguments(**settings(folder, device)),
        train_dataset=data,
        processing_class=tokens,
        data_collator=DataCollatorForSeq2Seq(tokens, model=net),
    )


def ours(task: str, rows: list[tuple[str, str]], folder: str, device: str) -> Any:
    """The trainer of this package, which encodes its rows while it trains."""
    return our_trainer(task, rows, model(task, device), tokenizer(), settings(folder, device))


def our_trainer(
    task: str, rows: list[tuple[str, str]], net: Any, tokens: Any, arguments: dict[str, Any], framed: bool = False
) -> Any:
    """The trainer of this package on any model; `framed`: prompts go through the chat template."""
    from transformers import Seq2SeqTrainingArguments

    from steady.finetune.language.batches import CausalBatches, SequenceBatches
    from steady.finetune.language.rows import GenerativeRows, RowEncoder
    from steady.finetune.sampling import Sampling
    from steady.prompts.levels import CANONICAL_WORDING
    from steady.prompts.phrasebook import phrasebook
    from steady.prompts.schedule import TrainingPrompts
    from steady.records import CANONICAL, Example, ScheduleRow

    examples = [Example(id=str(n), group_id=str(n), instruction=p, output=a) for n, (p, a) in enumerate(rows)]
    rows_together = arguments["per_device_train_batch_size"]
    schedule = [ScheduleRow(example_id=one.id, wordings=[CANONICAL]) for one in examples]
    prompts = TrainingPrompts(examples, schedule, phrasebook([CANONICAL_WORDING], None))
    made = GenerativeRows(prompts, RowEncoder(tokens, task, LENGTH, framed), Sampling(batch_rows=rows_together))  # type: ignore[arg-type]

    shared = arguments | {"remove_unused_columns": False}
    if task == "SEQ_2_SEQ_LM":
        from steady.finetune.language.trainers import SequenceTrainer

        given: Any = Seq2SeqTrainingArguments(**shared)
        return SequenceTrainer(made, model=net, args=given, processing_class=tokens, data_collator=SequenceBatches(0))
    from trl import SFTConfig

    from steady.finetune.language.causal import CausalTrainer

    batches = CausalBatches(tokens.pad_token_id, answers_only=True)
    given = SFTConfig(
        dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, gradient_checkpointing=False, **shared
    )
    first = batches([made[0], made[1]])
    return CausalTrainer(made, first, model=net, args=given, processing_class=tokens, data_collator=batches)


@click.command()
@click.option("--who", type=click.Choice(["stock", "ours", "both"]), default="both")
@click.option("--task", type=click.Choice(TASKS), default="CAUSAL_LM")
@click.option("--answers", type=click.Choice(sorted(ANSWER_WORDS)), default="short")
@click.option("--rows", default=384)
@click.option("--threads", default=1)
@click.option("--device", default="cpu")
@click.option("--even", is_flag=True, help="Prompts of one length.")
def main(who: str, task: str, answers: str, rows: int, threads: int, device: str, even: bool) -> None:
    """Train one epoch, and print tokens a second by the wall clock and by the processor, and the peak memory."""
    if who == "both":
        for one in ("stock", "ours"):
            flags = ["--even"] * even
            print(one, json.dumps(run(one, task, answers, rows, threads, device=device, flags=flags)))
        return
    import torch

    torch.set_num_threads(threads)
    made = texts(rows, answers, even)
    with tempfile.TemporaryDirectory() as folder:
        trainer = (stock if who == "stock" else ours)(task, made, folder, device)
        wall, processor = time.perf_counter(), time.process_time()
        trainer.train()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    tokens = sum(len(prompt.split()) + len(answer.split()) + 1 for prompt, answer in made)
    answered = sum(len(answer.split()) + 1 for _, answer in made)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {
        "tokens_per_second": tokens / wall,
        "answer_tokens_per_second": answered / wall,
        "tokens_per_processor_second": tokens / processor,
        "peak_mb": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else peak,
    }
    print(json.dumps({name: round(value, 1) for name, value in found.items()}))


if __name__ == "__main__":
    main()
