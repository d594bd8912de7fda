"""How metric files are rounded, laid out and read."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steady.errors import SteadyError
from steady.metrics.files import laid_out, read_metrics, rounded, write_metrics
from steady.metrics.resampling import Estimate
from steady.metrics.results import EvaluateResults, SplitQuality

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=40,
)


def test_values_have_six_decimals_and_what_is_not_finite_is_null():
    found = rounded({"a": 1 / 3, "b": np.float64(-1e-9), "c": [math.nan, math.inf], "d": np.int64(3), "e": np.True_})
    assert found == {"a": 0.333333, "b": 0.0, "c": [None, None], "d": 3, "e": True}
    assert str(found["b"]) == "0.0"
    assert type(found["d"]) is int


def test_p_values_keep_three_digits_so_that_none_is_zero():
    found = rounded({"p": 1.23456e-12, "p_holm": 0.0001234, "other": 1.2e-12, "deeper": {"p": {"accuracy": 4.5678e-9}}})
    assert found == {"p": 1.23e-12, "p_holm": 0.000123, "other": 0.0, "deeper": {"p": {"accuracy": 4.57e-9}}}


def test_a_measure_is_one_line():
    text = laid_out({"measures": {"accuracy": {"value": 0.5, "interval": [0.4, 0.6]}}, "long": ["x" * 100] * 3})
    assert '  "measures": {"accuracy": {"value": 0.5, "interval": [0.4, 0.6]}},' in text.splitlines()
    assert len(text.splitlines()) == 8


@given(JSON)
def test_the_layout_is_json(value):
    assert json.loads(laid_out(value)) == value


def test_what_is_written_is_read(tmp_path):
    write_metrics(tmp_path / "deep" / "metrics.json", {"accuracy": np.float64(0.1234567), "nothing": math.nan})
    assert read_metrics(tmp_path / "deep" / "metrics.json", dict) == {"accuracy": 0.123457, "nothing": None}
    assert (tmp_path / "deep" / "metrics.json").read_bytes().endswith(b"}\n")


def test_a_missing_or_damaged_file_is_named(tmp_path):
    path = tmp_path / "evaluate.json"
    with pytest.raises(SteadyError, match=r"evaluate\.json: no such file.*dvc repro"):
        read_metrics(path, dict)
    path.write_text("{")
    with pytest.raises(SteadyError, match="not JSON"):
        read_metrics(path, dict)
    path.write_text("[]")
    with pytest.raises(SteadyError, match="not the metrics of this version: Expected `object`, got `array`"):
        read_metrics(path, dict)


def test_the_measures_of_a_split_stand_beside_its_counts_and_are_read_again(tmp_path):
    found = EvaluateResults(
        test=SplitQuality(measures={"accuracy": Estimate(0.5, None)}, rows=4, groups=4, not_finite=0, per_class={}),
        validation=SplitQuality(measures={}, rows=0, groups=0, not_finite=0, per_class={}),
        references={},
        labels=[],
        temperature=None,
        trainable_percent=1.5,
    )
    path = tmp_path / "evaluate.json"
    write_metrics(path, found)
    assert read_metrics(path, dict)["test"]["accuracy"] == {"value": 0.5, "interval": None}
    assert read_metrics(path, EvaluateResults) == found
    path.write_text("{}")
    with pytest.raises(SteadyError, match="no key 'test'"):
        read_metrics(path, EvaluateResults)
