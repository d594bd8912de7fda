"""Token ids of prompts and answers: control tokens, the space between the two, the end, chat templates."""

from typing import Any

import pytest

from steady.errors import SteadyError
from steady.models import chat
from steady.models.chat import chat_frame
from steady.models.tokenizer import answer_ids, end_id, prompt_ids, unknown_id
from steady.records import Message, conversation

INST = "{{ bos_token }}{% for m in messages %}[INST] {{ m.content | trim }} [/INST]{% endfor %}"
KEEPS = "{% for m in messages %}<|user|>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<|bot|>{% endif %}"


def byte_tokenizer(frame: str | None = None, template: str | None = None, end: str | None = "</s>") -> Any:
    """One token a byte; `frame` is a post-processor such as `$A </s>`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<s>", "<|user|>", "<|bot|>"])
    if frame:
        used = [(name, tokenizer.token_to_id(name)) for name in ("</s>", "<s>")]
        tokenizer.post_processor = processors.TemplateProcessing(single=frame, special_tokens=used)
    special = {"pad_token": "<pad>", "bos_token": "<s>", "additional_special_tokens": ["<|user|>", "<|bot|>"]}
    if end:
        special["eos_token"] = end
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    made.chat_template = template
    return made


def sentencepiece_tokenizer() -> Any:
    """Words with `▁` in front, and one put before any text, as Llama 2's does."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {
        word: place for place, word in enumerate(["▁x", "▁x:", "▁yes", "▁", "yes", "▁Label:", "</s>", "<unk>"])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")


def test_control_tokens_in_a_prompt_or_an_answer_stay_text():
    tokenizer = byte_tokenizer("<s> $A")
    ids = prompt_ids(tokenizer, "CAUSAL_LM", "hi </s><s>")
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id not in ids and ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(ids[1:]) == "hi </s><s>"
    answer = answer_ids(tokenizer, "CAUSAL_LM", "</s> no")
    assert answer.count(tokenizer.eos_token_id) == 1 and answer[-1] == tokenizer.eos_token_id


def test_one_space_stands_between_prompt_and_answer_unless_the_prompt_ends_in_white_space():
    tokenizer = byte_tokenizer()
    end = [tokenizer.eos_token_id]
    assert answer_ids(tokenizer, "CAUSAL_LM", "a", "Label:") == [*prompt_ids(tokenizer, "CAUSAL_LM", " a"), *end]
    assert answer_ids(tokenizer, "CAUSAL_LM", "a", "Label:\n") == [*prompt_ids(tokenizer, "CAUSAL_LM", "a"), *end]


def test_a_tokenizer_that_puts_a_space_before_any_text_gets_no_second_one():
    tokenizer = sentencepiece_tokenizer()
    answer = answer_ids(tokenizer, "CAUSAL_LM", "yes", "Label:")
    assert tokenizer.convert_ids_to_tokens(answer) == ["▁yes", "</s>"]
    whole = prompt_ids(tokenizer, "CAUSAL_LM", "Label: yes")
    assert prompt_ids(tokenizer, "CAUSAL_LM", "Label:") + answer[:-1] == whole


def test_an_encoder_decoder_answer_ends_once_whether_the_tokenizer_ends_it_or_not():
    for tokenizer in (byte_tokenizer("$A </s>"), byte_tokenizer()):
        ids = answer_ids(tokenizer, "SEQ_2_SEQ_LM", "ab")
        assert ids == [*tokenizer.encode("ab", add_special_tokens=False), tokenizer.eos_token_id]
    assert prompt_ids(byte_tokenizer("$A </s>"), "SEQ_2_SEQ_LM", "ab")[-1] == byte_tokenizer().eos_token_id


@pytest.mark.parametrize("template", [INST, KEEPS])
def test_a_chat_template_gives_what_the_tokenizer_gives(template):
    tokenizer = byte_tokenizer(template=template)
    for prompt in ("Sort this.", " spaced\n"):
        chat = [{"role": "user", "content": prompt}]
        wanted = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert prompt_ids(tokenizer, "CAUSAL_LM", prompt, chat_template=True) == wanted


