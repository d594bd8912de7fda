"""Repositories of the stand-in: commits that never change, and branches that move."""

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

Files = dict[str, bytes]
COMMIT_LENGTH = 40
SHORTEST_PREFIX = 7


@dataclass
class Repository:
    """Files by commit; a revision is a full commit, an unambiguous beginning of one, or a branch."""

    id: str
    gated: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files, commit: str | None = None, branch: str | None = "main") -> str:
        """Add a commit with exactly these files; `branch` moves to it, None leaves every branch where it is."""
        if commit is None:
            digest = hashlib.sha1("\n".join(self.commits).encode())
            for name, content in sorted(files.items()):
                digest.update(name.encode() + content)
            commit = digest.hexdigest()
        self.commits[commit] = dict(files)
        if branch is not None:
            self.branches[branch] = commit
        return commit

    def resolve(self, revision: str) -> str | None:
        """The full commit of a revision, or None where there is none."""
        if revision in self.branches:
            return self.branches[revision]
        found = [commit for commit in self.commits if commit.startswith(revision)]
        return found[0] if len(found) == 1 and len(revision) >= SHORTEST_PREFIX else None


class Hub:
    """All repositories, who may log in (token to name), what was asked for, and where it is served."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, str] = {}
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.address = ""

    def publish(self, repo_id: str, files: Files, commit: str | None = None, *, gated: bool = False) -> str:
        """Put files into a repository, made where it is missing, as a commit that `main` moves to."""
        repository = self.repositories.setdefault(repo_id, Repository(repo_id))
        repository.gated = gated
        return repository.commit(files, commit)


def read_folder(folder: Path) -> Files:
    """The files of a folder, by their path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def git_oid(content: bytes) -> str:
    """The name that Git gives a blob, which is the Hub's ETag of a small file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
