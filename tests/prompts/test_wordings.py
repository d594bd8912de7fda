from collections import Counter
from collections.abc import Callable

import pytest

from steady.prompts import families
from steady.prompts.bank import Bank, label_bank, with_templates
from steady.prompts.levels import available_wordings
from steady.prompts.params import FormatParams
from steady.records import Wording

Params = Callable[..., FormatParams]
FAMILIES = tuple(name for name in families.names() if name != "composed")  # of a bank without a composition


def placed(wordings: list[Wording], family: str) -> Counter[tuple[str, bool]]:
    return Counter((wording.level, wording.trained) for wording in wordings if wording.family == family)


def test_ids_are_unique_and_lists_repeat(bank: Bank, format_params: Params) -> None:
    wordings = available_wordings(bank, format_params())
    assert len({wording.id for wording in wordings}) == len(wordings)
    assert wordings == available_wordings(bank, format_params())
    assert wordings[0].id == "canonical"
    assert {wording.family for wording in wordings} == {"canonical", *FAMILIES}
    assert all(wording.id.startswith(f"{wording.family}/") for wording in wordings[1:])


def test_levels_follow_the_written_rule(bank: Bank, format_params: Params) -> None:
    wordings = available_wordings(bank, format_params())
    assert placed(wordings, "spelling") == {("L2", False): 5 * 4 * 2}
    assert placed(wordings, "format") == {("L1", True): 24, ("L1", False): 24, ("L2", False): 24}
    assert placed(wordings, "paraphrase") == {("L1", True): 3, ("L1", False): 3}
    assert set(placed(wordings, "surface")) == {("L1", True), ("L1", False)}
    by_id = {wording.id: wording for wording in wordings}
    assert by_id["spelling/mixed-4-s1"].rule == "family spelling is not trained on"
    assert by_id["paraphrase/ask"].rule == "trained"
    assert by_id["paraphrase/vet"].rule == "held-out wording of a trained family"
    unseen = [wording.rule for wording in wordings if wording.family == "format" and wording.level == "L2"]
    assert all(rule.startswith("held-out ") and "separator " in rule and "space " in rule for rule in unseen)


@pytest.mark.parametrize("held_out", FAMILIES)
def test_leaving_a_family_out_makes_all_of_it_l2_and_nothing_of_it_trained(
    bank: Bank, format_params: Params, held_out: str
) -> None:
    params = format_params(trained_families=[family for family in FAMILIES if family != held_out])
    wordings = available_wordings(bank, params)
    levels = {"L1"} if held_out == "order" else {"L2"}
    assert {level for level, _ in placed(wordings, held_out)} == levels
    assert not any(wording.trained for wording in wordings if wording.family == held_out)
    for family in set(FAMILIES) - {held_out}:
        assert ("L1", True) in placed(wordings, family)
        assert ("L1", False) in placed(wordings, family)


def test_orders_are_l2_only_while_no_trained_template_reorders_the_labels(bank: Bank, format_params: Params) -> None:
    assert placed(available_wordings(bank, format_params()), "order") == {("L1", False): 4}
    orderly = with_templates(bank, {"plain", "ask", "vet"})
    assert placed(available_wordings(orderly, format_params()), "order") == {("L2", False): 4}
    untrained = format_params(trained_families=["surface"])
    assert placed(available_wordings(bank, untrained), "order") == {("L2", False): 4}


def test_three_labels_have_five_other_orders(bank: Bank, format_params: Params) -> None:
    assert sum(placed(available_wordings(bank, format_params(orders=16)), "order").values()) == 5


def test_trained_wordings_do_not_depend_on_held_out_ones(bank: Bank, format_params: Params) -> None:
    without = with_templates(bank, {name for name, template in bank.templates.items() if template.trained})
    trained = [[w for w in available_wordings(b, format_params()) if w.trained] for b in (bank, without)]
    assert trained[0] == trained[1]


def test_without_a_bank_paraphrases_are_those_of_the_examples_and_nothing_lists_labels(format_params: Params) -> None:
    wordings = available_wordings(label_bank(("a", "b")), format_params(), item_paraphrases=2)
    assert [w.id for w in wordings if w.family == "paraphrase"] == ["paraphrase/item-1", "paraphrase/item-2"]
    assert not [w for w in wordings if w.family == "order" or w.operator == "enumerated"]
    assert available_wordings(None, format_params(), 2) == wordings
