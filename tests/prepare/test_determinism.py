"""Same inputs, same bytes: whatever the hash seed, the folder, or the order in which a file system lists files."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = {
    "data": {
        "sources": [
            {"path": "raw/parts", "format": "text-label"},
            {"path": "raw/tasks", "format": "natural-instructions", "max_rows": 30},
        ],
        "train_rows": 0.5,
        "validation_rows": 0.1,
        "test_rows": 0.4,
        "seed": 3,
    }
}


def make(folder: Path, order: list[int]) -> None:
    for name in ("raw/parts", "raw/tasks"):
        (folder / name).mkdir(parents=True)
    for part in order:
        rows = [{"text": f"part {part} row {n} {'word ' * (n % 5)}", "label": "ab"[n % 2]} for n in range(50)]
        (folder / f"raw/parts/{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        instances = [{"id": f"{part}-{n}", "input": f"in {part} {n}", "output": [f"out {n}"]} for n in range(20)]
        task = {"Definition": [f"Do {part}.", f"Please do {part}."], "Instances": instances}
        (folder / f"raw/tasks/task{part}.json").write_text(json.dumps(task))
    (folder / "params.yaml").write_text(json.dumps(DATA))


def digests(folder: Path, hash_seed: str) -> dict[str, str]:
    names = ["train", "validation", "test", "rejected"]
    command = [sys.executable, "-m", "stages.prepare", "--params", "params.yaml", "--metrics", "out/data.json"]
    command += [part for name in names for part in (f"--{name}", f"out/{name}.jsonl")]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "out").iterdir())}


def test_two_folders_with_files_made_in_another_order_under_another_hash_seed(tmp_path: Path) -> None:
    make(tmp_path / "a", [3, 1, 2])
    make(tmp_path / "elsewhere/b", [2, 3, 1])
    first, second = digests(tmp_path / "a", "1"), digests(tmp_path / "elsewhere/b", "2")
    assert first == second and len(first) == 5
