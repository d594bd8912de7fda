"""`oasst-trees` and `oasst-messages`: conversations of Open Assistant."""

import json
from typing import Any


def post(name: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    role = more.pop("role", "prompter" if name.startswith("p") else "assistant")
    values = {"message_id": name, "text": f"text {name}", "role": role, "lang": "en", "deleted": False}
    return values | ({"parent_id": parent} if parent else {}) | more


def flat(name: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    """A message as the flat tables have it: everything there, often null."""
    empty = {"parent_id": parent, "rank": None, "labels": None, "emojis": None, "detoxify": None, "review_result": True}
    return empty | post(name, parent) | {"message_tree_id": name[1]} | more


def tree(*replies: dict[str, Any], **root: Any) -> dict[str, Any]:
    return {
        "message_tree_id": "t",
        "tree_state": "ready_for_export",
        "prompt": post("p1", replies=list(replies), **root),
    }


FOLLOWED = tree(
    post("a2", "p1", rank=1, replies=[post("p3", "a2", replies=[post("a4", "p3", replies=[])])]),
    post("a5", "p1", rank=0, replies=[post("p6", "a5", replies=[]), post("p7", "a5", replies=[post("a8", "p7")])]),
    post("a9", "p1", emojis={"+1": 3, "_skip_reply": 1}),
)


def outputs(found) -> list[str]:
    return [draft.output.removeprefix("text ") for draft in found.drafts]


def test_a_pair_is_the_root_and_its_best_ranked_answer(read) -> None:
    (draft,) = read("oasst-trees", [FOLLOWED]).drafts
    assert (draft.instruction, draft.output, draft.language, draft.line) == ("text p1", "text a5", "en", 1)


def test_all_answers_come_in_the_order_of_their_rank_and_unranked_last(read) -> None:
    assert outputs(read("oasst-trees", [FOLLOWED], answers="all")) == ["a5", "a2", "a9"]


def test_a_conversation_ends_with_an_answer_after_which_no_question_was_answered(read) -> None:
    found = read("oasst-trees", [FOLLOWED], threads="conversations", answers="all")
    paths = [[message.content.removeprefix("text ") for message in draft.messages] for draft in found.drafts]
    assert paths == [["p1", "a5", "p7", "a8"], ["p1", "a2", "p3", "a4"], ["p1", "a9"]]
    best = read("oasst-trees", [FOLLOWED], threads="conversations")
    assert (
        outputs(best) == ["a8"] and [message.role for message in best.drafts[0].messages] == ["user", "assistant"] * 2
    )


def test_a_lone_reply_has_no_rank_and_a_tree_without_answer_is_left_out(read) -> None:
    assert outputs(read("oasst-trees", [tree(post("a2", "p1"))])) == ["a2"]
    assert read("oasst-trees", [tree()]).left_out == {"no_answer": 1}


def test_what_is_deleted_or_failed_its_review_goes_with_all_that_hangs_on_it(read) -> None:
    rows = [
        tree(
            post("a2", "p1", rank=0, deleted=True, replies=[post("p3", "a2", replies=[post("a4", "p3")])]),
            post("a5", "p1"),
        ),
        tree(post("a2", "p1", rank=0, review_result=False), post("a3", "p1", rank=1, review_result=None)),
    ]
    found = read("oasst-trees", rows)
    assert outputs(found) == ["a5", "a3"] and found.left_out == {"deleted": 3, "review_failed": 1}


def test_a_deep_tree_is_read_to_its_end(read) -> None:
    node = post("a300", replies=[])
    for number in range(299, 1, -1):
        node = post(f"{'ap'[number % 2]}{number}", replies=[node])
    (draft,) = read("oasst-trees", [tree(node)], threads="conversations").drafts
    assert len(draft.messages) == 300 and draft.output == "text a300"


def test_faults_in_a_tree_are_all_listed(read) -> None:
    rows = [tree(post("a2", "p1", role="robot"), post("a3", "p1", text="")), {"prompt": "text"}, tree("x")]  # type: ignore[arg-type]
    found = read("oasst-trees", rows)
    assert found.findings == [(1, "unknown_role"), (1, "empty_text"), (2, "missing_field"), (3, "wrong_type")]
    assert read("oasst-trees", [{"prompt": post("p1", replies=5)}]).findings == [(1, "wrong_type")]


def test_flat_tables_have_null_for_what_is_absent_and_orphans(read) -> None:
    rows = [
        flat("p1"),
        flat("a12", "p1", rank=1),
        flat("a13", "p1", rank=0),
        flat("p2"),
        flat("a22", "p2", emojis={"name": ["+1"], "count": [2]}, review_result=None),
        flat("a32", "gone"),
        flat("p33", "a32"),
    ]
    found = read("oasst-messages", rows)
    assert outputs(found) == ["a13", "a22"] and found.left_out == {"orphan": 2}
    assert [draft.line for draft in found.drafts] == [1, 4]


def test_rows_of_a_tree_that_ended_above_are_named(read) -> None:
    found = read("oasst-messages", [flat("p1"), flat("a12", "p1"), flat("p2"), flat("a22", "p2"), flat("a13", "p1")])
    assert found.findings == [(5, "scattered_tree")] and outputs(found) == ["a12", "a22"]


def test_messages_may_hold_nested_replies(read) -> None:
    root = flat("p1", replies=[post("a2", "p1", rank=0, replies=[]), post("a3", "p1", rank=1, replies=[])])
    assert outputs(read("oasst-messages", [root], answers="all")) == ["a2", "a3"]


def test_a_table_without_tree_ids_and_with_other_names(read) -> None:
    rows = [
        {"task_message_id": "x", "user_message_id": "u1", "parent_message_id": None, "text": "Hi", "role": "prompter"},
        {
            "task_message_id": "y",
            "user_message_id": "u2",
            "parent_message_id": "u1",
            "text": "Hello",
            "role": "assistant",
        },
    ]
    columns = {"message_id": "user_message_id", "parent_id": "parent_message_id"}
    (draft,) = read("oasst-messages", json.dumps(rows, indent=2).encode(), "seed.json", columns=columns).drafts
    assert (draft.instruction, draft.output, draft.line) == ("Hi", "Hello", 2)


def answered(message: dict[str, Any]) -> int:
    """Conversations of a tree, counted on the raw record."""
    below = [r for r in message["replies"] if message["role"] == "prompter" or r["replies"]]
    if not below:
        return int(message["role"] == "assistant")
    return sum(map(answered, below))


def size(message: dict[str, Any]) -> int:
    return 1 + sum(map(size, message["replies"]))


def test_real_trees(read_file, real) -> None:
    path = real("oasst1/open_assistant_export/en_100_tree.jsonl")
    prompts = [json.loads(line)["prompt"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(prompts) == 100 and sum(map(size, prompts)) == 1167
    assert len(read_file(path, "oasst-trees").drafts) == 100
    pairs = read_file(path, "oasst-trees", answers="all").drafts
    assert len(pairs) == sum(len(prompt["replies"]) for prompt in prompts)
    conversations = read_file(path, "oasst-trees", answers="all", threads="conversations").drafts
    assert len(conversations) == sum(map(answered, prompts))
    assert all(draft.messages[-1].role == "assistant" for draft in conversations)


def test_real_messages(read_file, real) -> None:
    path = real("oasst1/open_assistant_export/en_100_message.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = read_file(path, "oasst-messages", answers="all")
    assert len(rows) == 100 and len(found.drafts) == sum(len(row["replies"]) for row in rows) and not found.left_out


def test_real_seed_messages(read_file, real) -> None:
    path = real("oasst1/open_assistant_export/realistic_seed_data.json")
    rows = json.loads(path.read_text())
    columns = {"message_id": "user_message_id", "parent_id": "parent_message_id"}
    found = read_file(path, "oasst-messages", answers="all", columns=columns)
    roots = {row["user_message_id"] for row in rows if row["parent_message_id"] is None}
    assert len(rows) == 444
    expected = sum(row["parent_message_id"] in roots and row["role"] == "assistant" for row in rows)
    assert len(found.drafts) == expected and sum(found.left_out.values()) == len(found) - expected
