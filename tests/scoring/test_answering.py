"""Answers of a run: the numbers are those of whole sequences, and a run that was stopped ends with the same bytes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import PROMPTS, described

from steady.errors import SteadyError
from steady.inference.language import encode, encode_answer, sequence_logprob
from steady.inference.likelihood import make_scorer
from steady.labels import LabelTask
from steady.metrics.matrices import write_matrices
from steady.records import Prompt
from steady.scoring.answering import score_groups, small_bundles
from steady.scoring.generated import Wanted, generated_answers
from steady.scoring.groups import PromptGroup
from steady.scoring.resume import Partial, partial_of

LABELS = ("yes", "no", "perhaps")
TASK, OPEN = LabelTask(LABELS), LabelTask(())


def answers(scorer, task, partial=None, paired=True):
    return generated_answers(scorer, PROMPTS, task, Wanted(paired, True), partial or Partial())


@pytest.mark.parametrize("name", ["llama", "t5", "mamba"])
def test_the_choice_is_the_label_whose_whole_sequence_is_likeliest(name):
    scorer = make_scorer(described(name), 4, 400)
    found = answers(scorer, TASK)
    for prompt, said in zip(PROMPTS, found.predictions, strict=True):
        tokens = encode(scorer.language, [prompt.prompt])[0]
        whole = [
            sequence_logprob(scorer.language, tokens, encode_answer(scorer.language, prompt.prompt, label))
            for label in LABELS
        ]
        differences = [a - b for a, b in zip(said.label_logprobs, whole, strict=True)]
        assert max(differences) - min(differences) < 1e-3, "equal but for the normalisation"
        assert said.parsed == LABELS[max(range(3), key=whole.__getitem__)]
        assert said.correct == (said.parsed == "no")
        assert sum(2.718281828459045**value for value in said.label_logprobs) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", ["llama", "t5", "mamba"])
def test_the_scaled_matrix_divides_the_logits_by_the_temperature(name):
    plain, scorer = (make_scorer(described(name), 4, 400, temperatures) for temperatures in ((), (1.7,)))
    expected, found = answers(plain, OPEN), answers(scorer, OPEN)
    assert [group.scaled for group in expected.groups] == [None, None]
    for one, other in zip(expected.groups, found.groups, strict=True):
        assert other.matrix == pytest.approx(one.matrix, abs=1e-4)
        prompts = {prompt.id: encode(scorer.language, [prompt.prompt])[0] for prompt in PROMPTS}
        for row, prompt in enumerate(other.predictions):
            for column, said in enumerate(other.predictions):
                whole = sequence_logprob(scorer.language, prompts[prompt.prompt_id], tuple(said.token_ids), 1.7)
                assert other.scaled[row, column] == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_a_matrix_holds_every_response_under_every_prompt_of_its_group(name):
    scorer = make_scorer(described(name), 4, 400)
    found = answers(scorer, OPEN)
    assert [group.id for group in found.groups] == ["a", "b"]
    for group in found.groups:
        prompts = encode(scorer.language, [item.prompt for item in PROMPTS if item.group_id == group.id])
        for row, prompt in enumerate(prompts):
            for column, said in enumerate(group.predictions):
                expected = sequence_logprob(scorer.language, prompt, tuple(said.token_ids))
                assert group.matrix[row, column] == pytest.approx(expected, abs=1e-3)


def test_the_likeliest_reference_a_token_counts():
    scorer = make_scorer(described("llama"), 4, 400)
    found = answers(scorer, OPEN, paired=False)
    assert not found.groups
    for prompt, (logprob, tokens) in zip(PROMPTS, found.references, strict=True):
        asked = encode(scorer.language, [prompt.prompt])[0]
        each = [encode_answer(scorer.language, prompt.prompt, reference) for reference in ("no", "nay")]
        best = max(sequence_logprob(scorer.language, asked, answer) / len(answer) for answer in each)
        assert logprob / tokens == pytest.approx(best, abs=1e-4)


def test_an_open_answer_is_right_where_it_is_a_reference():
    scorer = make_scorer(described("llama"), 4, 400)
    said = answers(scorer, OPEN).predictions[0]
    right = Prompt(
        id="r", group_id="r", example_id="", wording="", prompt="2+2=", completion="x", references=[said.text]
    )
    assert said.parsed is None and said.label_logprobs == [] and said.correct is False
    again = generated_answers(scorer, [right], OPEN, Wanted(False, True), Partial()).predictions[0]
    assert again.correct is bool(said.text)


def run_bytes(folder, scorer, partial):
    """The bytes of a run's files, as the stages write them."""
    found = answers(scorer, TASK, partial)
    write_matrices(folder / "matrices.safetensors", found.groups)
    return repr(found.predictions), repr(found.references), (folder / "matrices.safetensors").read_bytes()


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    from steady.scoring import answering

    scorer = make_scorer(described("llama"), 4, 100)  # a budget of one group at a time
    whole = run_bytes(tmp_path, scorer, Partial())
    partial = partial_of(tmp_path, "a run")
    calls = []
    bundle = answering.score_bundle

    def stops_at_the_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return bundle(*arguments)

    monkeypatch.setattr(answering, "score_bundle", stops_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_bytes(tmp_path, scorer, partial)
    assert len(list(partial.folder.iterdir())) == 1
    assert run_bytes(tmp_path, scorer, partial) == whole
    assert len(calls) == 3, "the bundle that was done is not scored again"
    partial.clear()
    assert not partial.folder.exists()


@pytest.mark.parametrize("damage", [b"", b"{", None])
def test_a_damaged_bundle_and_one_of_other_prompts_are_scored_again(tmp_path, damage):
    scorer = make_scorer(described("llama"), 4, 100)
    partial = partial_of(tmp_path, "a run")
    whole = run_bytes(tmp_path, scorer, partial)
    first = sorted(partial.folder.iterdir())[0]
    if damage is None:
        lines = [json.loads(line) | {"prompt_id": "another"} for line in first.read_text().splitlines()]
        damage = "".join(json.dumps(line) + "\n" for line in lines).encode()
    first.write_bytes(damage)
    assert run_bytes(tmp_path, scorer, partial) == whole


def test_a_prompt_that_does_not_fit_is_refused_before_anything_is_scored():
    long = Prompt(id="x", group_id="long", example_id="x", wording="w", prompt="x" * 127, completion="")
    with pytest.raises(SteadyError, match=r"group x: a prompt of 127 tokens .* 128 positions with 4 for the answer"):
        generated_answers(make_scorer(described("llama"), 4, 400), [long], OPEN, Wanted(False, False), Partial())


def test_other_facts_have_another_place_and_no_root_keeps_nothing(tmp_path):
    assert partial_of(tmp_path, 1, "a").folder == partial_of(tmp_path, 1, "a").folder
    assert partial_of(tmp_path, 1, "a").folder != partial_of(tmp_path, 2, "a").folder
    assert partial_of(None, 1).folder is None


def test_a_bundle_holds_no_more_work_than_a_killed_run_may_lose(monkeypatch):
    language = described("llama")
    size = sum(parameter.numel() for parameter in language.model.parameters())
    monkeypatch.setattr("steady.scoring.answering.CPU_WORK", 100 * size)
    plan = small_bundles(language, [[0, 1, 2], [3, 4]], [60, 40, 1, 500, 5])
    assert plan == [[0, 1], [2], [3], [4]], "a group that is too large by itself is alone"


def test_what_is_kept_depends_on_the_code_that_loads_models_and_scores(monkeypatch, tmp_path):
    from steady.scoring import resume

    for name in ("scoring", "models", "inference", "metrics", "report"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.py").write_text("x = 1")
    monkeypatch.setattr(resume, "__file__", str(tmp_path / "scoring/resume.py"))
    monkeypatch.setattr(resume, "CODE", ("scoring", "models", "inference", "metrics/text.py"))
    digests = [resume.code_digest()]
    for name in ("scoring", "models", "inference", "metrics"):
        (tmp_path / name / "text.py").write_text("x = 2")
        digests.append(resume.code_digest())
    assert len(set(digests)) == 5
    (tmp_path / "report/text.py").write_text("x = 2")
    assert resume.code_digest() == digests[-1]


@settings(max_examples=12, deadline=None)
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


def test_a_sample_of_pairs_is_the_whole_matrix_in_its_pairs_and_unknown_elsewhere():
    scorer = make_scorer(described("llama"), 4, 4000)
    asked = [PromptGroup("g", tuple("abc"), tuple(prompt.prompt for prompt in PROMPTS[:3]))]
    (whole,), (sampled,) = score_groups(scorer, asked), score_groups(scorer, asked, max_pairs=2)
    known = sampled.sampled | np.eye(3, dtype=bool)
    assert known.sum() == 5
    assert sampled.matrix[known] == pytest.approx(whole.matrix[known], abs=1e-4)
    assert np.isnan(sampled.matrix[~known]).all()
    assert [item.correct for item in sampled.predictions] == [None] * 3
