"""The limits of section `data`, set as `dvc exp run -S` sets them: composed by DVC, then read by the stage."""

from collections import Counter
from pathlib import Path

import pytest
from dvc.utils.hydra import compose_and_dump
from minilm_params import minilm_text

from steady.errors import SteadyError
from steady.parameters import read_params
from steady.prepare.params import PrepareParams
from steady.prepare.prepare import Outputs, prepare
from steady.records import Example, read_records

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = "data.sources=[{path: data/raw/variants.jsonl, format: instruction-output-group}]"
SHARES = ("data.train_rows=0.5", "data.validation_rows=0.1", "data.test_rows=0.4", "data.labels=null")


def prepared(folder: Path, *overrides: str) -> list[Example]:
    """What the stage makes of params.yaml with some keys set."""
    (folder / "params.yaml").write_text(minilm_text())
    compose_and_dump(str(folder / "params.yaml"), str(folder), None, "params", str(folder), list(overrides))
    data = read_params(folder / "params.yaml", PrepareParams).data
    paths = {name: folder / f"{name}.jsonl" for name in ("train", "validation", "test")}
    prepare(data, data.seed, Outputs(paths, folder / "rejected.jsonl", folder / "data.json"))  # type: ignore[arg-type]
    return [example for path in paths.values() for example in read_records(path, Example)]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_number_of_groups_is_drawn_whole(tmp_path: Path) -> None:
    examples = prepared(tmp_path, VARIANTS, *SHARES, "data.max_groups=50", "data.near_duplicate_threshold=null")
    sizes = Counter(example.group_id for example in examples)
    everything = Counter(
        example.group_id for example in prepared(tmp_path, VARIANTS, *SHARES, "data.near_duplicate_threshold=null")
    )
    assert len(sizes) == 50 < len(everything) and all(sizes[name] == everything[name] for name in sizes)


def test_a_number_of_rows_is_drawn(tmp_path: Path) -> None:
    assert len(prepared(tmp_path, VARIANTS, *SHARES, "data.max_rows=120")) == 120


def test_fewer_rows_than_the_splits_ask_for_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(
        SteadyError, match=r"data.train_rows: 500, .* need 1000 rows, .* there are 50 without .*left-out"
    ):
        prepared(tmp_path, "data.max_groups=50")


def test_several_labels_need_their_names_and_names_that_can_be_joined(tmp_path: Path) -> None:
    for labels, expected in (
        ("data.labels=null", "`labels` is null; with `multi_label: true` it names all labels"),
        ("data.labels=[a, 'b, c']", "no label has a comma or is called so, got 'b, c'"),
        ("data.labels=[a, none]", "got 'none'; rename it"),
    ):
        with pytest.raises(SteadyError) as caught:
            prepared(tmp_path, "data.multi_label=true", labels)
        assert expected in str(caught.value)


def test_one_label_a_row_is_fine_where_several_are_allowed(tmp_path: Path) -> None:
    one = prepared(tmp_path)
    several = prepared(tmp_path, "data.multi_label=true")
    assert {example.id for example in one} == {example.id for example in several} and len(several) == 1000
    by_split = [Counter((e.split, e.output) for e in examples) for examples in (one, several)]
    assert by_split[0] == by_split[1]
