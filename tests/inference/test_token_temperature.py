"""The temperature of a model that generates makes the right answers likeliest, and undoes what only scales the logits."""

from dataclasses import replace

import pytest
import torch
from small_models import PROMPTS, described
from torch.nn import functional

from steady.inference.language import encode, encode_answer, sequence_logprob
from steady.inference.likelihood import make_scorer
from steady.inference.token_temperature import fit_token_temperature


def loss(language, temperature: float) -> float:
    """Of the completions, the sum over their tokens in nats."""
    return -sum(
        sequence_logprob(
            language,
            encode(language, [prompt.prompt])[0],
            encode_answer(language, prompt.prompt, prompt.completion),
            temperature,
        )
        for prompt in PROMPTS
    )


@pytest.fixture
def sharper(monkeypatch):
    """A model that leans towards the tokens of the answer, and gives its logits several times over."""

    def patch(language, times: float, lean: float = 1.0):
        head = language.model.get_output_embeddings()
        leaning = torch.zeros(head.weight.shape[0])
        leaning[list(encode_answer(language, "", "no"))] = lean
        monkeypatch.setattr(head, "forward", lambda hidden: times * (functional.linear(hidden, head.weight) + leaning))

    return patch


@pytest.mark.parametrize(("name", "lean"), [("llama", 1.0), ("t5", 40.0)])
def test_no_temperature_beside_it_has_a_lower_loss(name, lean, sharper):
    language = described(name)
    sharper(language, 2, lean)
    fitted = fit_token_temperature(make_scorer(language, 4, 400), PROMPTS)
    assert 0.06 < fitted < 19, "inside the range, so that both sides can be compared"
    assert loss(language, fitted) <= min(loss(language, fitted * 0.97), loss(language, fitted * 1.03))


def test_logits_times_two_have_twice_the_temperature(sharper):
    language = described("llama")
    sharper(language, 4)
    once = fit_token_temperature(make_scorer(language, 4, 400), PROMPTS)
    sharper(language, 8)
    assert fit_token_temperature(make_scorer(language, 4, 400), PROMPTS) == pytest.approx(2 * once, rel=5e-3)


def test_a_small_budget_gives_the_same_and_no_prompts_give_none():
    scorer = make_scorer(described("llama"), 4, 400)
    small = fit_token_temperature(replace(scorer, batch_tokens=40), PROMPTS)
    assert small == pytest.approx(fit_token_temperature(scorer, PROMPTS), rel=1e-4)
    assert fit_token_temperature(scorer, []) is None
