"""Open Assistant's flat tables: a message a row, with `parent_id`; those of one tree (`message_tree_id`) stand together.

A table without tree ids is taken as one whole. A message may hold nested `replies` too.
"""

from typing import Any

from steady.prepare.context import Context, Items
from steady.prepare.converting import placed, refused, row_of, to_the_fault
from steady.prepare.duplicates import text_hash
from steady.prepare.readers.files import File, records
from steady.prepare.readers.rows import Draft
from steady.prepare.threads import Post, nested_posts, threads

SAMPLE = {
    "message_id": "m2",
    "parent_id": "m1",
    "text": "Mars.",
    "role": "assistant",
    "lang": "en",
    "rank": 0,
    "deleted": False,
    "review_result": True,
    "message_tree_id": "t1",
}


def items(files: list[File], context: Context) -> Items:
    """The threads of each tree, read tree by tree."""
    for file in files:
        yield from to_the_fault(file, _of_file(file, context))


def _of_file(file: File, context: Context) -> Items:
    posts: list[Post] = []
    tree: Any = None
    finished: set[int] = set()
    for line, value, raw in records(file, context.source):
        if isinstance(value, list):
            yield refused(file, line, value, raw, context.source)
            continue
        row = row_of(value, line, context.source)
        if (name := row.values.get("message_tree_id")) != tree:
            yield from _finished(file, posts, context)
            # A hash takes less memory than a name, and a table may have millions of trees.
            finished.add(text_hash(str(tree)))
            posts, tree = [], name
            # Rows of a tree that come later would find their parents gone and be lost without a word.
            if text_hash(str(name)) in finished:
                row.note("scattered_tree", f"the tree {name!r} ended above; sort the rows by `message_tree_id`.")
        parent = row.values.get("parent_id")
        found = list(nested_posts(row.values, row, parent if isinstance(parent, str) else None))
        if row.findings:
            yield refused(file, line, row.findings, raw, context.source)
        else:
            posts += found
    yield from _finished(file, posts, context)


def _finished(file: File, posts: list[Post], context: Context) -> Items:
    for item in threads(posts, context):
        yield placed(item, file, item.line, context.source) if isinstance(item, Draft) else item
