from collections.abc import Callable
from pathlib import Path

import pytest

from steady.errors import SteadyError
from steady.prompts.bank import Bank
from steady.prompts.levels import CANONICAL_WORDING, available_wordings
from steady.prompts.params import FormatParams
from steady.prompts.phrasebook import phrasebook, read_phrasebook, write_phrasebook
from steady.prompts.render import render
from steady.records import Example


def test_a_book_read_back_renders_what_the_bank_renders(
    bank: Bank, format_params: Callable[..., FormatParams], example: Callable[..., Example], tmp_path: Path
) -> None:
    trained = [wording for wording in available_wordings(bank, format_params()) if wording.trained]
    write_phrasebook(tmp_path / "book.json", phrasebook(trained, bank))
    book = read_phrasebook(tmp_path / "book.json")
    shown = example("It barked twice.")
    assert [book.prompt(shown, wording.id) for wording in trained] == [
        render(shown, wording, bank) for wording in trained
    ]


def test_a_book_has_no_template_that_its_wordings_do_not_name(bank: Bank) -> None:
    book = phrasebook([CANONICAL_WORDING], bank)
    assert book.bank is not None and list(book.bank.templates) == ["plain"]
    assert phrasebook([CANONICAL_WORDING], None).bank is None


def test_a_wording_that_is_not_in_the_book_is_named(bank: Bank, example: Callable[..., Example]) -> None:
    with pytest.raises(SteadyError, match="wording 'paraphrase/ask' is not in this phrasebook, which has 1 wordings"):
        phrasebook([CANONICAL_WORDING], bank).prompt(example(), "paraphrase/ask")


@pytest.mark.parametrize("content", ["{}", '{"bank": null, "wordings": {"a": 1}}', "no json"])
def test_what_is_no_phrasebook_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "book.json").write_text(content)
    with pytest.raises(SteadyError, match=r"book\.json: not a phrasebook"):
        read_phrasebook(tmp_path / "book.json")
    with pytest.raises(SteadyError, match=r"other\.json: no such file"):
        read_phrasebook(tmp_path / "other.json")
