"""Agreement of one model on the same prompts by `llm-consistency` and by `steady measure`, and the time that each takes.

`python -m benchmarks.rivals PEER SERVER MODEL PROMPTS`: PEER is the Python of an environment with `llm-consistency[openai]`, SERVER
that of one with `transformers[serving]`, MODEL a folder that both can load, PROMPTS the folder `data` of `instruction-induction`:
tasks that several people have put into words. Each of 20 tasks gives a group: one of its inputs as a question of multiple choice under
three of its instructions. The tools take turns, peer, ours, ours, peer, each in a process of its own, so that a busy machine slows
both; then ours runs without a server. The two define agreement otherwise, so each definition is also computed here by hand from
the answers of every run.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from steady.records import Prediction, read_records

GROUPS, WORDINGS, OPTIONS = 20, 3, 4
LETTERS = "ABCD"
READ = rf"\b([{LETTERS}])\b"
PORT = 8139
# Of the server and of the run without one; in float32 their answers are the same, and it takes three times as long
DTYPE = "bfloat16"
START_SECONDS = 300.0


@dataclass(frozen=True)
class Found:
    """What a run says its agreement is, the answers of each group with their counts, and the seconds of its process."""

    said: float
    answers: Mapping[str, Mapping[str, int]]
    seconds: float


def questions(folder: Path) -> dict[str, Any]:
    """Tasks as questions of multiple choice in the form that the peer reads, and under `wordings` the stems of each."""
    read = (_question(path, folder / "raw/execute" / path.name) for path in sorted(folder.glob("annotations/*.json")))
    found = list(islice(filter(None, read), GROUPS))
    return {
        "questions": [{**question, "stem": stems[0]} for question, stems in found],
        "wordings": {question["id"]: stems for question, stems in found},
    }


def _question(annotations: Path, execute: Path) -> tuple[dict[str, Any], list[str]] | None:
    """The question of a task without its stem, and its stems; None for the two tasks whose examples have no `input`."""
    examples = list(json.loads(execute.read_text(encoding="utf-8"))["examples"].values())
    if "input" not in examples[0]:
        return None
    instructions = dict.fromkeys(json.loads(annotations.read_text(encoding="utf-8"))["annotations"])
    stems = [f"{text}\n\n{examples[0]['input']}" for text in islice(instructions, WORDINGS)]
    # the right output and those of other inputs, in the order of the alphabet
    texts = sorted(islice(dict.fromkeys(example["output"] for example in examples), OPTIONS))
    options = [
        {"label": letter, "text": text, "is_correct": text == examples[0]["output"]}
        for letter, text in zip(LETTERS, texts, strict=False)
    ]
    return {"id": annotations.stem, "options": options}, stems


@contextmanager
def serving(python: str, model: str) -> Iterator[str]:
    """`transformers serve` until the block ends; its URL, once it answers."""
    options = ["--device", "cpu", "--dtype", DTYPE, "--host", "127.0.0.1", "--port", str(PORT)]
    running = subprocess.Popen([python, "-m", "transformers.cli.transformers", "serve", model, *options])
    try:
        end = time.monotonic() + START_SECONDS
        while not _healthy():
            if running.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"`transformers serve` did not start (exit code {running.poll()})")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{PORT}/v1"
    finally:
        running.terminate()
        running.wait(30)


def _healthy() -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{PORT}/health") as reply:
            return bool(reply.status == 200)
    except URLError:
        return False


def modal_share(counts: Iterable[int]) -> float:
    """The peer's agreement of a group: the share of its most frequent answer."""
    found = list(counts)
    return max(found) / sum(found)


def pair_share(counts: Iterable[int]) -> float:
    """Our agreement of a group: of all pairs of its answers, the share that is the same."""
    found = list(counts)
    return sum(count * (count - 1) for count in found) / (sum(found) * (sum(found) - 1))


def measure(prompts: Mapping[str, list[str]], subject: list[str], folder: Path) -> Found:
    """One run of `steady measure` on the peer's prompts, of the subject that the options name."""
    folder.mkdir()
    rows = [json.dumps({"group_id": name, "prompt": text}) for name, texts in prompts.items() for text in texts]
    (folder / "prompts.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "steady", "measure", str(folder / "prompts.jsonl"), *subject]
    begun = time.perf_counter()
    subprocess.run(
        [*command, "--max-new-tokens", "8", "--match", f"regex:{READ}", "--out", str(folder / "measured")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - begun
    measures = json.loads((folder / "measured/measures.json").read_text(encoding="utf-8"))["measures"]
    texts = iter(
        [one.text for one in read_records(folder / "measured/predictions.jsonl", Prediction)]
    )  # as the file has them
    answers = {}
    for name, group in prompts.items():
        read = [re.search(READ, next(texts)) for _ in group]
        # what has no letter agrees with nothing
        answers[name] = Counter(found[1] if found else f"unread {place}" for place, found in enumerate(read))
    return Found(measures["agreement"]["value"], answers, seconds)


def peer(python: str, asked: Path, endpoint: str, model: str) -> tuple[Found, dict[str, list[str]]]:
    """One run of `llm-consistency`, and the prompts that it sent."""
    begun = time.perf_counter()
    command = [python, str(Path(__file__).with_name("rivals_peer.py")), str(asked), endpoint, model]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - begun
    theirs = json.loads(ran.stdout.splitlines()[-1])
    return Found(theirs["mean_rc_agree"], theirs["answers"], seconds), theirs["prompts"]


def main(python: str, server: str, model: str, folder: str) -> None:
    """Run all, and print the figures of each run beside those by hand as soon as it is done."""
    with TemporaryDirectory() as name:
        place = Path(name)
        (place / "questions.json").write_text(json.dumps(questions(Path(folder))), encoding="utf-8")
        with serving(server, model) as url:
            asked = ["--endpoint", url, "--model", model, "--repeats", "1", "--concurrency", "2", "--timeout", "600"]
            first, prompts = peer(python, place / "questions.json", url, model)
            print(f"{len(prompts)} groups, {sum(map(len, prompts.values()))} prompts")
            show("llm-consistency", first, first)
            for turn in (1, 2):
                show(f"steady measure {turn}", measure(prompts, asked, place / f"server{turn}"), first)
            show("llm-consistency again", peer(python, place / "questions.json", url, model)[0], first)
        show("steady in process", measure(prompts, ["--model", model, "--dtype", DTYPE], place / "local"), first)


def show(tool: str, found: Found, first: Found) -> None:
    """Print a run: what it says, what both definitions give by hand, and the groups where the answers are others than at first."""
    modal, pairs = (
        sum(share(counts.values()) for counts in found.answers.values()) / len(found.answers)
        for share in (modal_share, pair_share)
    )
    letters, wanted = ({name: _letters(counts) for name, counts in one.answers.items()} for one in (found, first))
    same = sum(letters[name] == wanted[name] for name in wanted)
    print(
        f"{tool:22} {found.seconds:6.1f} s, says {found.said:.4f}; by hand: most frequent answer {modal:.4f}, pairs {pairs:.4f}; "
        f"{same} groups answered as in the first run"
    )
    for task, counts in found.answers.items():
        if found is first or letters[task] != wanted[task]:
            print(f"  {task:24} {dict(counts)}")
    sys.stdout.flush()


def _letters(counts: Mapping[str, int]) -> list[int]:
    return [counts.get(letter, 0) for letter in LETTERS]


if __name__ == "__main__":
    main(*sys.argv[1:])
