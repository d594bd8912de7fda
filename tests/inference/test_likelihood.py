"""The branched cache gives the numbers of one whole sequence at a time, whatever the model, the batch and the budget."""

from dataclasses import replace

import pytest
import torch
from small_models import GROUPS, described

from steady.inference.language import encode, sequence_logprob
from steady.inference.likelihood import (
    _reference_response,
    chunks_of,
    greedy_responses,
    make_scorer,
    score_prompts,
)
from steady.inference.passes import cpu_tokens, shared_tokens
from steady.inference.scorer import Memory, Scorer
from steady.scoring.answering import score_groups
from steady.scoring.groups import PromptGroup

TOLERANCE = 1e-4
TOKENS = 6


def wanted_of(language, *groups):
    wanted = {}
    for group in groups:
        prompts = encode(language, group)
        for prompt in prompts:
            wanted[prompt] = wanted.get(prompt, frozenset()) | frozenset(prompts)
    return wanted


def as_groups(*groups):
    return [
        PromptGroup(f"g{place}", tuple(f"{place}-{row}" for row in range(len(group))), group)
        for place, group in enumerate(groups)
    ]


def test_scores_and_responses_are_those_of_whole_sequences(any_language):
    scorer = make_scorer(any_language, TOKENS, 4000)
    responses, scores, _ = score_prompts(scorer, wanted_of(any_language, *GROUPS))
    assert len(scores) > len(responses)
    for prompt, response in responses.items():
        assert response.tokens == _reference_response(scorer, prompt).tokens
        assert response.logprob == pytest.approx(scores[prompt, response.tokens], abs=TOLERANCE)
    for (prompt, response), value in scores.items():
        assert value == pytest.approx(sequence_logprob(any_language, prompt, response), abs=TOLERANCE)


def test_only_a_recurrent_model_does_without_a_branched_cache(any_language):
    recurrent = "mamba" in type(any_language.model).__name__.lower()
    assert (make_scorer(any_language, TOKENS, 4000).memory is None) is recurrent


@pytest.mark.parametrize("name", ["llama", "falcon-alibi", "mistral", "t5"])
def test_a_small_budget_reads_prompts_twice_and_changes_no_number(name):
    language = described(name)
    wide, tight = make_scorer(language, TOKENS, 4000), make_scorer(language, TOKENS, 130)
    wanted = wanted_of(language, *GROUPS)
    assert len(chunks_of(wide, set(wanted))) == 1 < len(chunks_of(tight, set(wanted)))
    expected, scores, _ = score_prompts(wide, wanted)
    responses, again, _ = score_prompts(tight, wanted)
    assert {prompt: item.tokens for prompt, item in responses.items()} == {
        prompt: item.tokens for prompt, item in expected.items()
    }
    assert again == {key: pytest.approx(value, abs=TOLERANCE) for key, value in scores.items()}
    longest = max(map(len, wanted))
    assert wide.passes.prefill == sum(map(len, wanted)) < tight.passes.prefill <= 2 * wide.passes.prefill - longest


@pytest.fixture
def counted(monkeypatch):
    """Tokens of every forward pass, padding included."""
    from steady.inference import passes

    shapes, call = [], passes.call

    def counting(language, **inputs):
        shapes.append(tuple(inputs["input_ids"].shape) if "input_ids" in inputs else ())
        return call(language, **inputs)

    monkeypatch.setattr(passes, "call", counting)
    return shapes


BEGINNING = "Answer in one word, please. "


@pytest.mark.parametrize("budget", [4000, 400])
def test_a_beginning_of_all_prompts_changes_no_number(any_language, budget):
    scorer = make_scorer(any_language, TOKENS, budget)
    groups = [tuple(BEGINNING + text for text in group) for group in GROUPS]
    responses, scores, _ = score_prompts(scorer, wanted_of(any_language, *groups))
    for prompt, response in responses.items():
        assert response.tokens == _reference_response(scorer, prompt).tokens
    for (prompt, response), value in scores.items():
        assert value == pytest.approx(sequence_logprob(any_language, prompt, response), abs=TOLERANCE)


def test_a_beginning_of_all_prompts_is_read_once(counted):
    scorer = make_scorer(described("llama"), 1, 4000)
    counted.clear()
    greedy_responses(scorer, encode(scorer.language, [BEGINNING + text for text in GROUPS[1]]))
    assert counted[0] == (1, len(BEGINNING))
    assert counted[1:] == [(len(GROUPS[1]), max(map(len, GROUPS[1])))]
    assert scorer.passes.prefill == len(BEGINNING) + sum(map(len, GROUPS[1]))


@pytest.mark.parametrize("texts", [("2+2=", "2+2=!"), (BEGINNING, BEGINNING + "x"), (BEGINNING + "x", BEGINNING + "y")])
def test_prompts_keep_a_token_of_their_own_behind_what_they_share(texts):
    language = described("llama")
    prompts = encode(language, texts)
    shared = shared_tokens(language, prompts)
    assert shared < min(map(len, prompts))
    assert shared in {0, len(BEGINNING) - 1, len(BEGINNING)}
    assert shared_tokens(language, prompts[:1]) == shared_tokens(described("t5"), prompts) == 0


def test_the_width_of_a_pass_on_a_cpu_hangs_on_the_dtype_and_the_kind_of_cpu(monkeypatch):
    language = described("llama")
    assert cpu_tokens(language) == 384
    half = replace(language, model=type(language.model)(language.model.config).to(torch.bfloat16))
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    plain = cpu_tokens(half)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert 384 < plain < cpu_tokens(half)


