"""The instruction corpus: the licence filter, the two ways in, and the held-out two percent."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PERMISSIVE_LICENSES = frozenset(
    {
        "MIT",
        "Apache 2.0",
        "BSD",
        "BSD 2-Clause",
        "CC0",
        "CC0: Public Domain",
        "Public Domain",
        "CC BY",
        "CC BY 3.0",
        "CC BY 4.0",
    }
)


class CorpusError(Exception):
    """The corpus is absent or not in a form that this pipeline reads."""


@dataclass(frozen=True)
class Row:
    """One instance of a task: the input text and the first reference output."""

    task: str
    input: str
    output: str


@dataclass(frozen=True)
class Task:
    """What is known of a task: its instruction and, for a classification task, its labels."""

    name: str
    definition: str
    category: str
    license: str
    labels: tuple[str, ...]

    @property
    def is_classification(self) -> bool:
        """Whether the task has a closed set of labels."""
        return bool(self.labels)


@dataclass(frozen=True)
class CheckoutLimits:
    """The sizes that bound what is taken from a checkout.

    Attributes:
        max_file_bytes: larger task files are left out.
        max_characters: upper bound of ``len(input) + len(output)`` of a row.
        max_task_rows: rows drawn per task.
        seed: of the draw.
    """

    max_file_bytes: int
    max_characters: int
    max_task_rows: int
    seed: int


def is_permissive(licenses: Iterable[str]) -> bool:
    """Whether a task names at least one licence and each one it names is permissive."""
    names = list(licenses)
    return bool(names) and all(name in PERMISSIVE_LICENSES for name in names)


def is_english(document: dict[str, list[str]]) -> bool:
    """Whether instruction, input and output of a task file are all English and nothing else."""
    keys = ("Input_language", "Output_language", "Instruction_language")
    return all(document.get(key) == ["English"] for key in keys)


def read_test_tasks(folder: Path) -> frozenset[str]:
    """Names of the official default test split of a checkout (``splits/default/test_tasks.txt``)."""
    path = folder / "splits" / "default" / "test_tasks.txt"
    if not path.is_file():
        raise CorpusError(f"{path} is missing: without it test tasks cannot be kept out")
    return frozenset(path.read_text(encoding="utf-8").split())


def read_checkout(folder: Path, limits: CheckoutLimits) -> tuple[dict[str, dict[str, str]], list[Row]]:
    """Read a checkout of ``allenai/natural-instructions`` through the licence filter.

    Args:
        folder: the checkout, with ``tasks/*.json`` and ``splits/default/test_tasks.txt``.
        limits: bounds on files, rows and the draw.

    Returns:
        per task its definition, category and licence; and the rows in file-name order.

    Raises:
        CorpusError: when the folder has no task files or no test split.
    """
    held_back = read_test_tasks(folder)
    paths = sorted((folder / "tasks").glob("task*.json"))
    if not paths:
        raise CorpusError(f"{folder / 'tasks'} holds no task*.json; expected a full checkout")
    generator = random.Random(limits.seed)
    facts: dict[str, dict[str, str]] = {}
    rows: list[Row] = []
    for path in paths:
        if path.stem in held_back or path.stat().st_size > limits.max_file_bytes:
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        licenses = document.get("Instance License", [])
        if not (is_permissive(licenses) and is_english(document)):
            continue
        drawn = draw_rows(path.stem, document["Instances"], limits, generator)
        if drawn:
            rows.extend(drawn)
            facts[path.stem] = describe(document)
    return facts, rows


def describe(document: dict[str, list[str]]) -> dict[str, str]:
    """Definition, category and licence of a task file, each as one string."""
    return {
        "definition": document["Definition"][0].strip(),
        "category": document["Categories"][0],
        "license": document["Instance License"][0],
    }


def draw_rows(
    task: str,
    instances: list[dict[str, object]],
    limits: CheckoutLimits,
    generator: random.Random,
) -> list[Row]:
    """Rows of one task with an answer and within the size limit, at most ``limits.max_task_rows`` of them."""
    rows = []
    for instance in instances:
        outputs = instance["output"]
        text = str(outputs[0] if isinstance(outputs, list) else outputs)
        row = Row(task, str(instance["input"]), text)
        if text and len(row.input) + len(row.output) <= limits.max_characters:
            rows.append(row)
    if len(rows) > limits.max_task_rows:
        rows = generator.sample(rows, limits.max_task_rows)
    return rows


def read_corpus_file(rows_path: Path, tasks_path: Path) -> tuple[dict[str, dict[str, str]], list[Row]]:
    """Read a corpus that was filtered before: gzipped rows and a JSON object of task facts.

    Raises:
        CorpusError: when a file is missing or a task's licence is not a permissive one.
    """
    for path in (rows_path, tasks_path):
        if not path.is_file():
            raise CorpusError(
                f"{path} is missing. Set corpus.rows and corpus.tasks in pretrain/params.yaml, or "
                "corpus.checkout to a checkout of allenai/natural-instructions."
            )
    facts = {}
    for name, entry in json.loads(tasks_path.read_text(encoding="utf-8")).items():
        if not is_permissive([entry["license"]]):
            raise CorpusError(f"{tasks_path}: {name} has the licence {entry['license']!r}")
        facts[name] = {
            "definition": entry["definition"][0].strip(),
            "category": entry["categories"][0],
            "license": entry["license"],
        }
    with gzip.open(rows_path, "rt", encoding="utf-8") as lines:
        rows = [Row(**json.loads(line)) for line in lines]
    return facts, rows


def is_held_out(text: str, percent: float) -> bool:
    """Whether an input belongs to the held-out part: by its text alone, whatever the task.

    Tasks share sources, so the same passage comes up in several; hashing the passage keeps all
    of its rows on one side.
    """
    digest = hashlib.sha256(" ".join(text.split()).encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10_000 < percent * 100


def clean_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows with outer white space stripped, without repeats and without empty outputs."""
    seen: set[Row] = set()
    for row in rows:
        stripped = Row(row.task, row.input.strip(), row.output.strip())
        if stripped.output and stripped not in seen:
            seen.add(stripped)
            yield stripped


def find_labels(outputs: Iterable[str], max_labels: int, min_rows_per_label: int) -> tuple[str, ...]:
    """Labels of a classification task, most frequent first; empty when the task is none.

    A task counts as classification when it has 2 to ``max_labels`` distinct outputs and at
    least ``min_rows_per_label`` rows per label on average.
    """
    counts = Counter(outputs)
    if not 2 <= len(counts) <= max_labels or counts.total() < min_rows_per_label * len(counts):
        return ()
    return tuple(sorted(counts, key=lambda label: (-counts[label], label)))


def build_tasks(
    facts: dict[str, dict[str, str]], rows: Iterable[Row], max_labels: int, min_rows_per_label: int
) -> dict[str, Task]:
    """Task records, labels found from the given (training) rows."""
    outputs: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        outputs[row.task].append(row.output)
    return {
        name: Task(name=name, labels=find_labels(found, max_labels, min_rows_per_label), **facts[name])
        for name, found in outputs.items()
    }


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON Lines, keys in a fixed order."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


def read_rows(path: Path) -> list[Row]:
    """Read what ``write_rows`` wrote."""
    with path.open(encoding="utf-8") as stream:
        return [Row(**json.loads(line)) for line in stream]


def write_tasks(path: Path, tasks: dict[str, Task]) -> None:
    """Write task records as one JSON object, sorted by name."""
    records = {name: asdict(tasks[name]) for name in sorted(tasks)}
    path.write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_tasks(path: Path) -> dict[str, Task]:
    """Read what ``write_tasks`` wrote."""
    records = json.loads(path.read_text(encoding="utf-8"))
    return {n: Task(**{**record, "labels": tuple(record["labels"])}) for n, record in records.items()}
