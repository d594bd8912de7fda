"""The objective `consistency`: its numbers by hand, its gradients, its controls, and trainings with it on all three families."""

import math
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import TASKS, examples, material, model_folder, train_arm, view
from test_resume import STEPS, Stopped, digests, stop_at

from steady.errors import SteadyError
from steady.finetune.objectives.consistency import consensus, divergence, penalty, weight
from steady.finetune.objectives.step import IGNORED, Step, label_positions, token_positions
from steady.finetune.params import ConsistencyParams
from steady.metrics.sensitivity import degeneracy

FULL = ConsistencyParams(start=0.0, ramp=1.0)


def step(chances: list[list[list[float]]], targets: list[int], progress: float = 1.0) -> Step:
    """A classifier's batch from probabilities (items, wordings, labels)."""
    logits = torch.tensor(chances, dtype=torch.float64).log()[:, :, None].float().requires_grad_()
    answers = torch.tensor(targets)[:, None, None].expand(logits.shape[:3])
    return Step(logits, answers, progress)


def test_two_labels_and_two_wordings_by_hand():
    # H(.7, .3) - (H(.9, .1) + H(.5, .5)) / 2 = .610864 - .509115 nats, over log 2.
    found = penalty(step([[[0.9, 0.1], [0.5, 0.5]]], [0]), FULL)
    assert found is not None and float(found.detach()) == pytest.approx(0.146793, abs=1e-5)
    opposite = divergence(torch.tensor([[[[50.0, -50.0]], [[-50.0, 50.0]]]]), torch.zeros(1, 2, 1).long(), 64)
    assert float(opposite) == pytest.approx(1.0)


@given(
    st.integers(2, 5),
    st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3),
    st.sampled_from([1, 2, 64]),
)
def test_identical_wordings_cost_exactly_nothing(wordings, logits, top):
    same = torch.tensor(logits).expand(2, wordings, 4, 3)
    assert float(divergence(same, torch.zeros(2, wordings, 4).long(), top)) == 0.0


def test_gradients_reach_every_wording_and_pull_them_together():
    batch = step([[[0.9, 0.1], [0.4, 0.6]]], [0])
    found = penalty(batch, FULL)
    assert found is not None
    found.backward()  # type: ignore[no-untyped-call]
    gradient = batch.logits.grad
    assert gradient is not None and (gradient.abs().sum(-1) > 1e-3).all()
    with torch.no_grad():
        nearer = divergence(batch.logits - 0.5 * gradient, batch.targets, 64)
    assert float(nearer) < float(found.detach())


def test_answers_of_another_number_of_tokens_are_compared_where_they_are_the_same():
    logits = torch.randn(1, 2, 3, 5)
    apart = torch.tensor([[[1, 2, 3], [4, 2, IGNORED]]])
    assert torch.equal(divergence(logits, apart, 64), divergence(logits[:, :, 1:2], apart[:, :, 1:2], 64))
    assert float(divergence(logits, torch.tensor([[[1, 2, 3], [2, 3, 1]]]), 64)) == 0.0


def test_a_large_vocabulary_is_told_apart_in_its_likeliest_tokens_and_never_costs_more():
    logits, targets = torch.randn(2, 2, 1, 100) * 3, torch.zeros(2, 2, 1).long()
    whole, most, few = (float(divergence(logits, targets, top)) for top in (100, 64, 3))
    assert few < most <= whole and most == pytest.approx(whole, rel=0.05)


