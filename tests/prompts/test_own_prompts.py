"""Files of the user's own prompts: text and JSON Lines; what is wrong is said in one message."""

import pytest

from steady.errors import SteadyError
from steady.prompts.own_prompts import FOLDER, read_own_prompts


def test_no_file_is_no_prompts():
    assert read_own_prompts(None) == []


def test_a_line_of_text_is_a_prompt_and_so_is_a_row(tmp_path):
    (tmp_path / "a.txt").write_text("One?\n\n  \nOne?\nTwo?\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"prompt": "One?"}\n{"prompt": "Line\\nbreak"}\n', encoding="utf-8")
    text, rows = (read_own_prompts(f"{FOLDER}/{name}", tmp_path) for name in ("a.txt", "b.jsonl"))
    assert [one.prompt for one in text] == ["One?", "One?", "Two?"]
    assert [one.prompt for one in rows] == ["One?", "Line\nbreak"]
    assert len({one.id for one in text}) == 3 and text[0].id == rows[0].id


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("elsewhere/a.txt", None, "lie in data/raw/prompts"),
        (f"{FOLDER}/../a.txt", None, "lie in data/raw/prompts"),
        (f"{FOLDER}/a.csv", None, "end in .txt or .jsonl"),
        (f"{FOLDER}/a.txt", None, "no such file"),
        (f"{FOLDER}/a.txt", b" \n", "no prompts"),
        (f"{FOLDER}/a.txt", b"\xff\n", "not UTF-8"),
        (f"{FOLDER}/a.jsonl", b'{"prompt": "x"}\n{"text": "y"}\n', r"a\.jsonl:2: expected"),
        (f"{FOLDER}/a.jsonl", b"{\n", r"a\.jsonl:1: expected"),
    ],
)
def test_a_fault_is_one_clear_message(tmp_path, path, content, message):
    if content is not None:
        (tmp_path / path.rpartition("/")[2]).write_bytes(content)
    with pytest.raises(SteadyError, match=message):
        read_own_prompts(path, tmp_path)
