"""Banks of wordings: the templates written for a task, read from YAML and checked whole."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from steady.errors import SteadyError
from steady.parameters import read_yaml
from steady.prompts.composition import Composition, composition_faults, only
from steady.prompts.yaml_faults import IDENTIFIER, SLOTS, Fault, key_faults, line_of, text_fault

KEYS = ("task", "labels", "canonical", "instruction", "input_name", "answer_name", "wordings")
WORDING_KEYS = ("id", "kind", "split", "labels", "template")
OF_EXTENSION = ("extends", "composition")
SPLITS = ("trained", "held_out")


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One wording of a bank; `labels` is its own order of the label list, where it has one."""

    id: str
    kind: str
    trained: bool
    template: str
    labels: tuple[str, ...] | None = None


class Bank(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The wordings of one task.

    `canonical` is the id of a template. `instruction` (with the slot `{labels}`) and the names of the item and of the answer
    are what the format family puts together. A bank of labels alone (`label_bank`) has no templates. Where an answer may have
    `several` labels, prompts say so wherever they list them. `several` and `composition` are not written where they are unset, so
    that files of other tasks stay as they were.
    """

    task: str = ""
    labels: tuple[str, ...] = ()
    canonical: str = ""
    instruction: str = ""
    input_name: str = ""
    answer_name: str = ""
    templates: dict[str, Template] = {}
    several: bool | msgspec.UnsetType = msgspec.UNSET
    composition: Composition | msgspec.UnsetType = msgspec.UNSET


def task_bank(path: Path | None, labels: tuple[str, ...] | None, *, multi_label: bool) -> Bank | None:
    """The bank of a task: of the file, or of its labels alone; errors as `read_bank` has them."""
    bank = read_bank(path, labels) if path else label_bank(labels)
    # Left unset for tasks of one label, whose phrasebooks then keep their bytes.
    return msgspec.structs.replace(bank, several=True) if bank is not None and multi_label else bank


def label_bank(labels: tuple[str, ...] | None) -> Bank | None:
    """The bank of a label task whose examples bring their own instructions: it names what to protect; no labels, no bank."""
    return Bank(labels=tuple(labels)) if labels else None


def with_templates(bank: Bank, ids: set[str], composed: Collection[str] = ()) -> Bank:
    """The bank with only some of its templates, in its order, and of its composition what the wordings of the ids `composed` need."""
    kept = {name: template for name, template in bank.templates.items() if name in ids}
    composition = bank.composition if composed else msgspec.UNSET
    composition = only(composition, composed) if isinstance(composition, Composition) else msgspec.UNSET
    return msgspec.structs.replace(bank, templates=kept, composition=composition)


def read_bank(path: Path, labels: Sequence[str] | None = None) -> Bank:
    """Read a bank; one that names no `labels` serves any task and takes those given.

    SteadyError where the file is missing or no YAML, there are no labels, or the bank is faulty: every fault with its line.
    """
    missing = (
        "no such bank of wordings (format.wordings). Name a file of data/raw/wordings, or null where each example brings its own "
        "instruction."
    )
    content = read_yaml(path, missing, with_lines=True)
    if not isinstance(content, dict):
        raise SteadyError(f"{path}: expected a mapping with the keys {', '.join(KEYS)}, got {type(content).__name__}.")
    # A bank that words any task takes the labels of this one, as if it had named them.
    if "labels" not in content and "extends" not in content and labels:
        content["labels"] = list(labels)
    # In the order of the lines; two checks may find the same fault.
    faults = sorted(set(_extension_faults(content) if "extends" in content else _bank_faults(content)))
    if faults:
        raise SteadyError("\n".join(f"{path}:{line}: {fault}" for line, fault in faults))
    if "extends" in content:
        composition = msgspec.convert(content["composition"], Composition)
        return msgspec.structs.replace(read_bank(path.parent / content["extends"], labels), composition=composition)
    templates = [
        Template(
            id=str(item["id"]),
            kind=str(item["kind"]),
            trained=item["split"] == "trained",
            template=str(item["template"]),
            labels=tuple(map(str, item["labels"])) if item.get("labels") else None,
        )
        for item in content["wordings"]
    ]
    return Bank(
        task=str(content["task"]),
        canonical=str(content["canonical"]),
        instruction=str(content["instruction"]),
        input_name=str(content["input_name"]),
        answer_name=str(content["answer_name"]),
        labels=tuple(map(str, content["labels"])),
        templates={template.id: template for template in templates},
    )


def _extension_faults(content: Any) -> Iterator[Fault]:
    """Faults of a bank that takes all of another one, a file beside it, and adds a composition."""
    yield from key_faults(content, OF_EXTENSION, OF_EXTENSION)
    yield from text_fault(content, "extends")
    if "composition" in content:
        yield from composition_faults(content["composition"])


def _bank_faults(content: Any) -> Iterator[Fault]:
    yield from key_faults(content, KEYS, KEYS)
    for key in ("task", "canonical", "instruction", "input_name", "answer_name"):
        yield from text_fault(content, key)
    yield from _label_faults(content)
    instruction = content.get("instruction")
    if isinstance(instruction, str) and SLOTS.findall(instruction) != ["labels"]:
        yield (
            line_of(content, "instruction"),
            f"`instruction` needs the slot {{labels}} once and no other, got {instruction!r}.",
        )
    wordings = content.get("wordings")
    if not isinstance(wordings, list) or not wordings or not all(isinstance(item, dict) for item in wordings):
        yield line_of(content, "wordings"), f"`wordings` is a list of mappings with the keys {', '.join(WORDING_KEYS)}."
        return
    for item in wordings:
        yield from _wording_faults(item, content.get("labels"))
    for key in ("id", "template"):
        seen: dict[Any, Any] = {}
        for item in wordings:
            # The same text with the labels in another order is another wording.
            value = (item.get(key), str(item.get("labels")) if key == "template" else "")
            if item.get(key) is not None and value in seen:
                first = line_of(seen[value], key)
                yield line_of(item, key), f"wording {item.get('id')!r}: the same {key} as in line {first}."
            seen.setdefault(value, item)
    canonical = content.get("canonical")
    named = [item for item in wordings if item.get("id") == canonical]
    if isinstance(canonical, str) and not named:
        ids = ", ".join(str(item.get("id")) for item in wordings)
        yield line_of(content, "canonical"), f"canonical {canonical!r} is the id of no wording. There are: {ids}."
    # Every arm is trained on the canonical wording or compared on it.
    if named and named[0].get("split") != "trained":
        yield line_of(content, "canonical"), f"canonical {canonical!r} has to be a trained wording."


def _wording_faults(item: Any, labels: Any) -> Iterator[Fault]:
    yield from key_faults(item, WORDING_KEYS, ("id", "kind", "split", "template"))
    for key in ("id", "kind", "template"):
        yield from text_fault(item, key)
    name, template, own = item.get("id"), item.get("template"), item.get("labels")
    if isinstance(name, str) and not IDENTIFIER.fullmatch(name):
        yield line_of(item, "id"), f"id {name!r}: use lower-case letters and digits, joined by single hyphens."
    if "split" in item and item["split"] not in SPLITS:
        yield line_of(item, "split"), f"wording {name!r}: split is {item['split']!r}, allowed: {', '.join(SPLITS)}."
    if isinstance(template, str):
        yield from ((line_of(item, "template"), f"wording {name!r}: {fault}") for fault in _slot_faults(template, own))
    if own is not None and (not isinstance(own, list) or sorted(map(str, own)) != sorted(map(str, labels or []))):
        yield line_of(item, "labels"), f"wording {name!r}: its labels are not the bank's in another order, got {own!r}."


def _slot_faults(template: str, own_labels: Any) -> Iterator[str]:
    slots = Counter(SLOTS.findall(template))
    if slots["input"] != 1:
        yield f"the slot {{input}} is needed once, found {slots['input']} times."
    if slots["labels"] > 1:
        yield f"the slot {{labels}} is allowed once, found {slots['labels']} times."
    if own_labels is not None and not slots["labels"]:
        yield "it orders the labels but has no slot {labels}."
    for slot in sorted(set(slots) - {"input", "labels"}):
        yield f"unknown slot {{{slot}}}. Allowed: {{input}}, {{labels}}."


def _label_faults(content: Any) -> Iterator[Fault]:
    labels = content.get("labels")
    if isinstance(labels, list) and len(labels) > 1:
        names = list(map(str, labels))
        for label in labels:
            if not isinstance(label, str) or not label.strip():
                yield line_of(content, "labels"), f"label {label!r} is no text; put it in quotes."
            if (times := names.count(str(label))) > 1:
                yield line_of(content, "labels"), f"label {str(label)!r} is named {times} times."
    elif "labels" in content:
        yield line_of(content, "labels"), f"`labels` is a list of at least two names, got {labels!r}."
