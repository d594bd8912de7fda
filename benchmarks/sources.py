"""Read, clean and split four instruction collections: prepare against the same job in `datasets`, and memory by rows.

Each measurement is made once, in a process of its own: `python -m benchmarks.sources JOB` is one of them. Seconds are those of
the processor, which other programs disturb least. The real collections are found through STEADY_REAL_DATA.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.rows import Row

SIZES = {"train_rows": 0.8, "validation_rows": 0.1, "test_rows": 0.1}
MEMORY_ROWS = (50_000, 400_000)


def collections(data: Path, unnatural: Path) -> list[dict[str, Any]]:
    """The sources of the joined set."""
    drops = ["empty_output", "blank_input"]
    return [
        {"path": str(data / "alpaca/alpaca_data.json"), "format": "alpaca", "leave_out": drops},
        {"path": str(data / "self_instruct/data/seed_tasks.jsonl"), "format": "self-instruct"},
        {"path": str(data / "super_ni/tasks"), "format": "natural-instructions", "leave_out": drops},
        {"path": str(unnatural), "format": "unnatural-instructions"},
    ]


def write_unnatural(path: Path) -> None:
    draw = random.Random("unnatural")
    with path.open("w", encoding="utf-8") as file:
        for number in range(5000):
            words = " ".join(f"{draw.choice('bdfgklm')}{draw.randrange(10_000)}" for _ in range(14))
            instance = {
                "instruction_with_input": "",
                "input": f"Text: {words}",
                "constraints": "None.",
                "output": f"o {number}",
            }
            file.write(json.dumps({"instruction": f"Task {number} about {words}", "instances": [instance]}) + "\n")


def write_rows(path: Path, rows: int) -> None:
    draw = random.Random("rows")
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            words = " ".join(f"{draw.randrange(10_000):x}" for _ in range(40))
            file.write(json.dumps({"instruction": f"Do {number}", "input": words, "output": words[:50]}) + "\n")


def run_prepare(sources: list[dict[str, Any]], out: Path, *, near: bool) -> int:
    """The stage's work; returns the rows read."""
    from steady.prepare.params import DataParams
    from steady.prepare.prepare import Outputs, prepare

    threshold = 0.8 if near else None
    params = DataParams.model_validate({"sources": sources, "near_duplicate_threshold": threshold} | SIZES)
    paths = {name: out / f"{name}.jsonl" for name in ("train", "validation", "test")}
    counts = prepare(params, 0, Outputs(paths, out / "rejected.jsonl", out / "data.json"))  # type: ignore[arg-type]
    return counts.total("read")


def run_datasets(data: Path, unnatural: Path, out: Path) -> int:
    """The same with `datasets`: load, map to the same fields, normal forms and hashes, drop copies, shuffle, split, write."""
    import datasets

    from steady.prepare.duplicates import normal_form, text_hash

    def row(instruction: str, text: str, outputs: list[str], source: str) -> dict[str, Any]:
        prompt = f"{instruction}\n{text}" if text else instruction
        said = f"{text_hash(normal_form(prompt)):x}{text_hash(normal_form(outputs[0])):x}"
        fields = {"instruction": instruction, "input": text, "output": outputs[0], "references": outputs}
        return fields | {"id": f"{text_hash(prompt + outputs[0]):x}", "source": source, "said": said}

    tasks = sorted((data / "super_ni/tasks").glob("*.json"))
    definitions = {task.name.split("_")[0]: json.loads(task.read_bytes())["Definition"][0] for task in tasks}

    def load(files: Any, **more: Any) -> Any:
        return datasets.load_dataset("json", data_files=files, split="train", cache_dir=str(out / "cache"), **more)

    def mapped(rows: Any, convert: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        return rows.map(convert, remove_columns=rows.column_names)

    parts = [
        mapped(
            load(str(data / "alpaca/alpaca_data.json")).filter(lambda r: r["output"].strip()),
            lambda r: row(r["instruction"], r["input"], [r["output"].strip()], "alpaca"),
        ),
        mapped(
            load(str(data / "self_instruct/data/seed_tasks.jsonl")),
            lambda r: row(r["instruction"], r["instances"][0]["input"], [r["instances"][0]["output"].strip()], "self"),
        ),
        mapped(
            load([str(task) for task in tasks], field="Instances").filter(lambda r: any(map(str.strip, r["output"]))),
            lambda r: row(
                definitions[r["id"].split("-")[0]],
                r["input"].strip(),
                [o.strip() for o in r["output"] if o.strip()],
                "ni",
            ),
        ),
        mapped(
            load(str(unnatural)),
            lambda r: row(r["instruction"], r["instances"][0]["input"], [r["instances"][0]["output"]], "unnatural"),
        ),
    ]
    seen: set[str] = set()
    joined = datasets.concatenate_datasets(parts)
    kept = joined.filter(lambda r: not (r["said"] in seen or seen.add(r["said"]))).shuffle(seed=0)  # type: ignore[func-returns-value]
    first = kept.train_test_split(test_size=0.2, seed=0)
    second = first["test"].train_test_split(test_size=0.5, seed=0)
    for name, split in (("train", first["train"]), ("validation", second["train"]), ("test", second["test"])):
        split.to_json(str(out / f"{name}.jsonl"))
    return len(joined)


def measure() -> list[Row]:
    """Throughput, near-duplicates apart, and memory; nothing where the collections are absent."""
    if not (Path(os.environ.get("STEADY_REAL_DATA", "absent")) / "super_ni").is_dir():
        return []
    ours, near, theirs = (measured(job) for job in ("prepare", "near", "datasets"))
    small, large = (measured("rows", str(rows)) for rows in MEMORY_ROWS)
    slope = (large["peak_megabytes"] - small["peak_megabytes"]) * 1e6 / (MEMORY_ROWS[1] - MEMORY_ROWS[0])
    return [
        Row("prepare, four collections", ours["cpu_seconds"], "s", None),
        Row("  the same in datasets", theirs["cpu_seconds"], "s", None),
        Row("  rows a second against datasets", theirs["cpu_seconds"] / ours["cpu_seconds"], "times", 2),
        Row("  near-duplicates on top", near["cpu_seconds"] - ours["cpu_seconds"], "s", None),
        Row("prepare, rows of the collections", ours["rows"], "rows", None),
        Row("  peak memory", ours["peak_megabytes"], "MB", None),
        Row("  peak memory of datasets", theirs["peak_megabytes"], "MB", None),
        Row("prepare, memory a further row", slope, "bytes", 200),
    ]


def measured(*arguments: str) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    quiet = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-m", "benchmarks.sources", *arguments]
    done = subprocess.run(
        command, env=os.environ | quiet, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


@click.command()
@click.argument("job", type=click.Choice(["prepare", "near", "datasets", "rows"]))
@click.argument("rows", default=0)
def main(job: str, rows: int) -> None:
    """Do one JOB and print its time and peak memory; the files are written beforehand."""
    data = Path(os.environ["STEADY_REAL_DATA"])
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        write_unnatural(out / "unnatural.jsonl")
        sources = collections(data, out / "unnatural.jsonl")
        if job == "rows":
            write_rows(out / "rows.jsonl", rows)
            sources = [{"path": str(out / "rows.jsonl"), "format": "instruction-input-output"}]
        started = time.process_time()
        if job == "datasets":
            read = run_datasets(data, out / "unnatural.jsonl", out)
        else:
            read = run_prepare(sources, out, near=job != "prepare")
        seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    click.echo(json.dumps({"rows": read, "cpu_seconds": seconds, "peak_megabytes": peak}))


if __name__ == "__main__":
    main()
