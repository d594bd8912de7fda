"""`messages`: chat."""

import pytest

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name a planet."},
    {"role": "assistant", "content": "Mars"},
]


def test_the_last_turn_is_the_answer(read) -> None:
    (draft,) = read("messages", [{"messages": CHAT}]).drafts
    assert draft.output == "Mars" and [message.role for message in draft.messages] == ["system", "user", "assistant"]


def test_sharegpt_names_turns_otherwise(read) -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    (draft,) = read("messages", [{"conversations": turns}]).drafts
    assert [(message.role, message.content) for message in draft.messages] == [("user", "Hi"), ("assistant", "Hello")]


@pytest.mark.parametrize(
    ("messages", "codes"),
    [
        ([], ["empty_text"]),
        (CHAT[:2], ["no_answer"]),
        (CHAT[2:], ["no_question"]),
        ("hello", ["wrong_type"]),
        ([CHAT[1], "x", CHAT[2]], ["wrong_type"]),
        ([CHAT[1], {"role": "robot", "content": " "}], ["unknown_role", "empty_text", "no_answer"]),
        ([CHAT[1], {"role": "assistant", "content": [{"type": "image"}]}], ["image"]),
        ([CHAT[1], {"role": "assistant", "content": None}], ["empty_text"]),
        ([CHAT[1], {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}], ["tool_call"]),
        ([CHAT[1], {"from": "function_call", "value": "{}"}], ["tool_call"]),
        ([CHAT[1], {**CHAT[2], "weight": 0.5}], ["bad_mark"]),
    ],
)
def test_what_is_wrong_with_a_conversation_is_named(read, messages, codes: list[str]) -> None:
    assert [code for _, code in read("messages", [{"messages": messages}]).findings] == codes


def test_a_row_without_messages_is_named(read) -> None:
    assert read("messages", [{"text": "x"}]).findings == [(1, "missing_field")]


def test_parts_of_text_are_joined_and_other_names_of_roles_are_known(read) -> None:
    parts = [{"type": "text", "text": "Name two rivers"}, {"type": "text", "text": " in Poland."}]
    turns = [{"role": "developer", "content": "Brief."}, {"role": "user", "content": parts}, CHAT[2]]
    (draft,) = read("messages", [{"messages": turns}]).drafts
    assert [(one.role, one.content) for one in draft.messages][:2] == [
        ("system", "Brief."),
        ("user", "Name two rivers in Poland."),
    ]
    assert draft.instruction == "Name two rivers in Poland.", "the last question is what is reworded"


def test_neighbouring_turns_of_one_role_are_one(read) -> None:
    (draft,) = read("messages", [{"messages": [CHAT[1], {"role": "user", "content": "A big one."}, CHAT[2]]}]).drafts
    assert [one.content for one in draft.messages] == ["Name a planet.\n\nA big one.", "Mars"]


LONG = [*CHAT, {"role": "user", "content": "Another?"}, {"role": "assistant", "content": "Venus"}]


@pytest.mark.parametrize(
    ("marks", "setting", "learned"),
    [
        ({}, "last", ["Venus"]),
        ({}, "all", ["Mars", "Venus"]),
        ({4: {"weight": 0}}, "last", ["Mars"]),
        ({2: {"train": False}}, "all", ["Venus"]),
        ({2: {"weight": 1}, 4: {"training": False}}, "all", ["Mars"]),
        ({2: {"weight": 0}, 4: {"weight": 0}}, "all", []),
    ],
)
def test_which_turns_are_learned_is_a_setting_and_marks_are_honoured(read, marks, setting, learned) -> None:
    turns = [turn | marks.get(place, {}) for place, turn in enumerate(LONG)]
    found = read("messages", [{"messages": turns}], learned_turns=setting)
    assert [draft.output for draft in found.drafts] == learned
    assert all(draft.messages[-1].content == draft.output for draft in found.drafts), "later turns are no part of it"
    assert learned or [item.code for item in found] == ["not_learned"]
    assert setting == "last" or len({draft.group for draft in found.drafts}) == bool(learned)


def test_a_conversation_that_ends_with_a_question_is_learned_up_to_its_last_answer(read) -> None:
    turns = [*CHAT, {"role": "user", "content": "Bye"}]
    assert read("messages", [{"messages": turns}]).findings == [(1, "no_answer")]
    assert [draft.output for draft in read("messages", [{"messages": turns}], learned_turns="all").drafts] == ["Mars"]
