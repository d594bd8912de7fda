"""What the stand-in answers: status, headers and body of each kind of request, without a socket."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .store import Hub, Repository, git_oid

LARGE = 10_000  # bytes; the Hub sends such files through a redirect to another host
Headers = dict[str, str]


@dataclass
class Request:
    """A request as the answers need it; `host` is the server's own address."""

    method: str
    target: str
    host: str
    headers: Headers = field(default_factory=dict)
    body: bytes = b""

    @property
    def parts(self) -> list[str]:
        """The unquoted segments of the path."""
        return [unquote(part) for part in urlsplit(self.target).path.strip("/").split("/")]

    @property
    def query(self) -> dict[str, list[str]]:
        """The decoded query."""
        return parse_qs(urlsplit(self.target).query)


@dataclass
class Answer:
    """Status, headers and body."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=dict)


def answer(hub: Hub, request: Request) -> Answer:
    """The answer of the Hub to a request; anything unknown is a 404 as the Hub gives it."""
    parts = request.parts
    if parts[0] == "cdn":
        return _blob(hub, parts[1])
    if parts[:2] == ["api", "whoami-v2"]:
        name = _user(hub, request)
        return _json({"name": name, "type": "user", "orgs": []}) if name else _fault(401, None, "Invalid credentials")
    if parts[:3] == ["api", "repos", "create"]:
        return _create(hub, request)
    if parts[:2] == ["api", "validate-yaml"]:
        return _json({"errors": [], "warnings": []})
    if parts[0] == "api" and parts[1] in ("models", "datasets"):
        return _api(hub, request, parts[2:])
    # the files of a data set lie below a folder, those of a model do not
    return _file(hub, request, parts[1:] if parts[0] == "datasets" else parts)


def _file(hub: Hub, request: Request, parts: list[str]) -> Answer:
    if "resolve" not in parts:
        return _fault(404, "RepoNotFound", "Repository not found")
    place = parts.index("resolve")
    found = _find(hub, request, "/".join(parts[:place]), parts[place + 1])
    return found if isinstance(found, Answer) else _resolve(*found, "/".join(parts[place + 2 :]), request)


def _api(hub: Hub, request: Request, parts: list[str]) -> Answer:
    verbs = [place for place, part in enumerate(parts) if part in {"revision", "tree", "preupload", "commit"}]
    place = verbs[0] if verbs else len(parts)
    verb, revision = (parts[place], parts[place + 1]) if verbs else ("revision", "main")
    found = _find(hub, request, "/".join(parts[:place]), revision)
    if isinstance(found, Answer):
        return found
    repository, commit = found
    if verb == "tree":
        return _tree(
            repository,
            commit,
            "/".join(parts[place + 2 :]),
            request.query.get("recursive", [""])[0].lower() in {"true", "1"},
        )
    if verb == "preupload":
        modes = {"uploadMode": "regular", "shouldIgnore": False}
        return _json({"files": [{"path": file["path"], **modes} for file in json.loads(request.body)["files"]]})
    if verb == "commit":
        return _commit(hub, request, repository, revision, commit)
    return _info(repository, commit)


def _find(hub: Hub, request: Request, repo_id: str, revision: str) -> "Answer | tuple[Repository, str]":
    repository = hub.repositories.get(repo_id)
    if repository is None:
        return _fault(401, "RepoNotFound", "Repository not found")
    if repository.gated and _user(hub, request) is None:
        return _fault(401, "GatedRepo", f"Access to model {repo_id} is restricted.")
    commit = repository.resolve(revision)
    if commit is None and repository.commits:
        return _fault(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return repository, commit or ""


def _info(repository: Repository, commit: str) -> Answer:
    files = repository.commits.get(commit, {})
    return _json(
        {
            "_id": repository.id,
            "id": repository.id,
            "modelId": repository.id,
            "sha": commit,
            "private": False,
            "gated": "auto" if repository.gated else False,
            "disabled": False,
            "tags": [],
            "siblings": [{"rfilename": name} for name in sorted(files)],
        }
    )


def _tree(repository: Repository, commit: str, under: str, recursive: bool) -> Answer:
    prefix = under + "/" if under else ""
    rows: dict[str, dict[str, Any]] = {}
    for name, content in sorted(repository.commits[commit].items()):
        if not name.startswith(prefix):
            continue
        inner = name.removeprefix(prefix)
        if "/" in inner and not recursive:
            folder = prefix + inner.split("/")[0]
            rows[folder] = {"type": "directory", "path": folder, "oid": git_oid(folder.encode()), "size": 0}
        else:
            rows[name] = _entry(name, content)
    return _json(list(rows.values())) if rows else _fault(404, "EntryNotFound", f"{under} does not exist", commit)


def _entry(name: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": name, "oid": git_oid(content), "size": len(content)}
    if len(content) > LARGE:
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


def _resolve(repository: Repository, commit: str, name: str, request: Request) -> Answer:
    content = repository.commits[commit].get(name)
    if content is None:
        return _fault(404, "EntryNotFound", "Entry not found", commit)
    headers = {"X-Repo-Commit": commit}
    if len(content) <= LARGE:
        return Answer(200, content, headers | {"ETag": f'"{git_oid(content)}"'})
    digest = hashlib.sha256(content).hexdigest()
    linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
    elsewhere = request.host.replace("127.0.0.1", "localhost")  # the client follows a redirect only to another host
    return Answer(302, b"", headers | linked | {"Location": f"http://{elsewhere}/cdn/{digest}"})


def _blob(hub: Hub, digest: str) -> Answer:
    for repository in hub.repositories.values():
        for files in repository.commits.values():
            for content in files.values():
                if len(content) > LARGE and hashlib.sha256(content).hexdigest() == digest:
                    return Answer(200, content, {"ETag": f'"{digest}"'})
    return _fault(404, None, "No such blob")


def _create(hub: Hub, request: Request) -> Answer:
    user, wanted = _user(hub, request), json.loads(request.body)
    if user is None:
        return _fault(401, None, "Invalid username or password.")
    repo_id = f"{wanted.get('organization') or user}/{wanted['name']}"
    if repo_id in hub.repositories:
        return Answer(409, json.dumps({"url": f"http://{request.host}/{repo_id}"}).encode())
    if not repo_id.startswith(f"{user}/"):
        return _fault(403, None, f"You don't have the rights to create a model under {wanted.get('organization')}")
    hub.repositories[repo_id] = Repository(repo_id)
    return _json({"url": f"http://{request.host}/{repo_id}", "name": repo_id})


def _commit(hub: Hub, request: Request, repository: Repository, branch: str, parent: str) -> Answer:
    if _user(hub, request) is None:
        return _fault(401, None, "Invalid username or password.")
    files = dict(repository.commits.get(parent, {}))
    for line in request.body.splitlines():
        row = json.loads(line)
        if row["key"] == "file":
            files[row["value"]["path"]] = base64.b64decode(row["value"]["content"])
        elif row["key"] == "deletedFile":
            files.pop(row["value"]["path"], None)
    commit = repository.commit(files, branch=branch)
    url = f"http://{request.host}/{repository.id}/commit/{commit}"
    return _json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})


def _user(hub: Hub, request: Request) -> str | None:
    return hub.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _fault(status: int, code: str | None, message: str, commit: str | None = None) -> Answer:
    headers = {"Content-Type": "application/json", "X-Error-Message": message}
    headers |= {"X-Error-Code": code} if code else {}
    headers |= {"X-Repo-Commit": commit} if commit else {}
    return Answer(status, json.dumps({"error": message}).encode(), headers)
