"""Samples of a model depend on their seed alone and end where they should."""

from dataclasses import replace

import pytest
from small_models import described

from steady.errors import SteadyError
from steady.inference.generate import Nucleus, sampled_texts

NUCLEUS = Nucleus(samples=4, temperature=1.5, top_p=0.95, max_new_tokens=6)


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_samples_depend_on_their_seed_alone(name):
    language = described(name)
    first = sampled_texts(language, "2+2=", NUCLEUS, seed=1)
    sampled_texts(language, "another", NUCLEUS, seed=7)
    assert sampled_texts(language, "2+2=", NUCLEUS, seed=1) == first != sampled_texts(language, "2+2=", NUCLEUS, seed=2)
    assert len(first) == 4


def test_without_an_end_token_no_sample_is_finished():
    language = replace(described("llama"), end_ids=frozenset())
    assert not any(text.finished for text in sampled_texts(language, "2+2=", NUCLEUS, seed=1))


def test_a_prompt_that_fills_all_positions_is_refused():
    with pytest.raises(SteadyError, match="a prompt of 128 tokens: the model has 128 positions"):
        sampled_texts(described("llama"), "x" * 128, NUCLEUS, seed=1)
