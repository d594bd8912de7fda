"""`prompt-completion`."""


def test_the_end_mark_is_left_out(read) -> None:
    (draft,) = read("prompt-completion", [{"prompt": "Name one.\n", "completion": " Mars<|endoftext|>"}]).drafts
    assert (draft.instruction, draft.output, draft.references) == ("Name one.", "Mars", ["Mars"])


def test_a_completion_that_is_only_an_end_mark_is_empty(read) -> None:
    assert read("prompt-completion", [{"prompt": "a", "completion": "<|endoftext|>"}]).findings == [(1, "empty_output")]


def test_lists_of_turns_become_a_conversation(read) -> None:
    row = {"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello"}]}
    (draft,) = read("prompt-completion", [row]).drafts
    assert draft.output == "Hello" and len(draft.messages) == 2
