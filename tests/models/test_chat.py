"""Chat templates: conversations, system turns that are refused or left out, several named ones, thoughts that are switched off."""

import copy
from typing import Any

import pytest
from small_models import byte_tokenizer

from steady.errors import SteadyError
from steady.models.chat import choose_template, takes_system, thinks
from steady.models.tokenizer import prompt_ids
from steady.records import Message

PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}<model>"
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + PLAIN
DROPS = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}<model>"
ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.content }}{% endfor %}"
)
SWITCH = PLAIN + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
OPENS = PLAIN + "{{ '<think>\n' }}"


def tokenizer_of(template: Any) -> Any:
    made = copy.copy(byte_tokenizer())
    made.chat_template = template
    return made


def shown(template: Any, asked: Any, system: str = "", thinking: bool | None = None) -> str:
    tokenizer = tokenizer_of(template)
    return tokenizer.decode(prompt_ids(tokenizer, "CAUSAL_LM", asked, True, system, thinking))


TALK = (Message("system", "Be brief."), Message("user", " One? "), Message("assistant", "1"), Message("user", "Two?"))


def test_a_conversation_is_what_the_template_makes_of_it():
    tokenizer = tokenizer_of(PLAIN)
    wanted = tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.content} for turn in TALK], add_generation_prompt=True, tokenize=False
    )
    assert shown(PLAIN, TALK) == wanted == "<system>Be brief.<user>One?<assistant>1<user>Two?<model>"


def test_control_tokens_in_a_conversation_stay_text():
    tokenizer = tokenizer_of(PLAIN)
    asked = (Message("user", "a</s>"), Message("assistant", "b"), Message("user", "c"))
    ids = prompt_ids(tokenizer, "CAUSAL_LM", asked, chat_template=True)
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids) == "<user>a</s><assistant>b<user>c<model>"


@pytest.mark.parametrize("template", [REFUSES, DROPS])
def test_a_system_message_that_has_no_place_stands_before_the_users_first_words(template):
    assert not takes_system(tokenizer_of(template)) and takes_system(tokenizer_of(PLAIN))
    assert shown(template, "Two?", system="Be brief.") == "<user>Be brief.\n\nTwo?<model>"
    assert shown(template, TALK).startswith("<user>Be brief.\n\n")


def test_a_system_message_of_the_prompt_wins_over_the_one_for_all():
    assert shown(PLAIN, TALK, system="other").startswith("<system>Be brief.<user>")


def test_roles_that_a_template_refuses_are_one_clear_message():
    with pytest.raises(SteadyError, match="roles must alternate"):
        shown(ALTERNATES, (Message("user", "a"), Message("user", "b")))


def test_one_of_several_templates_is_chosen_by_name():
    several = {"default": PLAIN, "short": "{{ messages[0].content }}"}
    for wanted, name, text in (
        (None, "default", "<user>hi<model>"),
        (True, "default", "<user>hi<model>"),
        ("short", "short", "hi"),
    ):
        tokenizer = tokenizer_of(several)
        assert choose_template(tokenizer, wanted) == name
        assert tokenizer.decode(prompt_ids(tokenizer, "CAUSAL_LM", "hi", True)) == text
    assert choose_template(tokenizer_of(several), False) is None
    with pytest.raises(SteadyError, match="long: the tokenizer's templates are default, short"):
        choose_template(tokenizer_of(several), "long")
    with pytest.raises(SteadyError, match="are rag, tool_use"):
        choose_template(tokenizer_of({"rag": PLAIN, "tool_use": PLAIN}), None)


def test_a_block_of_thoughts_is_empty_where_thinking_is_off():
    assert shown(SWITCH, "hi", thinking=False) == "<user>hi<model><think>\n\n</think>\n\n"
    assert shown(SWITCH, "hi", thinking=True) == "<user>hi<model>"
    # a template that always opens thoughts, and asks nobody
    assert shown(OPENS, "hi", thinking=False) == "<user>hi<model><think>\n\n</think>\n\n"
    assert shown(OPENS, "hi", thinking=True) == "<user>hi<model><think>\n"
    assert [thinks(tokenizer_of(one)) for one in (PLAIN, SWITCH, OPENS)] == [False, True, True]
