"""Packing: a packed row is computed as if it stood alone, and nothing leaks into it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from pretrain.architectures import build_model
from pretrain.causal import build_causal_feed, causal_hidden, causal_loss
from pretrain.corpus import read_rows, read_tasks
from pretrain.feeds import PackedFeed
from pretrain.packing import CausalBatch, PackedSequence, branch_mask, collate, cut_middle
from pretrain.params import ModelParams, read_params
from pretrain.rendering import Tokens
from pretrain.sampling import RowOrder
from pretrain.seq2seq import PackedPairs, build_seq2seq_feed, collate_pairs, seq2seq_loss
from pretrain.training import to_device


@pytest.fixture(scope="module")
def nano(params_path: Path) -> ModelParams:
    return read_params(params_path).models["nano"]


@pytest.fixture(scope="module")
def feed(params_path: Path, prepared: Path, nano: ModelParams) -> PackedFeed:
    rows, tasks = read_rows(prepared / "prepared/train.jsonl"), read_tasks(prepared / "prepared/tasks.json")
    return build_causal_feed(rows, tasks, Tokenizer.from_file(str(prepared / "tokenizer.json")), nano.train)


def sample_sequence() -> PackedSequence:
    """Two groups: a prefix of three tokens with two rows, and a row without a prefix."""
    sequence = PackedSequence()
    sequence.open_document(Tokens([5, 6, 7], [0.0] * 3))
    sequence.add_branch(Tokens([8, 9, 10, 11], [0.0, 0.0, 2.0, 2.0]))
    sequence.add_branch(Tokens([12, 13], [0.0, 2.0]))
    sequence.open_document(Tokens([], []))
    sequence.add_branch(Tokens([14, 15, 16], [0.0, 1.0, 1.0]))
    return sequence


def test_a_token_sees_its_prefix_and_its_own_branch_alone() -> None:
    sequence = sample_sequence()
    seen = branch_mask(torch.tensor([sequence.documents]), torch.tensor([sequence.branches]))[0]
    assert seen[6].nonzero()[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert seen[8].nonzero()[:, 0].tolist() == [0, 1, 2, 7, 8]
    assert seen[11].nonzero()[:, 0].tolist() == [9, 10, 11]


def test_positions_of_each_branch_go_on_from_the_prefix() -> None:
    assert sample_sequence().positions == [0, 1, 2, 3, 4, 5, 6, 3, 4, 0, 1, 2]


def test_packed_hidden_states_equal_those_of_each_row_alone(nano: ModelParams) -> None:
    model = build_model(nano.architecture, 32, seed=0).eval()
    batch = collate([sample_sequence()], 16, 0)
    with torch.inference_mode():
        packed = causal_hidden(model, dict(model.named_parameters()), batch)[0]
        for places in ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 7, 8], [9, 10, 11]):
            alone = model.model(input_ids=batch.input_ids[:, places]).last_hidden_state[0]
            torch.testing.assert_close(packed[places], alone, atol=1e-5, rtol=1e-4)


def test_the_loss_is_that_of_plain_transformers(nano: ModelParams) -> None:
    model = build_model(nano.architecture, 32, seed=0)
    sequence = PackedSequence()
    sequence.open_document(Tokens([], []))
    sequence.add_branch(Tokens([3, 4, 5, 6, 7], [0.0, 1.0, 0.0, 2.0, 1.0]))
    batch = collate([sequence], 5, 0)
    total, weight = causal_loss(model, dict(model.named_parameters()), batch)
    total.backward()
    packed = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    logits = model(input_ids=batch.input_ids).logits[0, :-1]
    losses = torch.nn.functional.cross_entropy(logits, batch.input_ids[0, 1:], reduction="none")
    plain = (losses * batch.weights[0, 1:]).sum()
    plain.backward()
    assert float(weight) == 4.0
    torch.testing.assert_close(total, plain)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(packed[name], parameter.grad, atol=1e-5, rtol=1e-4)


def test_the_first_token_after_a_jump_is_never_a_target() -> None:
    sequence = PackedSequence()
    sequence.open_document(Tokens([5, 6], [0.0, 0.0]))
    sequence.add_branch(Tokens([7, 8], [3.0, 1.0]))
    assert sequence.weights == [0.0, 0.0, 0.0, 1.0]


def test_a_row_too_long_keeps_its_answer() -> None:
    assert cut_middle(Tokens(list(range(10)), [0.0] * 10), 5).ids == [0, 1, 7, 8, 9]
    assert cut_middle(Tokens([1, 2], [0.0, 1.0]), 5).ids == [1, 2]


def test_batches_are_full_and_hold_only_training_rows(feed: PackedFeed, prepared: Path) -> None:
    tokenizer = Tokenizer.from_file(str(prepared / "tokenizer.json"))
    text = ""
    tokens = used = 0
    for index in range(60):
        batch = feed.next_batch(index)
        assert isinstance(batch, CausalBatch)
        tokens += batch.input_ids.numel()
        used += int((batch.input_ids != 0).sum())
        text += "".join(tokenizer.decode(ids.tolist()) for ids in batch.input_ids)
    assert used / tokens > 0.6
    held_out = read_rows(prepared / "prepared/held_out.jsonl")
    inputs = {row.input for row in read_rows(prepared / "prepared/train.jsonl")}
    assert sum(value in text for value in inputs) > 0.5 * len(inputs)
    assert not [row for row in held_out if row.input in text]


def test_every_tensor_of_a_batch_moves_to_the_device(feed: PackedFeed) -> None:
    moved = to_device(feed.next_batch(0), torch.device("meta"))
    assert {tensor.device.type for tensor in vars(moved).values()} == {"meta"}


def test_a_feed_put_back_gives_the_same_batches(feed: PackedFeed) -> None:
    place = feed.state()
    first = [feed.next_batch(index) for index in range(4)]
    feed.load_state(place)
    again = [feed.next_batch(index) for index in range(4)]
    assert all(torch.equal(a.input_ids, b.input_ids) for a, b in zip(first, again, strict=True))


def test_a_skipped_batch_moves_the_cursor_as_a_used_one(feed: PackedFeed) -> None:
    place = feed.state()
    feed.next_batch(0)
    used = feed.state()
    feed.load_state(place)
    assert feed.next_batch(0, skip=True) is None
    assert feed.state() == used


def test_an_epoch_takes_each_classification_row_once(feed: PackedFeed) -> None:
    order = feed.packers[1].order
    fresh = RowOrder(order.rows, order.tasks, order.mixture, seed=3)
    rows = [fresh.rows[entry.row] for entry in fresh.entries]
    for name, task in fresh.tasks.items():
        drawn = [row for row in rows if row.task == name]
        whole = [row for row in fresh.rows if row.task == name]
        expected = len(whole) if task.is_classification else round(len(whole) * fresh.mixture.other_share)
        assert len(drawn) == len({id(row) for row in drawn}) == expected


def test_solved_examples_are_never_the_row_asked_for(feed: PackedFeed) -> None:
    order = RowOrder(feed.packers[1].order.rows, feed.packers[1].order.tasks, feed.packers[1].order.mixture, seed=4)
    for _ in range(200):
        shown = {row.input for row in order.draw_examples(order.generator("group"))}
        assert order.row().input not in shown
        order.advance()


def test_t5_pairs_are_computed_as_if_alone(params_path: Path) -> None:
    params = read_params(params_path).models["nano-t5"]
    model = build_model(params.architecture, 32, seed=0)
    both, first, second = PackedPairs(), PackedPairs(), PackedPairs()
    for pair in (both, first):
        pair.add([5, 6, 7, 1], [8, 1], 2.0)
    for pair in (both, second):
        pair.add([9, 10, 1], [11, 12, 1], 1.0)
    weights = dict(model.named_parameters())
    packed, weight = seq2seq_loss(model, weights, collate_pairs([both], 12, 8))
    apart = sum(seq2seq_loss(model, weights, collate_pairs([p], 12, 8))[0] for p in (first, second))
    torch.testing.assert_close(packed, apart)
    assert float(weight) == 7.0


def test_the_t5_loss_is_that_of_plain_transformers(params_path: Path) -> None:
    model = build_model(read_params(params_path).models["nano-t5"].architecture, 32, seed=0)
    pair = PackedPairs()
    pair.add([5, 6, 7, 1], [8, 9, 1], 1.0)
    packed, weight = seq2seq_loss(model, dict(model.named_parameters()), collate_pairs([pair], 6, 5))
    plain = model(input_ids=torch.tensor([[5, 6, 7, 1]]), labels=torch.tensor([[8, 9, 1]])).loss
    torch.testing.assert_close(packed / weight, plain)


def test_t5_batches_hold_span_corruption_and_instructions(params_path: Path, prepared: Path) -> None:
    params = read_params(params_path).models["nano-t5"].train
    rows, tasks = read_rows(prepared / "prepared/train.jsonl"), read_tasks(prepared / "prepared/tasks.json")
    tokenizer = Tokenizer.from_file(str(prepared / "tokenizer.json"))
    feed = build_seq2seq_feed(rows, tasks, tokenizer, params)
    first_sentinel = tokenizer.token_to_id("<extra_id_0>")
    batch = feed.next_batch(0)
    assert (batch.source_ids == first_sentinel).sum() == (batch.target_ids == first_sentinel).sum() > 0
    assert (batch.weights == params.loss.label).any()
