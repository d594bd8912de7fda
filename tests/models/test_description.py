"""What a model is, from its configuration, generation settings and tokenizer alone."""

import copy

import pytest
from small_models import byte_tokenizer, random_model
from transformers import BertConfig, GenerationConfig, GPT2Config, T5Config

from steady.errors import SteadyError
from steady.inference.classifier import model_logits
from steady.models.description import check_classes, check_own_labels, check_task, describe, linear_layers, task_of
from steady.models.tokenizer import end_ids

GPT2 = GPT2Config(architectures=["GPT2LMHeadModel"], n_positions=77)


@pytest.mark.parametrize(
    "config, task",
    [
        (GPT2, "CAUSAL_LM"),
        (random_model("llama").config.__class__(architectures=["LlamaForCausalLM"]), "CAUSAL_LM"),
        (T5Config(architectures=["T5ForConditionalGeneration"]), "SEQ_2_SEQ_LM"),
        (BertConfig(architectures=["BertForSequenceClassification"]), "SEQ_CLS"),
        (BertConfig(architectures=["BertModel"]), None),
        (BertConfig(), None),
    ],
)
def test_the_task_is_that_of_the_saved_head(config, task):
    assert task_of(config) == task


def test_a_classifier_is_described_with_its_classes():
    config = BertConfig(architectures=["BertForSequenceClassification"], id2label={0: "no", 1: "yes"})
    known = describe(config, byte_tokenizer())
    assert known.labels == ("no", "yes")
    assert describe(GPT2, byte_tokenizer()).labels == ()


def test_positions_come_from_the_config_and_a_recurrent_model_has_no_limit():
    tokenizer = copy.deepcopy(byte_tokenizer())
    assert describe(GPT2, tokenizer).positions == 77
    mamba = random_model("mamba").config
    assert describe(mamba, tokenizer).positions is None, "a tokenizer without a limit carries 10 ** 30"
    tokenizer.model_max_length = 99
    assert describe(mamba, tokenizer).positions is None, "a recurrent model has no positions to run out of"


@pytest.mark.parametrize("declared, expected", [(None, (256,)), (5, (5, 256)), ([5, 256, 9], (5, 256, 9))])
def test_a_response_ends_at_the_tokens_of_the_settings_and_at_the_one_that_training_writes(declared, expected):
    assert end_ids(byte_tokenizer(), GenerationConfig(eos_token_id=declared)) == expected


def test_without_any_end_token_there_is_none():
    assert end_ids(byte_tokenizer(with_end=False), GenerationConfig()) == ()


def test_a_model_of_another_family_is_refused_and_an_encoder_takes_a_new_head():
    check_task("m", "SEQ_CLS", GPT2)
    with pytest.raises(SteadyError, match=r"'m' is a gpt2 model, which is not of SEQ_2_SEQ_LM. Set it to CAUSAL_LM"):
        check_task("m", "SEQ_2_SEQ_LM", GPT2)


def test_the_rows_that_roberta_keeps_for_no_token_are_no_positions():
    from transformers import RobertaConfig, RobertaForSequenceClassification

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16}
    model = RobertaForSequenceClassification(RobertaConfig(vocab_size=300, max_position_embeddings=514, **sizes))
    assert describe(model.config, byte_tokenizer(), model=model).positions == 512
    assert describe(model.config, byte_tokenizer()).positions == 514


@pytest.mark.parametrize(
    ("names", "problem", "said"),
    [
        (["score"], None, "gives one score"),
        (["a", "b"], "multi_label_classification", "no choice between classes"),
        (["x", "y", "z"], "regression", "no choice between classes"),
        (["a", "b"], None, ""),
    ],
)
def test_a_head_that_is_no_choice_between_classes_is_refused_by_what_it_is(names, problem, said):
    config = BertConfig(architectures=["BertForSequenceClassification"], id2label=dict(enumerate(names)))
    config.problem_type = problem
    known = describe(config, byte_tokenizer())
    if not said:
        check_classes("m", known)
        return
    with pytest.raises(SteadyError, match=said):
        check_classes("m", known)


def test_the_heads_own_classes_are_compared_with_the_labels_of_the_data():
    config = BertConfig(id2label={0: "no", 1: "yes"})
    check_own_labels("m", config, ["no", "yes"])
    unnamed = BertConfig(architectures=["BertForSequenceClassification"])  # LABEL_0, LABEL_1: saved without names
    check_own_labels("m", unnamed, ["no", "yes"])
    check_own_labels(
        "m", BertConfig(architectures=["BertForMaskedLM"]), ["a", "b", "c"]
    )  # no head of its own: an untrained one
    with pytest.raises(SteadyError, match="has the classes"):
        check_own_labels("m", unnamed, ["a", "b", "c"])
    for labels in (["yes", "no"], ["no", "yes", "maybe"]):
        with pytest.raises(SteadyError, match="has the classes"):
            check_own_labels("m", config, labels)


def test_the_layers_of_gpt2_are_named_without_its_output_layer():
    assert linear_layers(random_model("gpt2")) == ("c_attn", "c_fc", "c_proj")


def test_a_head_whose_name_peft_takes_for_another_is_left_to_it():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    model = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=9, dim=8, hidden_dim=8, n_layers=1, n_heads=2)
    )
    assert linear_layers(model) == ("k_lin", "lin1", "lin2", "out_lin", "q_lin", "v_lin")


def test_a_classifier_that_reads_at_the_end_token_needs_a_tokenizer_that_writes_it():
    from transformers import T5ForSequenceClassification

    sizes = {"vocab_size": 300, "d_model": 8, "d_ff": 8, "d_kv": 4, "num_layers": 1, "num_heads": 2}
    model = T5ForSequenceClassification(
        T5Config(**sizes, eos_token_id=257, pad_token_id=256, decoder_start_token_id=256)
    )
    with pytest.raises(SteadyError, match=r"t5 classifier reads the class at its end token \(257\)"):
        model_logits(model, byte_tokenizer(), 10)
