"""Ten thousand prompts against a server that fails one request in twenty, with a kill on the way (minutes on a busy machine)."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import stand_in_server

PROMPTS, CONCURRENCY = 10_000, 16


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def texts(replies: Path) -> set[str]:
    """The answers in the file, but for a line that the kill has cut short."""
    return {json.loads(line)["reply"]["text"] for line in replies.read_bytes().splitlines() if line.endswith(b"}}")}


@pytest.mark.slow
def test_nothing_is_lost_or_sent_twice_after_a_kill_and_memory_stays_flat(tmp_path):
    url, log, replies = tmp_path / "url", tmp_path / "came", tmp_path / "out" / "replies.jsonl"
    prompts = tmp_path / "prompts.jsonl"
    rows = ({"group_id": f"g{n // 4}", "prompt": f"say {n % 4} x{n}"} for n in range(PROMPTS))
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    server = subprocess.Popen([sys.executable, stand_in_server.__file__, url, log])
    try:
        while not (url.exists() and url.read_text()):
            time.sleep(0.1)
        options = ["--endpoint", url.read_text(), "--model", "m", "--repeats", "1", "--timeout", "1", "--draws", "100"]
        where = ["--concurrency", str(CONCURRENCY), "--out", tmp_path / "out"]
        command = [sys.executable, "-m", "steady", "measure", prompts, *options, *where]
        first = subprocess.Popen(command)
        while lines(replies) < PROMPTS * 0.4:
            assert first.poll() is None
            time.sleep(0.05)
        first.kill()
        first.wait()
        kept, before = texts(replies), lines(log)
        second = subprocess.Popen(command)
        process, memory = psutil.Process(second.pid), {}
        while second.poll() is None:
            if PROMPTS * 0.42 < (done := lines(replies)) < PROMPTS:  # all modules are loaded, requests are being sent
                memory[done] = process.memory_info().rss // 2**20
            time.sleep(0.2)
        assert second.returncode == 0
    finally:
        server.terminate()
        server.wait()
    came = [json.loads(line)["messages"][0]["content"].split()[-1] for line in log.read_bytes().splitlines()]
    assert len(kept) >= PROMPTS * 0.4
    assert not kept & set(came[before:])
    predictions = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [item["text"] for item in predictions] == [f"x{n}" for n in range(PROMPTS)]
    print(f"{len(came)} requests, {len(kept)} replies kept; MiB by replies: {memory}")
    assert max(memory.values()) - min(memory.values()) < 16
