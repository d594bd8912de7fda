"""One run of `llm-consistency`, by the Python that has it: `PYTHON rivals_peer.py QUESTIONS ENDPOINT MODEL`; JSON on stdout.

It imports nothing of ours: the peer is installed apart, for its dependencies are its own.
"""

import asyncio
import json
import os
import sys

from llm_consistency import BatchRunner, EvaluationConfig, PerturbationType, get_provider, perturbations
from llm_consistency.datasets import MCDataset
from llm_consistency.runners import _pipeline
from llm_consistency.scoring import get_scorer
from llm_consistency.types import PerturbedVariant, PresentedOption

SEED, CONCURRENCY = 42, 2


class Given(perturbations.BasePerturbation):
    """Wordings that people have written, in place of the peer's own paraphrases, which want another model."""

    perturbation_type = PerturbationType.PARAPHRASE

    def __init__(self, wordings):
        self.wordings = wordings

    def generate_variants(self, question, *, seed=0, n=None):
        shown = tuple(PresentedOption(one.label, one.text, one.is_correct, one.label) for one in question.options)
        return tuple(
            PerturbedVariant(
                original_question_id=question.id,
                perturbation_type=self.perturbation_type,
                seed=seed,
                variant_index=place,
                stem=stem,
                options=question.options,
                presented_options=shown,
            )
            for place, stem in enumerate(self.wordings[question.id])
        )


def main(questions: str, endpoint: str, model: str) -> None:
    """Run it, and print its figures, its answers by question, and every prompt that it sent."""
    os.environ.setdefault("OPENAI_API_KEY", "none")
    config = EvaluationConfig(
        model=model,
        provider="openai",
        perturbation_types=(PerturbationType.PARAPHRASE,),
        scorer="exact_match",
        concurrency=CONCURRENCY,
        temperature=0.0,
        max_tokens=8,
    )
    with open(questions, encoding="utf-8") as handle:  # noqa: PTH123
        content = json.load(handle)
    perturbations.register(PerturbationType.PARAPHRASE.value, Given(content["wordings"]))
    data = MCDataset.load(questions)
    # it sends a request a second unless told otherwise
    provider = get_provider(
        "openai", model=model, base_url=endpoint, requests_per_minute=1_000_000, request_timeout_s=600
    )
    report = asyncio.run(BatchRunner().run(data, config, provider, get_scorer("exact_match"), seed=SEED))
    prompts = {}
    for question in data.questions:
        variants = _pipeline.generate_variants_for_question(question, config, SEED)
        shown = [[option.label for option in _pipeline.presented_options(one, question)] for one in variants]
        prompts[question.id] = [
            _pipeline.render_prompt(*pair) for pair in zip(variants, [None] * len(variants), shown, strict=True)
        ]
    found = {
        "mean_rc_agree": report.mean_rc_agree,
        "rc_agree": {result.question_id: result.rc_agree for result in report.results},
        "answers": {result.question_id: result.answer_distribution for result in report.results},
        "prompts": prompts,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
