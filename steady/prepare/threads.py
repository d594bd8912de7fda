"""Conversations that branch, as Open Assistant has them: trees of posts, and the threads through them that are examples."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, LeftOut, Row, json_type, show
from steady.prepare.turns import Turn, conversation_drafts
from steady.records import Message


class Post(NamedTuple):
    """One message of a tree; `rank` 0 is the best of its siblings, None where nobody ranked."""

    identity: str
    parent: str | None
    role: str
    text: str
    language: str | None
    rank: int | None
    fault: str | None
    line: int


def nested_posts(root: Mapping[str, Any], row: Row, parent: str | None = None) -> Iterator[Post]:
    """A message and all its nested replies, parents before children; what is wrong with one is noted in the row."""
    # A stack of our own: conversations may be nested more deeply than Python lets functions call themselves.
    stack: list[tuple[Any, str | None]] = [(root, parent)]
    while stack:
        message, parent = stack.pop()
        if not isinstance(message, Mapping):
            row.note("wrong_type", f"a reply is {show(message)} ({json_type(message)}); it must be an object.")
            continue
        role, rank, language = message.get("role"), message.get("rank"), message.get("lang")
        if role not in ("prompter", "assistant", "user"):
            row.note("unknown_role", f"`role` is {show(role)}; it must be prompter or assistant.")
        deleted = bool(message.get("deleted"))
        failed = message.get("review_result") is False
        post = Post(
            identity=str(message.get("message_id", id(message))),
            parent=parent,
            role="user" if role == "prompter" else str(role),
            text=row.inner(message).text("text", empty=deleted),
            language=language if isinstance(language, str) else None,
            rank=rank if isinstance(rank, int) else None,
            fault="deleted" if deleted else "review_failed" if failed else None,
            line=row.line,
        )
        yield post
        replies = message.get("replies") or []
        if isinstance(replies, list):
            stack += [(reply, post.identity) for reply in reversed(replies)]
        else:
            row.mismatch("replies", replies, "a list of messages")


def threads(posts: list[Post], context: Context) -> Iterator[Draft | LeftOut]:
    """The examples in the posts of one tree (or several), and the posts that are left out with all that hangs on them."""
    children: dict[str | None, list[Post]] = {}
    names = {post.identity for post in posts}
    lost: list[tuple[Post, str]] = []
    for post in posts:
        parent = post.parent if post.parent in names or post.parent is None else ""
        if parent == "":
            lost.append((post, "orphan"))
        elif post.fault:
            lost.append((post, post.fault))
        # A tree that begins with an answer has no question to it.
        elif parent is None and post.role != "user":
            lost.append((post, "no_question"))
        else:
            children.setdefault(parent, []).append(post)
    below: dict[str | None, list[Post]] = {}
    for post in posts:
        below.setdefault(post.parent, []).append(post)
    seen = {post.identity for post, _ in lost}
    # Each lost post, and once more for each post that hangs on it.
    while lost:
        post, code = lost.pop()
        yield LeftOut(post.line, code)
        hanging = [child for child in below.get(post.identity, []) if child.identity not in seen]
        # A post is counted once, also where the data make a circle.
        seen.update(child.identity for child in hanging)
        lost += [(child, code) for child in hanging]
    for siblings in children.values():
        # Posts without a rank keep the order of the file.
        siblings.sort(key=lambda post: (post.rank is None, post.rank or 0))
    for root in children.get(None, []):
        drafts: list[Draft | LeftOut] = list(_of_tree(root, children, context))
        yield from drafts or [LeftOut(root.line, "no_answer")]


def _of_tree(root: Post, children: Mapping[str | None, list[Post]], context: Context) -> Iterator[Draft | LeftOut]:
    """A thread ends with an answer: the first one in pairs, and in conversations one after which no question was answered."""
    best, whole = context.source.answers == "best", context.source.threads == "conversations"
    stack: list[tuple[Post, ...]] = [(root,)]
    while stack:
        path = stack.pop()
        below = [post for post in children.get(path[-1].identity, []) if post.role != path[-1].role]
        if path[-1].role == "assistant":
            below = [post for post in below if whole and children.get(post.identity)]
        if path[-1].role == "assistant" and not below:
            pair = Draft(instruction=path[0].text.strip(), output=path[-1].text.strip())
            turns = [Turn(Message(role=post.role, content=post.text.strip())) for post in path]
            for draft in conversation_drafts(turns, path[0].line, context) if whole else [pair]:
                if isinstance(draft, Draft):
                    draft.language, draft.line = path[0].language, path[0].line
                yield draft
        stack += [(*path, post) for post in reversed(below[: 1 if best else None])]
