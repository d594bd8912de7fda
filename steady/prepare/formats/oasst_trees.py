"""Open Assistant's tree export: `{"message_tree_id": …, "prompt": {…, "replies": […]}}`, one tree a line."""

from collections.abc import Iterator, Mapping
from typing import Any

from steady.prepare.context import Context, Items
from steady.prepare.converting import as_object, placed, refused
from steady.prepare.formats.oasst import Post, read_post, threads
from steady.prepare.readers.files import File, Record, records, unreadable
from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.rows import Draft, Row, json_type, show

SAMPLE = {
    "message_tree_id": "t1",
    "tree_state": "ready_for_export",
    "prompt": {
        "message_id": "m1",
        "text": "Name a planet.",
        "role": "prompter",
        "lang": "en",
        "replies": [
            {"message_id": "m2", "parent_id": "m1", "text": "Mars.", "role": "assistant", "lang": "en", "replies": []}
        ],
    },
}


def items(files: list[File], context: Context) -> Items:
    """The threads of each tree."""
    for file in files:
        try:
            for record in records(file, context.source):
                yield from _of_record(file, record, context)
        except UnreadableError as error:
            yield unreadable(file, error)


def _of_record(file: File, record: Record, context: Context) -> Items:
    line, value, raw = record
    if isinstance(value, list):
        yield refused(file, line, value, raw, context.source)
        return
    row = Row(as_object(value), line)
    root = row.values.get("prompt")
    if not isinstance(root, Mapping):
        row.note(
            "missing_field", f"`prompt` is {show(root)} ({json_type(root)}); it must be the first message, an object."
        )
        posts = []
    else:
        posts = list(nested_posts(root, row))
    if row.findings:
        yield refused(file, line, row.findings, raw, context.source)
        return
    for item in threads(posts, context):
        yield placed(item, file, line, context.source) if isinstance(item, Draft) else item


def nested_posts(root: Mapping[str, Any], row: Row, parent: str | None = None) -> Iterator[Post]:
    """A message and all its nested replies, parents before children; what is wrong with one is noted in the row."""
    stack: list[tuple[Any, str | None]] = [(root, parent)]
    while stack:
        message, parent = stack.pop()
        if not isinstance(message, Mapping):
            row.note("wrong_type", f"a reply is {show(message)} ({json_type(message)}); it must be an object.")
            continue
        inner = Row(message, row.line)
        inner.findings = row.findings
        post = read_post(inner, parent)
        yield post
        replies = message.get("replies") or []
        if not isinstance(replies, list):
            row.note(
                "wrong_type", f"`replies` is {show(replies)} ({json_type(replies)}); it must be a list of messages."
            )
            continue
        stack += [(reply, post.identity) for reply in reversed(replies)]
