"""docs/measure.md is true: its options exist, its matchers are known, its example runs, its commands parse."""

import re
import shlex
from pathlib import Path

from steady.commands.measure import main
from steady.measure.matching import FORMS, find_matcher

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "measure.md").read_text(encoding="utf-8")


def test_its_options_exist():
    known = {option for parameter in main.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", TEXT)) <= known


def test_its_commands_parse():
    lines = re.findall(r"^python -m steady measure (.*)$", TEXT, re.MULTILINE)
    assert len(lines) > 4
    for line in lines:
        main.make_context("measure", shlex.split(line))


def test_its_matchers_are_those_there_are():
    named = re.findall(r"^\| `([a-z]+(?::[^`]*)?)`", TEXT, re.MULTILINE)
    assert [name.partition(":")[0] for name in named] == [form.partition(":")[0] for form in FORMS.split(", ")]
    for name in named:
        if not name.startswith("python"):
            find_matcher(name)


def test_its_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(example, {"my_function": lambda prompts: ["It is Lima."] * len(prompts)})
    assert "mean accuracy" in capsys.readouterr().out
    assert (tmp_path / "page.html").is_file()
