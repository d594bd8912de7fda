"""Answers do not depend on what they are batched with, or on the threads, in float32."""

import random
from collections.abc import Callable, Sequence

import pytest
import torch
from small_models import byte_tokenizer, described

from steady.inference.classifier import model_logits
from steady.inference.likelihood import make_scorer
from steady.inference.scorer import KEPT_SHARE
from steady.labels import LabelTask
from steady.records import Prediction, Prompt
from steady.scoring.generated import Wanted, generated_answers
from steady.scoring.predictions import classify
from steady.scoring.resume import Partial

LABELS = ("red", "green", "blue")
STEPS = 6  # tokens of an answer
RUNS = [(batch, threads) for batch in (1, 4, 32) for threads in (1, 2)]
Answer = Callable[[Sequence[Prompt], int], list[Prediction]]


def texts(count: int) -> list[Prompt]:
    """Prompts of very different lengths."""
    words, generator = ["a", "thing", "that", "somebody", "wants", "today", "!"], random.Random(0)
    made = [" ".join(generator.choices(words, k=generator.randint(1, 14))) for _ in range(count)]
    return [
        Prompt(id=str(n), group_id=str(n), example_id=str(n), wording="canonical", prompt=text, completion="red")
        for n, text in enumerate(made)
    ]


def classifier() -> Answer:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = BertForSequenceClassification(BertConfig(**sizes, intermediate_size=64, num_labels=len(LABELS))).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    score = model_logits(model, byte_tokenizer(), 128)
    return lambda prompts, batch: classify(score, prompts, LABELS, batch)


def generating(name: str) -> Answer:
    language, task = described(name), LabelTask(LABELS if name == "llama" else ())

    def answer(prompts: Sequence[Prompt], batch: int) -> list[Prediction]:
        longest = max(len(prompt.prompt) for prompt in prompts)
        scorer = make_scorer(language, STEPS, round(batch * (longest + STEPS) / KEPT_SHARE))
        return generated_answers(scorer, prompts, task, Wanted(False, False), Partial()).predictions

    return answer


KINDS: dict[str, Callable[[], Answer]] = {
    "classifier": classifier,
    "causal, labels": lambda: generating("llama"),
    "causal, texts": lambda: generating("gpt2"),
    "seq2seq, texts": lambda: generating("t5"),
}


def changed(answer: Answer, prompts: Sequence[Prompt], runs: Sequence[tuple[int, int]]) -> int:
    """How many answers are another one than with the first batch size and threads, over all the runs."""
    found, before = [], torch.get_num_threads()
    for batch, threads in runs:
        torch.set_num_threads(threads)
        found.append([(one.text, one.parsed) for one in answer(prompts, batch)])
    torch.set_num_threads(before)  # the other tests run on one
    return sum(one != other for run in found[1:] for one, other in zip(found[0], run, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_answers_are_the_same_in_another_batch(kind):
    assert changed(KINDS[kind](), texts(8), [(1, 1), (4, 2)]) == 0


@pytest.mark.torture
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_same_in_every_batch_and_number_of_threads(kind, figure):
    prompts = texts(64)
    found = changed(KINDS[kind](), prompts, RUNS)
    figure(f"batch 1, 4, 32 and 1, 2 threads, {kind}", f"{found} of {len(prompts) * (len(RUNS) - 1)} answers changed")
    assert found == 0
