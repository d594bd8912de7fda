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
        ([CHAT[1], {"role": "assistant", "content": [{"type": "image"}]}], ["wrong_type"]),
    ],
)
def test_what_is_wrong_with_a_conversation_is_named(read, messages, codes: list[str]) -> None:
    assert [code for _, code in read("messages", [{"messages": messages}]).findings] == codes


def test_a_row_without_messages_is_named(read) -> None:
    assert read("messages", [{"text": "x"}]).findings == [(1, "missing_field")]
