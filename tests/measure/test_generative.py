"""Records in, records and matrices out; and whatever the prompts are, the numbers are those of whole sequences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import described

from steady.errors import SteadyError
from steady.inference.language import encode, sequence_logprob
from steady.inference.likelihood import make_scorer
from steady.measure.generative import score_groups, score_records
from steady.records import Prompt
from steady.scoring.groups import PromptGroup

TEXTS = {"a": ["2+2=", "What is 2+2?", "two plus two"], "b": ["alone"], "c": ["hello", "say hello to them all, please"]}
PROMPTS = [
    Prompt(id=f"{group}{place}", group_id=group, example_id=group, wording=str(place), prompt=text, completion="4")
    for place in range(3)
    for group, texts in TEXTS.items()
    for text in texts[place : place + 1]
]


def test_records_come_back_in_the_order_of_the_prompts():
    predictions, groups = score_records(make_scorer(described("gpt2"), 4, 2000), PROMPTS)
    assert [item.prompt_id for item in predictions] == [prompt.id for prompt in PROMPTS]
    assert [(group.id, len(group.matrix), group.fault) for group in groups] == [
        ("a", 3, None),
        ("b", 1, "one_prompt"),
        ("c", 2, None),
    ]
    by_id = {item.prompt_id: item for item in predictions}
    for group in groups:
        for place, item in enumerate(group.predictions):
            assert item == by_id[item.prompt_id]
            assert item.logprob == group.matrix[place, place]
            assert item.correct is None


def test_a_prompt_that_does_not_fit_is_named():
    long = Prompt(id="x", group_id="long", example_id="x", wording="w", prompt="x" * 125, completion="")
    with pytest.raises(SteadyError, match=r"128 positions with 4 .*such as long"):
        score_records(make_scorer(described("llama"), 4, 2000), [*PROMPTS, long])


@settings(max_examples=12)
@given(
    st.lists(st.lists(st.text("abc xyz", min_size=1, max_size=40), min_size=1, max_size=4), min_size=1, max_size=3),
    st.sampled_from(["gpt2", "llama", "falcon-alibi", "mistral", "t5"]),
    st.integers(1, 5),
    st.sampled_from([100, 300, 5000]),
)
def test_any_groups_at_any_budget_are_scored_as_whole_sequences(groups, name, tokens, budget):
    language = described(name)
    asked = [PromptGroup(str(n), tuple(map(str, range(len(texts)))), tuple(texts)) for n, texts in enumerate(groups)]
    for group in score_groups(make_scorer(language, tokens, budget), asked):
        prompts = encode(language, asked[int(group.id)].prompts)
        whole = [
            [sequence_logprob(language, prompt, tuple(item.token_ids)) for item in group.predictions]
            for prompt in prompts
        ]
        assert group.matrix == pytest.approx(np.asarray(whole), abs=1e-4)
