"""The metric files as tables."""

import pytest
from click.testing import CliRunner

from stages.compare import main as compare
from steady.commands.table import main as table
from steady.metrics.resampling import Estimate
from steady.report import tables


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.9154, ".915"),
        (1.0, "1.000"),
        (-0.25, "-.250"),
        (0.0, ".000"),
        (None, "–"),
        (12.34, "12.340"),
        (0.9996, "1.000"),
    ],
)
def test_numbers_have_three_decimals_and_no_leading_zero(value, expected):
    assert tables.number(value) == expected


def test_estimates_and_p_values():
    assert tables.estimated(Estimate(0.5, [0.4, 0.6])) == ".500 [.400 .600]"
    assert tables.estimated(Estimate(0.5, None), signed=True) == "+.500"
    assert tables.estimated(Estimate(None, None)) == "–"
    assert tables.estimated(None) == "–"
    assert (tables.p_value(None), tables.p_value(0.04321), tables.p_value(1e-9)) == ("–", "0.043", "1e-09")
    assert (tables.percent(1.234), tables.percent(None)) == ("1.23 %", "–")


def test_columns_are_aligned_and_markdown_has_as_many_cells():
    small = tables.Table("Title", ["arm", "x"], [["baseline", ".5"], ["b", "1.000"]])
    assert tables.as_text(small).splitlines() == [
        "Title",
        "",
        "arm       x",
        "--------  -----",
        "baseline  .5",
        "b         1.000",
    ]
    assert tables.as_markdown(small).splitlines()[2:] == [
        "| arm | x |",
        "| --- | --- |",
        "| baseline | .5 |",
        "| b | 1.000 |",
    ]


@pytest.fixture
def compared(make_run, tmp_path):
    run = make_run()
    (tmp_path / "params.yaml").write_text(
        "seed: 0\narms: {baseline: 1, control: 1, tuned: 1}\ncompare: {alpha: 0.05, permutations: 100, bootstrap_draws: 100}\n"
    )
    metrics = run / "metrics"
    options = {
        "params": tmp_path / "params.yaml",
        "metrics": metrics / "arms",
        "reports": run / "reports/arms",
        "prompts": run / "formatted",
        "out": metrics / "comparison.json",
        "headline": metrics / "headline.json",
    }
    assert CliRunner().invoke(compare, [f"--{name}={path}" for name, path in options.items()]).exit_code == 0
    return metrics


def test_the_command_prints_claims_quality_sensitivity_and_differences(compared):
    shown = CliRunner().invoke(table, ["--metrics", str(compared)])
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    for title in ("Claims", "Task quality, test split", "Sensitivity to the wording"):
        assert title in lines
    assert any(line.startswith("better-at-the-task") and "supported" in line for line in lines)
    assert any(line.startswith("control") and ".750 [" in line for line in lines)
    assert any(line.startswith("L2, spelling") and "tuned" in line and "1.000 [1.000 1.000]" in line for line in lines)
    assert any(line.startswith("test split") and "baseline → tuned" in line for line in lines)
    assert max(map(len, lines)) <= 130


def test_markdown_on_request(compared):
    shown = CliRunner().invoke(table, ["--metrics", str(compared), "--md"])
    assert "### Claims" in shown.output
    assert "| level, family | arm | mean accuracy |" in shown.output


def test_without_a_comparison_the_message_says_what_to_run(tmp_path):
    shown = CliRunner().invoke(table, ["--metrics", str(tmp_path)])
    assert shown.exit_code == 1
    assert "comparison.json: no such file. Run `dvc repro`" in shown.output
