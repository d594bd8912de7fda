"""Open Assistant's tree export: `{"message_tree_id": …, "prompt": {…, "replies": […]}}`, one tree a line."""

from collections.abc import Iterator, Mapping

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, LeftOut, Row
from steady.prepare.threads import nested_posts, threads

_REPLY = {"message_id": "m2", "parent_id": "m1", "text": "Mars.", "role": "assistant", "lang": "en", "replies": []}
_ROOT = {"message_id": "m1", "text": "Name a planet.", "role": "prompter", "lang": "en", "replies": [_REPLY]}
SAMPLE = {"message_tree_id": "t1", "tree_state": "ready_for_export", "prompt": _ROOT}


def drafts(row: Row, context: Context) -> Iterator[Draft | LeftOut]:
    """The threads of the tree."""
    root = row.values.get("prompt")
    if not isinstance(root, Mapping):
        row.mismatch("prompt", root, "the first message, an object", "missing_field")
        return
    # All of them first: a tree with one faulty message is rejected whole.
    posts = list(nested_posts(root, row))
    if not row.findings:
        yield from threads(posts, context)