def test_the_weight_rises_after_its_start():
    settings = ConsistencyParams(lambda_max=2.0, start=0.2, ramp=0.4)
    assert [weight(settings, done) for done in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([0, 0, 1, 2, 2])


def test_nothing_is_added_before_the_start_or_with_a_weight_of_nothing():
    batch = step([[[0.9, 0.1], [0.4, 0.6]]], [0], progress=0.1)
    assert penalty(batch, ConsistencyParams()) is None
    assert penalty(Step(batch.logits, batch.targets, 1.0), ConsistencyParams(lambda_max=0.0)) is None


def test_a_tilted_loss_leans_on_the_worst_wording():
    batch = step([[[0.9, 0.1], [0.5, 0.5]]], [0], progress=0.0)
    losses = [-math.log(0.9), -math.log(0.5)]
    for eta in (0.5, 4.0):
        expected = math.log(sum(math.exp(eta * loss) for loss in losses) / 2) / eta - sum(losses) / 2
        found = penalty(batch, ConsistencyParams(tilt=eta))
        assert found is not None and float(found.detach()) == pytest.approx(expected, abs=1e-6)


def test_consensus_teaches_what_most_wordings_answer_and_leaves_ties_alone():
    two_of_three, tie = [[0.6, 0.4], [0.7, 0.3], [0.2, 0.8]], [[0.6, 0.4], [0.4, 0.6]]
    batch = step([two_of_three], [1])
    expected = -(math.log(0.6) + math.log(0.7) + math.log(0.2)) / 3
    assert float(consensus(batch.logits.detach(), batch.targets, 64)) == pytest.approx(expected, abs=1e-5)
    assert float(consensus(step([tie], [1]).logits.detach(), step([tie], [1]).targets, 64)) == 0.0


def test_the_placebo_compares_items_of_one_label_and_never_wordings_of_one_item():
    steady_items = [[[0.9, 0.1]] * 2, [[0.5, 0.5]] * 2, [[0.3, 0.7]] * 2]
    settings = ConsistencyParams(start=0.0, ramp=1.0, placebo=True)
    real, placebo = (penalty(step(steady_items, [0, 0, 1]), each) for each in (FULL, settings))
    assert real is not None and placebo is not None
    # The third item is the only one of its label.
    assert (float(real.detach()), float(placebo.detach())) == (0.0, pytest.approx(0.146793, abs=1e-5))


def test_a_constant_model_has_no_divergence_and_is_flagged():
    constant = step([[[0.8, 0.2]] * 2] * 4, [0, 1, 0, 1])
    found = penalty(constant, FULL)
    assert found is not None and float(found.detach()) == 0.0
    answers = constant.logits.argmax(-1).flatten().tolist()
    assert degeneracy(answers, constant.targets.flatten().tolist()).degenerate


def test_a_label_that_may_or_may_not_apply_is_a_choice_of_two():
    logits, targets = label_positions(torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, 0.0]]))
    assert logits.softmax(-1)[0, :, 1].tolist() == pytest.approx(torch.tensor([1.0, -2.0]).sigmoid().tolist())
    assert targets.tolist() == [[1, 0]]


def test_tokens_are_dealt_to_their_rows():
    logits, targets = token_positions(torch.arange(6.0)[:, None], torch.arange(6), torch.tensor([1, 3, 2]))
    assert targets.tolist() == [[0, IGNORED, IGNORED], [1, 2, 3], [4, 5, IGNORED]]
    assert logits.shape == (3, 3, 1)


def settings(
    root: Path, family: str, encoder: Any, objective: str, epochs: int = 4, **consistency: Any
) -> tuple[Any, Any]:
    """An arm with grouped batches of two items, dropout and accumulation."""
    sections: dict[str, Any] = {
        "arm": {
            "objective": objective,
            "sampler": "grouped",
            "settings": {f"consistency.{k}": v for k, v in consistency.items()},
        },
        "train": {"per_device_train_batch_size": 4, "eval_steps": 2, "base_dropout": 0.1, "num_train_epochs": epochs},
    }
    if family == "bert":
        model = {"task": "SEQ_CLS", "pooling": "mean"}
        return view(Path(encoder.id), "SEQ_CLS", model=model, **sections), material(examples())
    return view(model_folder(root, family), TASKS[family], **sections), material(examples())


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_with_a_weight_of_nothing_it_is_sft_on_the_same_batches_to_the_byte_and_with_one_it_is_not(
    family, tiny_encoder, tmp_path
):
    weights = {}
    for name, arm in {
        "sft": ("sft", {}),
        "none": ("consistency", {"lambda_max": 0.0}),
        "some": ("consistency", {"lambda_max": 3.0, "start": 0.0}),
    }.items():
        train_arm(tmp_path / name, *settings(tmp_path, family, tiny_encoder, arm[0], epochs=2, **arm[1]))
        weights[name] = (tmp_path / name / "arm/adapter_model.safetensors").read_bytes()
    assert weights["none"] == weights["sft"] != weights["some"]


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_stopped_at_random_it_ends_with_the_same_bytes(family, tiny_encoder, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("steady.finetune.finetune.code_digest", lambda package: "the code")
    given_ = settings(tmp_path, family, tiny_encoder, "consistency", start=0.1, tilt=0.5)
    train_arm(tmp_path / "whole", *given_)
    with monkeypatch.context() as patch:
        stop_at(patch, random.Random(family).randrange(5, 10))
        with pytest.raises(Stopped):
            train_arm(tmp_path / "cut", *given_, tmp_path / "checkpoints")
    train_arm(tmp_path / "cut", *given_, tmp_path / "checkpoints")
    assert "Going on from step" in caplog.text and STEPS
    assert digests(tmp_path / "cut/arm") == digests(tmp_path / "whole/arm")


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"objective": "consistency"}, "needs sampler grouped and wordings variants, got shuffled"),
        (
            {"objective": "consistency", "sampler": "grouped", "group_size": 3},
            "does not hold whole items of group_size 3",
        ),
        ({"settings": {"lora.rank": 3}}, "no key 'lora.rank'"),
        ({"settings": {"model.dtype": "float16"}}, "no key 'model.dtype'"),
        ({"settings": {"consistency.tilt": -1}}, "`consistency.tilt`: .* greater than or equal to 0, got -1"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_is_loaded(arm, message, tmp_path):
    with pytest.raises(SteadyError, match=message):
        train_arm(tmp_path, view(tmp_path, "CAUSAL_LM", arm=arm), material(examples()))
