"""What `dvc.lock` records of files, and the hashes of the files that lie here. No import of DVC, so it takes no second."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pathspec import GitIgnoreSpec
from yaml import CBaseLoader, YAMLError, load  # type: ignore[import-untyped]

from steady.errors import SteadyError

DIRECTORY = ".dir"


class Entry(NamedTuple):
    """A file or folder that a stage read or wrote, as `dvc.lock` names it; `md5` ends in `.dir` for a folder."""

    stage: str
    path: str
    md5: str
    written: bool


def read_lock(text: str, source: str) -> list[Entry]:
    """The entries of a `dvc.lock`, in its order; SteadyError where the text is no lock file."""
    # libyaml, and every scalar as text: fifty times as fast as the parser that DVC itself uses.
    try:
        stages: Mapping[str, Any] = (load(text, CBaseLoader) or {}).get("stages", {})
        return [
            Entry(stage, item["path"], item["md5"], kind == "outs")
            for stage, record in stages.items()
            for kind in ("deps", "outs")
            for item in record.get(kind, [])
            if "md5" in item
        ]
    except (YAMLError, AttributeError, KeyError, TypeError) as error:
        raise SteadyError(
            f"{source}: not a lock file of DVC ({error}). Get it back: `git checkout -- dvc.lock`."
        ) from error


def lock_entries(root: Path) -> list[Entry]:
    """The entries of the `dvc.lock` of a repository; SteadyError where there is none, or it is no lock file."""
    lock = root / "dvc.lock"
    if not lock.is_file():
        raise SteadyError(f"{lock}: no such file. Run `make repro` first, or run from the repository's root.")
    return read_lock(lock.read_text(encoding="utf-8"), str(lock))


def file_md5(path: Path) -> str:
    """The MD5 of a file's bytes, which is what DVC 3 records."""
    # in pieces, for weights may be larger than the memory
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()


def folder_listing(root: Path, folder: Path) -> dict[str, str]:
    """Relative path -> MD5 of every file below `folder` that the `.dvcignore` of `root` does not leave out."""
    ignored = root / ".dvcignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.is_file() else []
    # DVC hashes a folder without what .dvcignore names
    left_out = GitIgnoreSpec.from_lines(lines)
    return {
        path.relative_to(folder).as_posix(): file_md5(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not left_out.match_file(path.relative_to(root).as_posix())
    }


def listing_md5(listing: Mapping[str, str]) -> str:
    """The hash that DVC gives a folder: the MD5 of its listing as JSON, ordered by path."""
    # By the parts of the path and not by its text: that is the order whose bytes DVC hashes.
    ordered = sorted(listing.items(), key=lambda item: tuple(item[0].split("/")))
    entries = [{"md5": md5, "relpath": path} for path, md5 in ordered]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + DIRECTORY


def cached_listing(cache: Path, md5: str) -> dict[str, str] | None:
    """The listing of a folder as it was recorded, from DVC's cache; None where the cache has none, or a damaged one."""
    path = cache_path(cache, md5)
    if not path.is_file() or file_md5(path) != md5.removesuffix(DIRECTORY):
        return None
    return {item["relpath"]: item["md5"] for item in json.loads(path.read_bytes())}


def cache_path(cache: Path, md5: str) -> Path:
    """Where the cache keeps the object with this hash; `cache` is `.dvc/cache`."""
    return cache / "files" / "md5" / md5[:2] / md5[2:]


def damage(root: Path, entry: Entry) -> Iterator[str]:
    """One line for each file of an entry that is not what the lock file records; none where all is well."""
    path = root / entry.path
    if not path.exists():
        yield f"{entry.path}: missing"
        return
    if not entry.md5.endswith(DIRECTORY):
        if (got := file_md5(path)) != entry.md5:
            yield f"{entry.path}: MD5 is {got}, recorded {entry.md5}"
        return
    listing = folder_listing(root, path)
    if listing_md5(listing) == entry.md5:
        return
    # the lock file has one hash for the whole folder; the cache knows its files
    recorded = cached_listing(root / ".dvc" / "cache", entry.md5)
    if recorded is None:
        yield f"{entry.path}: the folder is not what was recorded ({entry.md5}); the cache has no whole listing of it"
        return
    for name in sorted(recorded.keys() | listing.keys()):
        if name not in listing:
            yield f"{entry.path}/{name}: missing"
        elif name not in recorded:
            yield f"{entry.path}/{name}: was not recorded"
        elif listing[name] != recorded[name]:
            yield f"{entry.path}/{name}: MD5 is {listing[name]}, recorded {recorded[name]}"


def cache_damage(root: Path, entry: Entry) -> Iterator[str]:
    """One line for each damaged object of the cache that an entry needs; objects that are not there are no damage."""
    cache = root / ".dvc" / "cache"
    needed = {entry.path: entry.md5}
    if entry.md5.endswith(DIRECTORY):
        needed |= {f"{entry.path}/{name}": md5 for name, md5 in (cached_listing(cache, entry.md5) or {}).items()}
    for name, md5 in needed.items():
        path = cache_path(cache, md5)
        # A missing object is fetched by `dvc pull`; a damaged one would be copied into the workspace.
        if path.is_file() and file_md5(path) != md5.removesuffix(DIRECTORY):
            yield f"{path.relative_to(root)}: damaged copy of {name}"
