"""Rows of models that generate: which tokens are learned, what is cut, how batches and packs are made."""

import copy
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import examples, material
from small_models import byte_tokenizer, described, random_model

from steady.finetune.language.batches import (
    IGNORED,
    CausalBatches,
    CausalLogits,
    SequenceBatches,
    SequenceLogits,
    learned_tokens,
    summed_loss,
)
from steady.finetune.language.rows import GenerativeRows, RowEncoder, count_cuts
from steady.finetune.sampling import Sampling, grouped_by_length
from steady.inference.language import encode, encode_answer

TEMPLATE = "{% for m in messages %}[{{ m.content }}]{% endfor %}"
END, PAD = byte_tokenizer().eos_token_id, byte_tokenizer().pad_token_id


def encoder(task: str = "CAUSAL_LM", max_length: int = 60, chat: bool = False) -> RowEncoder:
    tokenizer = copy.deepcopy(byte_tokenizer())  # the others share it, and have no template
    tokenizer.chat_template = TEMPLATE
    return RowEncoder(tokenizer, task, max_length, chat)


@pytest.mark.parametrize(
    ("prompt", "chat", "prompt_tokens", "answer_tokens"),
    [("Colour:", False, 7, 5), ("Colour:\n", False, 8, 4), ("Colour:", True, 9, 4)],
    ids=["a space between", "white space already", "a chat template"],
)
def test_a_causal_loss_counts_the_answer_and_its_end_and_nothing_of_the_prompt(
    prompt, chat, prompt_tokens, answer_tokens
):
    row = encoder(chat=chat).row(prompt, "red")
    assert (len(row.prompt), len(row.answer)) == (prompt_tokens, answer_tokens)
    batch = CausalBatches(PAD, answers_only=True)([[row]])
    labels = batch["labels"][0].tolist()
    assert labels == [IGNORED] * prompt_tokens + batch["input_ids"][0, prompt_tokens:].tolist()
    assert labels[-1] == END and learned_tokens(batch, "CAUSAL_LM") == answer_tokens


def test_a_loss_on_everything_leaves_out_the_first_token_alone():
    row = encoder().row("Colour:", "red")
    batch = CausalBatches(PAD, answers_only=False)([[row]])
    assert (batch["labels"] == IGNORED).sum() == 1 and learned_tokens(batch, "CAUSAL_LM") == 11


def test_an_encoder_decoder_learns_its_answers_and_their_ends():
    short, long = (encoder("SEQ_2_SEQ_LM").row(prompt, answer) for prompt, answer in (("ab", "red"), ("abcd", "blue")))
    batch = SequenceBatches(PAD)([[short], [long]])
    assert batch["labels"][0].tolist() == [*b"red"[:0], *short.answer.tolist(), IGNORED]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert learned_tokens(batch, "SEQ_2_SEQ_LM") == 4 + 5


def test_padding_is_never_learned_even_where_the_end_token_pads():
    rows = [encoder().row(prompt, "red") for prompt in ("a", "a longer prompt")]
    batch = CausalBatches(END, answers_only=True)([[row] for row in rows])
    assert learned_tokens(batch, "CAUSAL_LM") == 2 * 5
    assert (batch["labels"] == END).sum() == 2, "each answer's own end, and no padding"


def test_what_is_trained_is_what_is_scored():
    language = described("llama")
    row = RowEncoder(language.tokenizer, "CAUSAL_LM", 100, False).row("Colour:", "red")
    assert tuple(row.prompt) == encode(language, ["Colour:"])[0]
    assert tuple(row.answer) == encode_answer(language, "Colour:", "red")


def test_the_prompt_is_cut_and_the_answer_never_is():
    row = encoder(max_length=10).row("0123456789", "red")
    assert row.length == 10 and row.cut == 5
    assert byte_tokenizer().decode(row.prompt) == "56789" and row.answer[-1] == END
    kept = encoder("SEQ_2_SEQ_LM", max_length=6).row("0123456789", "red")
    assert byte_tokenizer().decode(kept.prompt) == "012349" and len(kept.answer) == 4


def test_rows_whose_answer_does_not_fit_are_left_out_and_counted():
    rows = GenerativeRows(
        material(examples(("red", "much too long for it"), 6)).prompts, encoder(max_length=20), Sampling()
    )
    assert rows.kept == [0, 2, 4]
    counts = count_cuts(rows, epochs=2)
    assert counts["rows_left_out"] == 3 and counts["prompts_shown"] == 6
    assert counts["prompts_cut"] == 6 and counts["tokens_cut"] > 0


def test_an_answer_that_is_blank_is_left_out():
    assert not encoder().fits("  ")


