import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SONNETS = '''"""`{"title": …, "lines": …}`."""
from steady.prepare.readers.rows import Draft

SAMPLE = {"title": "Rain", "lines": "It rains."}


def drafts(row, context):
    yield Draft(instruction=row.text("title"), output=row.answer("lines"))
'''
RUN = """
import sys
from steady.prepare import formats
formats.__path__.append(sys.argv.pop(1))
from steady.commands.check_data import main
main()
"""


def test_a_format_is_one_new_file(tmp_path: Path) -> None:
    (tmp_path / "my_sonnets.py").write_text(SONNETS)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"title": "Rain", "lines": "It rains."}) + "\n" + json.dumps({"title": "Sun"}) + "\n")
    command = [sys.executable, "-c", RUN, str(tmp_path), str(rows), "--format", "my-sonnets"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "instruction: Rain" in done.stdout, done.stderr
    assert f"{rows}:2: missing_field: there is no `lines`" in done.stdout
