"""What training cost beside what it gained: plain text, an unrelated task, and whether answers are still of the right form.

`python -m benchmarks.costs baseline control tuned` after `dvc repro` of a recipe with a causal model. For each arm: the perplexity
of plain text, answers of `data/raw/conversations.jsonl` without any prompt or template; exact match on the first instruction of each
group of `data/raw/variants.jsonl`; the share of test answers that are none of the labels; training tokens and steps. No arm of a
recipe of tickets or news was trained on either file.
"""

import json
import math
from pathlib import Path
from typing import Any

import click

from steady.metrics.run import GENERATED
from steady.metrics.text import exact_match
from steady.records import TextScores, read_records

TEXTS = 200
NEW_TOKENS = 16


def plain_texts(root: Path) -> list[str]:
    """The answers of the conversations, each one paragraph of English."""
    lines = (root / "data/raw/conversations.jsonl").read_text().splitlines()[:TEXTS]
    return [json.loads(line)["text"].split("\nOutput:", 1)[1].strip() for line in lines]


def other_task(root: Path) -> list[tuple[str, str]]:
    """The first instruction of each group of the variants, and its answer."""
    rows = [json.loads(line) for line in (root / "data/raw/variants.jsonl").read_text().splitlines()]
    first = {row["group_id"]: (row["instruction"], row["output"]) for row in reversed(rows)}
    return list(first.values())


def perplexity(language: Any, texts: list[str]) -> float:
    """exp of the mean negative log-probability of a token behind the first one, each text alone."""
    from steady.inference.language import sequence_logprob

    total, tokens = 0.0, 0
    for text in texts:
        ids = tuple(language.tokenizer(text, add_special_tokens=False).input_ids)
        total -= sequence_logprob(language, ids[:1], ids[1:])
        tokens += len(ids) - 1
    return math.exp(total / tokens)


@click.command()
@click.argument("arms", nargs=-1, required=True)
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The repository.")
def main(arms: tuple[str, ...], root: Path) -> None:
    """Print the costs of ARMS."""
    from steady.evaluate.evaluate import EvaluateStage
    from steady.inference.arm import load_arm_language
    from steady.inference.language import decode, encode
    from steady.inference.likelihood import greedy_responses, make_scorer
    from steady.models.arm import read_manifest
    from steady.models.load import prepare_torch
    from steady.parameters import read_params

    view = read_params(root / "params.yaml", EvaluateStage)
    prepare_torch(view.model, 0)
    texts, questions = plain_texts(root), other_task(root)
    for name in arms:
        language = load_arm_language(root / "models" / name, view.model, "cpu")
        scorer = make_scorer(language, NEW_TOKENS, 16384)
        responses = greedy_responses(scorer, encode(language, [question for question, _ in questions]))
        right = [
            exact_match(decode(language, response.tokens), [answer])
            for response, (_, answer) in zip(responses, questions, strict=True)
        ]
        kept = read_records(root / f"reports/arms/{name}/texts" / GENERATED, TextScores)
        unread = sum(one.label is None for one in kept) / len(kept)
        training = read_manifest(root / "models" / name).training
        click.echo(
            f"{name}: perplexity of plain text {perplexity(language, texts):.2f}; other task {sum(right)}/{len(right)} exact; "
            f"answers that are no label {unread:.3f}; {training.get('steps', 0)} steps, "
            f"{training.get('truncation', {}).get('tokens_shown', 0)} tokens of training"
        )


if __name__ == "__main__":
    main()