def test_control_tokens_in_a_chat_message_stay_text():
    tokenizer = byte_tokenizer(template=KEEPS)
    ids = prompt_ids(tokenizer, "CAUSAL_LM", "x</s><|bot|>y", chat_template=True)
    assert ids.count(tokenizer.convert_tokens_to_ids("<|bot|>")) == 1 and ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(ids) == "<|user|>x</s><|bot|>y</s><|bot|>"


def test_after_a_chat_template_the_answer_has_no_space():
    tokenizer = byte_tokenizer(template=KEEPS)
    answer = answer_ids(tokenizer, "CAUSAL_LM", "ok", "Q", chat_template=True)
    assert tokenizer.decode(answer) == "ok</s>"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "no chat template"),
        ("{{ messages[0].missing.thing }}", "cannot be rendered"),
        ("nothing of the message", "shows the message 0 times"),
        ("{{ raise_exception('roles!') }}", "cannot be rendered: roles!"),
        ("x" * 100_001, "100001 characters"),
    ],
)
def test_a_template_that_cannot_frame_a_prompt_is_one_clear_message(template, message):
    with pytest.raises(SteadyError, match=message):
        prompt_ids(byte_tokenizer(template=template), "CAUSAL_LM", "hi", chat_template=True)


def test_a_template_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(chat, "RENDERING_SECONDS", 0.01)
    slow = "{% for i in range(30000) %}{% for j in range(99) %}{% endfor %}{% endfor %}{{ messages[0].content }}"
    with pytest.raises(SteadyError, match=r"not rendered within 0.01 s"):
        chat_frame(byte_tokenizer(template=slow))


def test_a_template_that_shows_the_date_gives_the_same_on_every_day():
    tokenizer = byte_tokenizer(template="{{ strftime_now('%d %b %Y') }} {{ messages[0].content }}")
    assert chat_frame(tokenizer).before == "26 Jul 2024 "


def test_a_tokenizer_without_an_end_is_refused():
    with pytest.raises(SteadyError, match="no end-of-sequence token"):
        end_id(byte_tokenizer(end=None))


TURNS = [
    Message("system", "Be brief."),
    Message("user", "Hi"),
    Message("assistant", "Hello"),
    Message("user", "Where?"),
]
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + KEEPS
TURN_MARKS = KEEPS.replace("{{ m.content", "{{ m.role }}: {{ m.content")


def test_a_conversation_as_one_text_is_what_the_template_makes_of_its_turns():
    tokenizer = byte_tokenizer(template=TURN_MARKS)
    chat = [{"role": turn.role, "content": turn.content} for turn in TURNS]
    wanted = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    assert prompt_ids(tokenizer, "CAUSAL_LM", conversation(TURNS), chat_template=True) == wanted
    assert prompt_ids(tokenizer, "CAUSAL_LM", tuple(TURNS), chat_template=True) == wanted


def test_without_a_template_the_turns_are_named_and_the_answer_follows_a_cue():
    ids = prompt_ids(byte_tokenizer(), "CAUSAL_LM", conversation(TURNS))
    assert (
        byte_tokenizer().decode(ids)
        == "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: Where?\n\nAssistant:"
    )


def test_a_system_message_that_the_template_refuses_leads_the_first_message_of_the_user():
    tokenizer = byte_tokenizer(template=NO_SYSTEM)
    text = tokenizer.decode(prompt_ids(tokenizer, "CAUSAL_LM", conversation(TURNS), chat_template=True))
    assert text.startswith("<|user|>Be brief.\n\nHi</s>")


def test_control_tokens_in_any_turn_stay_text_also_those_that_the_tokenizer_does_not_name():
    tokenizer = byte_tokenizer(template=TURN_MARKS)
    turns = [Message("user", "a"), Message("assistant", "<|bot|></s>"), Message("user", "c")]
    ids = prompt_ids(tokenizer, "CAUSAL_LM", conversation(turns), chat_template=True)
    assert ids.count(tokenizer.convert_tokens_to_ids("<|bot|>")) == 1 and ids.count(tokenizer.eos_token_id) == 3


def test_an_unknown_token_that_is_the_end_token_too_hides_nothing():
    tokenizer = byte_tokenizer()
    assert unknown_id(tokenizer) is None
    tokenizer.unk_token = "</s>"
    assert unknown_id(tokenizer) is None
    assert unknown_id(sentencepiece_tokenizer()) == sentencepiece_tokenizer().unk_token_id
