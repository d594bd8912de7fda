"""All wordings of a task, and the level at which each one tests.

The rule of the levels (`Wording.level` is the level on groups not seen in training; prompts of the train split are L0):

* a family that is not in `format.trained_families`: L2, and none of its wordings is trained on;
* a format with a held-out value of a component (a separator seen only in testing, say): L2, held out;
* another order of the labels, where only `order` is untrained but a trained template of the bank reorders them too: L1, held
  out, because reordering as such was trained on;
* everything else is L1: `trained` says whether the tuned arm may train on it. In a trained family these are held out:
  templates marked `held_out`, surface operators so marked, new combinations of trained format values, and the spelling
  mistakes and label orders of even seeds. A paraphrase that an example brings itself is trained on, with its own group.
"""

from collections.abc import Iterator

from steady.prompts.bank import Bank
from steady.prompts.families.format import Pool, draw_formats
from steady.prompts.families.spelling import OPERATORS as SPELLING
from steady.prompts.families.surface import OPERATORS as SURFACE
from steady.prompts.params import Family, FormatParams
from steady.prompts.parts import split_template
from steady.prompts.render import has_templates, order_of
from steady.records import CANONICAL, Level, Wording

CANONICAL_WORDING = Wording(
    id=CANONICAL, family=CANONICAL, operator=CANONICAL, level="L1", trained=True, rule="trained"
)
ITEM = "item"


def available_wordings(bank: Bank | None, params: FormatParams, item_paraphrases: int = 0) -> list[Wording]:
    """Every wording of a task, the canonical one first; equal arguments give equal lists.

    Args:
        item_paraphrases: the most paraphrases that one example brings (`with_paraphrases`), for data without templates.
    """
    return [
        CANONICAL_WORDING,
        *_spelling(params),
        *_format(bank, params),
        *_paraphrase(bank, params, item_paraphrases),
        *_surface(params),
        *_order(bank, params),
    ]


def _wording(
    params: FormatParams, family: Family, name: str, operator: str, *, candidate: bool, **fields: object
) -> Wording:
    """A wording with its level; `candidate` says that it is trained on if its family is."""
    unseen = fields.pop("unseen", "")
    level, trained, rule = _level(params, family, candidate=candidate, unseen=str(unseen))
    return Wording(
        id=f"{family}/{name}",
        family=family,
        operator=operator,
        level=level,
        trained=trained,
        rule=rule,
        **fields,  # type: ignore[arg-type]
    )


def _level(params: FormatParams, family: Family, *, candidate: bool, unseen: str) -> tuple[Level, bool, str]:
    if family not in params.trained_families:
        return "L2", False, f"family {family} is not trained on"
    if unseen:
        return "L2", False, f"held-out {unseen}"
    if candidate:
        return "L1", True, "trained"
    return "L1", False, "held-out wording of a trained family"


def _spelling(params: FormatParams) -> Iterator[Wording]:
    for operator in SPELLING:
        for strength in params.spelling_strengths:
            for seed in range(1, params.spelling_seeds + 1):
                name = f"{operator}-{strength}-s{seed}"
                yield _wording(
                    params, "spelling", name, operator, candidate=seed % 2 == 1, strength=strength, seed=seed
                )


def _format(bank: Bank | None, params: FormatParams) -> Iterator[Wording]:
    pools: tuple[Pool, ...] = ("trained", "unseen", "held_out")
    for pool in pools:
        for form in draw_formats(pool, params.formats, enumerable=has_templates(bank)):
            name = form.wording_id.removeprefix("format/")
            operator = "enumerated" if form.joiner else "plain"
            unseen = ", ".join(form.held_out_values)
            yield _wording(params, "format", name, operator, candidate=pool == "trained", unseen=unseen)


def _paraphrase(bank: Bank | None, params: FormatParams, item_paraphrases: int) -> Iterator[Wording]:
    if bank is None or not bank.templates:
        for number in range(1, item_paraphrases + 1):
            yield _wording(params, "paraphrase", f"{ITEM}-{number}", ITEM, candidate=True, seed=number)
        return
    for template in bank.templates.values():
        if template.id != bank.canonical:
            yield _wording(params, "paraphrase", template.id, template.kind, candidate=template.trained)


def _surface(params: FormatParams) -> Iterator[Wording]:
    for name, operator in SURFACE.items():
        yield _wording(params, "surface", name, name, candidate=operator.trained)


def _order(bank: Bank | None, params: FormatParams) -> Iterator[Wording]:
    """As many different orders as are asked for, or as there are among the first seeds, which for few labels is all."""
    if bank is None or not bank.templates or not _lists_labels(bank):
        return
    seen = {bank.templates[bank.canonical].labels or bank.labels}
    for seed in range(1, 20 * params.orders):
        order = order_of(bank.labels, seed)
        if order not in seen and len(seen) <= params.orders:
            seen.add(order)
            wording = _wording(params, "order", f"s{seed}", "permute", candidate=seed % 2 == 1, seed=seed)
            yield _reordering_is_known(wording, bank, params)


def _lists_labels(bank: Bank) -> bool:
    return any(part.kind == "labels" for part in split_template(bank.templates[bank.canonical].template))


def _reordering_is_known(wording: Wording, bank: Bank, params: FormatParams) -> Wording:
    reordered = any(template.labels and template.trained for template in bank.templates.values())
    if wording.level == "L1" or "paraphrase" not in params.trained_families or not reordered:
        return wording
    return Wording(
        id=wording.id,
        family=wording.family,
        operator=wording.operator,
        seed=wording.seed,
        level="L1",
        rule="family order is not trained on, but trained templates reorder the labels",
    )
