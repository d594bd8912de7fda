"""The user's own prompts, which the settings name: the models answer them beside the data's."""

import json
from collections import Counter
from pathlib import Path, PurePosixPath

from steady.errors import SteadyError
from steady.records import Prompt, content_id

FOLDER = "data/raw/prompts"
SUFFIXES = (".txt", ".jsonl")


def read_own_prompts(path: str | None, folder: Path = Path(FOLDER)) -> list[Prompt]:
    """The prompts of a file: a line of a `.txt` is one, and so is `{"prompt": …}` of a `.jsonl`, whose text may have line breaks.

    `path` is relative to the repository, as `params.yaml` names it; None for no prompts. Such files lie in `folder`, which DVC
    watches. SteadyError where the file is elsewhere, missing, of another kind, empty, or a line is not a prompt.
    """
    if path is None:
        return []
    found = PurePosixPath(path)
    # A file elsewhere would change without DVC noticing.
    if found.parent != PurePosixPath(FOLDER) or found.suffix not in SUFFIXES:
        raise SteadyError(
            f"{path}: files of own prompts lie in {FOLDER}/ and end in {' or '.join(SUFFIXES)}: that folder is what DVC watches. "
            "Move it there."
        )
    place = folder / found.name
    if not place.is_file():
        there = ", ".join(sorted(one.name for one in folder.glob("*")))
        raise SteadyError(f"{place}: no such file. There are: {there}.")
    texts = _lines(place) if found.suffix == ".txt" else _rows(place)
    if not texts:
        raise SteadyError(f"{place}: no prompts. Put one on each line.")
    seen: Counter[str] = Counter()
    prompts = []
    for text in texts:
        # The same prompt may be there twice, and each has its answer.
        name = content_id("own", text, occurrence=seen[text])
        seen[text] += 1
        prompts.append(Prompt(id=name, group_id=name, example_id=name, wording="own", prompt=text, completion=""))
    return prompts


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise SteadyError(f"{path}: not UTF-8: {error}. Save it as UTF-8.") from error


def _rows(path: Path) -> list[str]:
    texts = []
    for number, line in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        text = value.get("prompt") if isinstance(value, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise SteadyError(f'{path}:{number}: expected {{"prompt": "…"}} with a text that is not blank.')
        texts.append(text)
    return texts
