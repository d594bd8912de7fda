"""`preference`: pairs of answers."""

QUESTION = {"role": "user", "content": "Hi"}


def turn(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_the_chosen_answer_is_the_output(read) -> None:
    (draft,) = read("preference", [{"prompt": "Capital?", "chosen": "Canberra.", "rejected": "Sydney!"}]).drafts
    assert (draft.instruction, draft.output, draft.rejected) == ("Capital?", "Canberra.", "Sydney!")


def test_turns_with_and_without_a_prompt(read) -> None:
    rows = [
        {"prompt": [QUESTION], "chosen": [turn("a")], "rejected": [turn("b")]},
        {"chosen": [QUESTION, turn("a")], "rejected": [QUESTION, turn("b")]},
        {"prompt": "Hi", "chosen": [turn("a")], "rejected": [turn("b")]},
    ]
    drafts = read("preference", rows).drafts
    assert [(d.output, d.rejected, [m.content for m in d.messages]) for d in drafts] == [("a", "b", ["Hi", "a"])] * 3


def test_a_pair_must_differ_and_answer_the_same(read) -> None:
    rows = [
        {"prompt": "a", "chosen": "same", "rejected": "same"},
        {"prompt": "a", "chosen": "b", "rejected": ""},
        {"chosen": [QUESTION, turn("a")], "rejected": [turn("x"), turn("b")]},
        {"prompt": "a", "chosen": "b"},
    ]
    assert read("preference", rows).findings == [
        (1, "same_answers"),
        (2, "empty_output"),
        (3, "different_prompts"),
        (4, "missing_field"),
    ]
