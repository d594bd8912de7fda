"""Agreement of one model on the same prompts by `llm-consistency` and by `steady measure`, and the time that each takes.

`python -m benchmarks.rivals PEER ENDPOINT MODEL LOCAL [GROUPS]`: PEER is the Python of an environment with `llm-consistency[openai]`,
ENDPOINT an OpenAI-compatible server with MODEL, LOCAL the same model as `measure --model` loads it. All send the prompts that the peer
makes of sample tickets as questions of multiple choice. The two tools define agreement otherwise, so each definition is computed
here by hand from the answers of every run.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from steady.records import Prediction, read_records

GROUPS = 20
LABELS = ("billing", "technical", "account", "shipping", "other")
LETTERS = "ABCDE"
READ = rf"\b([{LETTERS}])\b"


@dataclass(frozen=True)
class Found:
    """What a run says its agreement is, the answers of each group with their counts, and its seconds."""

    said: float
    answers: Mapping[str, Mapping[str, int]]
    seconds: float


def questions(groups: int) -> dict[str, Any]:
    """Tickets of the sample as questions of multiple choice, in the form that the peer reads."""
    with Path("data/raw/tickets.jsonl").open(encoding="utf-8") as handle:
        rows = [json.loads(line) for line in islice(handle, groups)]
    return {
        "questions": [
            {
                "id": f"q{number}",
                "stem": f"Which folder does this ticket belong to? {row['text']}",
                "options": [
                    {"label": letter, "text": label, "is_correct": label == row["label"]}
                    for letter, label in zip(LETTERS, LABELS, strict=True)
                ],
            }
            for number, row in enumerate(rows)
        ]
    }


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


def main(peer: str, endpoint: str, model: str, local: str, groups: str = str(GROUPS)) -> None:
    """Run all and print their figures beside those by hand."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "questions.json").write_text(json.dumps(questions(int(groups))), encoding="utf-8")
        script = str(Path(__file__).with_name("rivals_peer.py"))
        ran = subprocess.run(
            [peer, script, str(folder / "questions.json"), endpoint, model],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        theirs = json.loads(ran.stdout.splitlines()[-1])
        prompts = theirs["prompts"]
        asked = ["--endpoint", endpoint, "--model", model, "--repeats", "1", "--concurrency", "2"]
        runs = {
            "llm-consistency": Found(theirs["mean_rc_agree"], theirs["answers"], theirs["seconds"]),
            "steady measure": measure(prompts, asked, folder / "server"),
            "in process": measure(prompts, ["--model", local], folder / "local"),
        }
    print(f"{len(prompts)} groups, {sum(map(len, prompts.values()))} prompts")
    for tool, found in runs.items():
        modal, pairs = (
            sum(share(counts.values()) for counts in found.answers.values()) / len(prompts)
            for share in (modal_share, pair_share)
        )
        letters = {name: {key: counts.get(key, 0) for key in LETTERS} for name, counts in found.answers.items()}
        same = sum(
            letters[name] == {key: counts.get(key, 0) for key in LETTERS}
            for name, counts in runs["llm-consistency"].answers.items()
        )
        print(
            f"{tool:16} {found.seconds:6.1f} s, says {found.said:.4f}; by hand: most frequent answer {modal:.4f}, pairs {pairs:.4f}; "
            f"{same} groups answered as in the first run"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