def test_every_epoch_shows_the_wordings_of_its_own():
    rows = GenerativeRows(material(examples()).prompts, encoder(max_length=200), Sampling())
    first = [row.prompt.tolist() for row in rows.rows]
    rows.epoch = 1
    assert [row.prompt.tolist() for row in rows.rows] != first
    rows.epoch = 3
    assert [row.prompt.tolist() for row in rows.rows] == first, "three wordings"


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 16), st.integers())
def test_grouping_by_length_takes_every_row_once_and_leaves_one_short_batch_last(lengths, size, seed):
    order = grouped_by_length(lengths, size, random.Random(seed))
    assert Counter(order) == Counter(range(len(lengths)))


def test_grouping_by_length_pads_less_than_a_third_of_what_random_batches_do():
    rng = random.Random(0)
    lengths = [rng.randint(10, 200) for _ in range(800)]

    def padding(order):
        batches = [[lengths[index] for index in order[start : start + 8]] for start in range(0, 800, 8)]
        return sum(max(batch) * len(batch) - sum(batch) for batch in batches)

    assert padding(grouped_by_length(lengths, 8, rng)) < padding(range(800)) / 3
    assert grouped_by_length(lengths, 8, random.Random(1)) != grouped_by_length(lengths, 8, random.Random(2))


def test_packs_hold_every_row_once_in_every_epoch_and_are_alike_long():
    rows = GenerativeRows(material(examples(rows=30)).prompts, encoder(max_length=120), Sampling(seed=3))
    rows.pack()
    dealt = []
    for epoch in range(3):
        rows.epoch = epoch
        packs = [rows[index] for index in range(len(rows))]
        assert sum(map(len, packs)) == 30 and len(packs) == len(rows)
        assert max(rows.lengths()) - min(rows.lengths()) <= 2 * max(row.length for row in rows.rows)
        dealt.append([[row.length for row in pack] for pack in packs])
    assert dealt[0] != dealt[1]


def rows_of(task: str, count: int = 5) -> list:
    made = encoder(task, 100)
    return [made.row(f"Say {'the ' * place}colour {place}:", ("red", "blue")[place % 2]) for place in range(count)]


@pytest.mark.parametrize(
    "name", ["llama", "gpt2", "mistral", "phi", "gemma3", "falcon-alibi", "falcon-rotary", "mamba"]
)
def test_the_loss_of_a_batch_is_that_of_its_rows_one_by_one_by_the_models_own_forward(name):
    model, rows = random_model(name), rows_of("CAUSAL_LM")
    batches = CausalBatches(PAD, answers_only=True)
    batch = batches([[row] for row in rows])
    found = summed_loss(*CausalLogits(model, batch)(batch))
    expected = 0.0
    for row in rows:
        alone = batches([[row]])
        expected += float(model(**alone).loss.detach()) * len(row.answer)
    assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["llama", "gpt2", "falcon-rotary"])
def test_the_output_layer_is_asked_for_the_learned_tokens_alone(name, monkeypatch):
    model, rows = random_model(name), rows_of("CAUSAL_LM")
    batch = CausalBatches(PAD, answers_only=True)([[row] for row in rows])
    logits = CausalLogits(model, batch)
    assert logits.direct
    seen = []
    handle = model.get_output_embeddings().register_forward_hook(
        lambda module, inputs, output: seen.append(output.shape)
    )
    logits(batch)
    handle.remove()
    assert seen == [(sum(len(row.answer) for row in rows), 300)]


def test_a_model_that_scales_its_logits_by_a_way_of_its_own_goes_through_its_forward():
    model = copy.deepcopy(random_model("llama"))
    plain = random_model("llama").forward
    model.forward = lambda *args, **kwargs: _doubled(plain(*args, **kwargs))
    batch = CausalBatches(PAD, answers_only=True)([[row] for row in rows_of("CAUSAL_LM")])
    logits = CausalLogits(model, batch)
    assert not logits.direct
    assert torch.allclose(logits(batch)[0], 2 * CausalLogits(random_model("llama"), batch)(batch)[0], atol=1e-5)


def _doubled(output):
    output.logits = output.logits * 2
    return output


def test_the_loss_of_an_encoder_decoder_is_the_models_own():
    model, rows = random_model("t5"), rows_of("SEQ_2_SEQ_LM")
    batch = SequenceBatches(PAD)([[row] for row in rows])
    model.config.pad_token_id = PAD
    found = summed_loss(*SequenceLogits(model)(batch))
    assert found.item() == pytest.approx(model(**batch).loss.item() * sum(len(row.answer) for row in rows), rel=1e-5)


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral", "phi"])
def test_packed_rows_do_not_see_each_other(name):
    model, rows = random_model(name), rows_of("CAUSAL_LM")
    packed = CausalBatches(PAD, answers_only=True, packed=True)
    alone = CausalBatches(PAD, answers_only=True)
    together = packed([rows[:3], rows[3:]])
    found = summed_loss(*CausalLogits(model, together)(together))
    apart = [alone([[row]]) for row in rows]
    expected = sum(float(summed_loss(*CausalLogits(model, batch)(batch))) for batch in apart)
    assert found.item() == pytest.approx(expected, rel=1e-4)