def test_the_output_layer_gets_rows_that_lie_together():
    language = described("llama")
    seen = []
    head = language.model.get_output_embeddings()
    handle = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].is_contiguous()))
    greedy_responses(make_scorer(language, 3, 4000), encode(language, GROUPS[1]))
    handle.remove()
    assert seen and all(seen)


@pytest.mark.parametrize("name", ["gpt2", "llama", "t5"])
def test_a_group_alone_equals_the_group_in_a_batch(name):
    scorer = make_scorer(described(name), TOKENS, 4000)
    groups = as_groups(*GROUPS)
    together = score_groups(scorer, groups)
    for group, expected in zip(groups, together, strict=True):
        (alone,) = score_groups(scorer, [group])
        assert alone.responses == expected.responses
        assert alone.matrix == pytest.approx(expected.matrix, abs=TOLERANCE)


def test_equal_prompts_get_equal_numbers_and_are_read_once():
    scorer = make_scorer(described("llama"), TOKENS, 4000)
    (group,) = score_groups(scorer, as_groups(("2+2=", "What is 2+2?", "2+2=")))
    assert (group.matrix[0] == group.matrix[2]).all()
    assert (group.matrix[:, 0] == group.matrix[:, 2]).all()
    assert scorer.passes.prefill == len("2+2=") + len("What is 2+2?")


def test_permuting_the_prompts_permutes_the_matrix():
    scorer = make_scorer(described("phi"), TOKENS, 4000)
    (group,) = score_groups(scorer, as_groups(GROUPS[1]))
    (turned,) = score_groups(scorer, as_groups(GROUPS[1][::-1]))
    assert turned.matrix == pytest.approx(group.matrix[::-1, ::-1], abs=TOLERANCE)


def test_a_model_that_does_not_see_the_prompt_is_perfectly_insensitive():
    from steady.metrics.matrices import sensitivity

    language = described("t5")
    blind = replace(language, model=type(language.model)(language.model.config).eval())
    with torch.no_grad():
        for layer in blind.model.decoder.block:
            layer.layer[1].EncDecAttention.o.weight.zero_()
    (group,) = score_groups(make_scorer(blind, TOKENS, 4000), as_groups(GROUPS[1]))
    assert len(set(group.responses)) == 1
    assert sensitivity(group).psi == pytest.approx(0, abs=1e-6)


def test_a_response_ends_with_its_end_token_and_is_no_longer_than_the_limit():
    language = described("llama")
    responses = greedy_responses(make_scorer(language, TOKENS, 4000), encode(language, GROUPS[0] + GROUPS[1]))
    lengths = [len(item.tokens) for item in responses]
    assert min(lengths) < TOKENS == max(lengths)
    for item in responses:
        assert not language.end_ids.intersection(item.tokens[:-1])
        assert len(item.tokens) == TOKENS or item.tokens[-1] in language.end_ids


def test_without_an_end_token_every_response_runs_to_the_limit():
    language = replace(described("llama"), end_ids=frozenset())
    responses = greedy_responses(make_scorer(language, 3, 4000), encode(language, GROUPS[1]))
    assert {len(response.tokens) for response in responses} == {3}


def test_one_token_of_response_needs_no_pass_behind_the_prefill():
    scorer = make_scorer(described("gpt2"), 1, 4000)
    (group,) = score_groups(scorer, as_groups(GROUPS[1]))
    assert (scorer.passes.decode, scorer.passes.score) == (0, 0)
    prompts = encode(scorer.language, GROUPS[1])
    assert group.matrix[0, 1] == pytest.approx(
        sequence_logprob(scorer.language, prompts[0], tuple(group.predictions[1].token_ids)), abs=TOLERANCE
    )


def test_a_model_whose_cache_gives_other_numbers_is_scored_without_it(monkeypatch):
    from steady.inference import passes

    right = passes.CausalPrompts.respond

    def shifted(self, rows, tokens, mask):
        self.lengths = self.lengths + 1
        return right(self, rows, tokens, mask)

    monkeypatch.setattr(passes.CausalPrompts, "respond", shifted)
    assert make_scorer(described("gpt2"), TOKENS, 4000).memory is None


def test_weights_that_are_not_numbers_give_matrices_that_are_not():
    language = described("llama")
    broken = replace(language, model=type(language.model)(language.model.config).eval())
    with torch.no_grad():
        broken.model.lm_head.weight.fill_(float("nan"))
    (group,) = score_groups(make_scorer(broken, TOKENS, 4000), as_groups(GROUPS[0]))
    assert group.fault == "not_finite"
    assert {item.logprob for item in group.predictions} == {None}


def test_a_half_precision_model_is_scored_by_a_float32_softmax():
    language = described("llama")
    model = type(language.model)(language.model.config).to(torch.bfloat16).eval()
    (group,) = score_groups(make_scorer(replace(language, model=model), TOKENS, 4000), as_groups(GROUPS[0]))
    assert group.fault is None
    assert group.matrix.dtype == "float64"


def test_the_cost_of_a_response_counts_one_layer_and_the_logits():
    memory = Memory(position=100, layer=50, logits=400)
    assert memory.response_cost(prompt_tokens=6, response_tokens=2) == (8 * 50 + 2 * 400) / 100


def test_three_quarters_of_the_budget_hold_prompts():
    assert Scorer(described("llama"), TOKENS, 1000, None).kept_positions == 750
