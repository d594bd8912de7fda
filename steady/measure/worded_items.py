"""A file of items, worded by a bank and by the families of rewordings, so that nobody writes variants by hand."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.format.draw import balanced_choice
from steady.measure.prompt_files import PromptFile, collect, file_rows, renamed
from steady.measure.prompt_rows import Draft, Faulty, checked_object, got, is_output
from steady.prompts import families
from steady.prompts.bank import Bank, read_bank
from steady.prompts.levels import available_wordings
from steady.prompts.params import FormatParams
from steady.prompts.render import applies, render
from steady.records import Example, Wording, content_id

TEXTS = ("input", "text", "question", "prompt")
OUTPUTS = ("output", "label", "answer", "completion")
SAMPLE = '{"input": "My parcel never came.", "output": "shipping"}'


def item_file(
    items: Path,
    bank_path: Path | None,
    per_family: int,
    seed: int,
    columns: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
) -> PromptFile:
    """Every item under the canonical wording and under `per_family` wordings of each family, the same for all items.

    A row of `items` has an `instruction`, or an `input` (`text`, `question`, `prompt`), or both; a line of a `.txt` file is one
    instruction. Wordings that do not apply to an item, or that read like one it has already, are left out for it.

    Args:
        bank_path: the templates of the task; None where the items bring their own instructions.
        columns: as of `read_prompt_file`, whose errors these are too; so `settings`.
    """
    bank = None if bank_path is None else read_bank(bank_path)
    wordings = chosen_wordings(bank, per_family, seed)
    return collect(
        items, _rows(items, settings or {}), lambda row: _drafts(_example(renamed(row, columns)), bank, wordings)
    )


def bank_match(bank_path: Path | None) -> str | None:
    """The `--match` of a bank's task: its labels; None without a bank."""
    return None if bank_path is None else f"label:{','.join(read_bank(bank_path).labels)}"


def chosen_wordings(bank: Bank | None, per_family: int, seed: int) -> list[Wording]:
    """The canonical wording and some of each family, spread evenly over operators and strengths."""
    # every family is asked for as a trained one: levels say what training saw, and here there is none
    names = families.names()
    params = FormatParams(
        wordings=None,
        max_length=8,
        trained_families=names,
        wordings_per_example=1,
        canonical_every=2,
        validation_wordings=0,
        spelling_strengths=(1, 2, 4),
        spelling_seeds=2,
        formats=per_family,
        orders=max(2, per_family),
        seed=seed,
    )
    # the canonical wording always comes first
    canonical, *everything = available_wordings(bank, params)
    by_family = {name: [wording for wording in everything if wording.family == name] for name in names}
    chosen = [balanced_choice(members, per_family, f"{seed}:measure:{name}") for name, members in by_family.items()]
    return [canonical, *(wording for members in chosen for wording in members)]


def _rows(path: Path, settings: Mapping[str, str]) -> Iterator[tuple[int, Any]]:
    if path.suffix != ".txt":
        yield from file_rows(path, SAMPLE, settings)
        return
    try:
        text = path.read_text(encoding=settings.get("encoding", "utf-8-sig"))
    except OSError as error:
        raise SteadyError(f"{path}: no such file. Each row is one item, such as {SAMPLE}") from error
    except UnicodeDecodeError as error:
        raise SteadyError(f"{path}: not UTF-8: {error}. Save it as UTF-8.") from error
    yield from ((n, {"instruction": line}) for n, line in enumerate(text.split("\n"), start=1) if line.strip())


def _drafts(example: Example, bank: Bank | None, wordings: Sequence[Wording]) -> list[Draft]:
    drafts: dict[str, Draft] = {}
    for wording in wordings:
        if applies(example, wording, bank):
            text = render(example, wording, bank)
            # by text: two wordings that read the same would agree without a test
            drafts.setdefault(text, Draft(example.group_id, text, (), tuple(example.references), wording.id))
    return list(drafts.values())


def _example(value: Any) -> Example:
    """A row as an item; Faulty where it has nothing to word, or a field is no text."""
    checked_object(value, SAMPLE)
    item = next((value[key] for key in TEXTS if value.get(key)), "")
    instruction = value.get("instruction") or ""
    found: Any = next((value[key] for key in OUTPUTS if value.get(key) not in (None, "")), [])
    outputs = found if isinstance(found, list) else [found]
    strange = [one for one in (item, instruction) if not isinstance(one, str)]
    strange += [one for one in outputs if not is_output(one)]
    if strange:
        raise Faulty([f"wrong_type: {got(one)}; it must be a text." for one in strange])
    if not f"{item}{instruction}".strip():
        raise Faulty([f"missing: `input` (or `text`, `question`, `instruction`): nothing to word; expected {SAMPLE}"])
    given = next((value[key] for key in ("group_id", "id") if value.get(key) not in (None, "")), None)
    # by content, so that more items change no id of these
    name = content_id("item", instruction, item) if given is None else str(given)
    references = [str(one) for one in outputs]
    output = "".join(references[:1])
    return Example(id=name, group_id=name, instruction=instruction, input=item, output=output, references=references)
