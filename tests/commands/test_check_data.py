"""`python -m steady check-data` and `sources`."""

import json
from pathlib import Path

from click.testing import CliRunner

from steady.commands.check_data import main
from steady.commands.sources import main as sources
from steady.prepare import formats
from steady.prepare.converting import read_source
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Draft


def rows(path: Path, bad: int = 0) -> str:
    lines = [{"body": f"text {n}", "queue": "ab"[n % 2]} for n in range(6)] + [{"body": "", "queue": "a"}] * bad
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_a_good_file_is_described_and_shown(tmp_path: Path) -> None:
    arguments = [rows(tmp_path / "r.jsonl"), "--format", "text-label", "-o", "columns={text: body, label: queue}"]
    result = CliRunner().invoke(main, arguments, color=True)
    assert result.exit_code == 0, result.output
    table = [line.split() for line in result.output.splitlines()]
    assert ["rows", "read", "6"] in table and ["rows", "accepted", "6"] in table and ["label", "a", "3"] in table
    assert result.output.count("\x1b[34m\n") == 3 and "\x1b[32moutput: \x1b[0mb" in result.output


def test_findings_are_listed_and_the_exit_code_says_so(tmp_path: Path) -> None:
    arguments = [rows(tmp_path / "r.jsonl", bad=5), "--format", "text-label", "--findings", "2", "--samples", "0"]
    result = CliRunner().invoke(main, [*arguments, "-o", "columns={text: body, label: queue}"])
    assert result.exit_code == 1 and result.output.count(": empty_text: ") == 2
    assert "… and 3 more findings" in result.output and "Error: 5 findings." in result.output


def test_rows_of_several_labels_are_checked_with_the_labels_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"text": "x", "labels": ["a", "b"]}\n{"text": "y", "labels": []}\n')
    arguments = [str(path), "--format", "text-label", "--labels", "a,b"]
    result = CliRunner().invoke(main, [*arguments, "--multi-label"])
    table = [line.split() for line in result.output.splitlines()]
    assert result.exit_code == 0 and ["label", "a", "1"] in table and ["label", "none", "1"] in table
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "r.jsonl:1: several_labels: `labels` names 2 labels: a, b" in result.output
    assert "`labels` is null" in CliRunner().invoke(main, [*arguments[:3], "--multi-label"]).output


def test_a_wrong_setting_names_what_is_allowed(tmp_path: Path) -> None:
    path = rows(tmp_path / "r.jsonl")
    for arguments, expected in (
        ([path], "--format is missing"),
        ([path, "--format", "csv"], "Input should be 'alpaca'"),
        ([path, "--format", "text", "-o", "nonsense"], "expected KEY=VALUE"),
        ([path, "--format", "text", "-o", "colums=3"], "colums: Extra inputs are not permitted"),
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 1 and expected in result.output and "Traceback" not in result.output


def test_without_a_path_the_sources_of_params_are_checked(tmp_path: Path) -> None:
    source = {"path": rows(tmp_path / "r.jsonl"), "format": "text-label", "columns": {"text": "body", "label": "queue"}}
    sizes = {"train_rows": 4, "validation_rows": 0, "test_rows": 2}
    (tmp_path / "params.yaml").write_text(json.dumps({"data": {"sources": [source]} | sizes}))
    result = CliRunner().invoke(main, ["--params", str(tmp_path / "params.yaml")])
    assert result.exit_code == 0 and "rows accepted" in result.output


def test_every_format_is_listed_with_a_row_that_it_reads(tmp_path: Path) -> None:
    result = CliRunner().invoke(sources)
    assert result.exit_code == 0
    for name in formats.names():
        module = formats.module(name)
        assert f"{name}\n" in result.output and json.dumps(module.SAMPLE, ensure_ascii=False) in result.output
        path = tmp_path / f"{name}.{'json' if name == 'natural-instructions' else 'jsonl'}"
        path.write_text(json.dumps(module.SAMPLE))
        found = list(read_source(SourceParams(path=str(path), format=name), None))
        if name != "oasst-messages":  # its sample is an answer, whose question is another row
            assert found and all(isinstance(item, Draft) for item in found), name
