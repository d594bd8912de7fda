"""One run of `llm-consistency`, by the Python that has it: `PYTHON rivals_peer.py QUESTIONS ENDPOINT MODEL`; JSON on stdout.

It imports nothing of ours: the peer is installed apart, for its dependencies are its own.
"""

import asyncio
import json
import os
import sys
import time

from llm_consistency import BatchRunner, EvaluationConfig, PerturbationType, get_provider
from llm_consistency.datasets import MCDataset
from llm_consistency.runners import _pipeline
from llm_consistency.scoring import get_scorer

VARIANTS, SEED, CONCURRENCY = 3, 42, 2


def main(questions: str, endpoint: str, model: str) -> None:
    """Run it, and print its figures, its answers by question, and every prompt that it sent."""
    os.environ.setdefault("OPENAI_API_KEY", "none")
    config = EvaluationConfig(
        model=model,
        provider="openai",
        # reordering the options changes what an answer's letter means; these two change the layout alone
        perturbation_types=(PerturbationType.FORMAT_CHANGE, PerturbationType.SEPARATOR_CHANGE),
        scorer="exact_match",
        num_variants=VARIANTS,
        concurrency=CONCURRENCY,
        temperature=0.0,
        max_tokens=8,
    )
    data = MCDataset.load(questions)
    # it sends a request a second unless told otherwise
    provider = get_provider(
        "openai", model=model, base_url=endpoint, requests_per_minute=1_000_000, request_timeout_s=600
    )
    begun = time.perf_counter()
    report = asyncio.run(BatchRunner().run(data, config, provider, get_scorer("exact_match"), seed=SEED))
    seconds = time.perf_counter() - begun
    prompts = {}
    for question in data.questions:
        variants = _pipeline.generate_variants_for_question(question, config, SEED)
        shown = [[option.label for option in _pipeline.presented_options(one, question)] for one in variants]
        prompts[question.id] = [
            _pipeline.render_prompt(*pair) for pair in zip(variants, [None] * len(variants), shown, strict=True)
        ]
    found = {
        "seconds": seconds,
        "mean_rc_agree": report.mean_rc_agree,
        "rc_agree": {result.question_id: result.rc_agree for result in report.results},
        "answers": {result.question_id: result.answer_distribution for result in report.results},
        "prompts": prompts,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
