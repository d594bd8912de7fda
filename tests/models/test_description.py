"""What a model is, from its configuration, generation settings and tokenizer alone."""

import copy

import pytest
from small_models import byte_tokenizer, random_model
from transformers import BertConfig, GenerationConfig, GPT2Config, T5Config

from steady.errors import SteadyError
from steady.models.description import check_task, describe, task_of
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
    assert known.labels == ("no", "yes") and known.has_padding and not known.has_chat_template
    assert describe(GPT2, byte_tokenizer()).labels == ()


def test_positions_come_from_the_config_and_else_from_the_tokenizer():
    tokenizer = copy.deepcopy(byte_tokenizer())
    assert describe(GPT2, tokenizer).positions == 77
    mamba = random_model("mamba").config
    assert describe(mamba, tokenizer).positions is None, "a tokenizer without a limit carries 10 ** 30"
    tokenizer.model_max_length = 99
    assert describe(mamba, tokenizer).positions == 99


@pytest.mark.parametrize("declared, expected", [(None, (256,)), (5, (5, 256)), ([5, 256, 9], (5, 256, 9))])
def test_a_response_ends_at_the_tokens_of_the_settings_and_at_the_one_that_training_writes(declared, expected):
    assert end_ids(byte_tokenizer(), GenerationConfig(eos_token_id=declared)) == expected


def test_without_any_end_token_there_is_none():
    assert end_ids(byte_tokenizer(with_end=False), GenerationConfig()) == ()


def test_a_model_of_another_family_is_refused_and_an_encoder_takes_a_new_head():
    check_task("m", "SEQ_CLS", GPT2)
    with pytest.raises(SteadyError, match=r"'m' is a gpt2 model, which is not of SEQ_2_SEQ_LM. Set it to CAUSAL_LM"):
        check_task("m", "SEQ_2_SEQ_LM", GPT2)
