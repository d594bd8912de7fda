"""From the options of `steady measure` to prompts and to a model of this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.measure.matching import NORMALIZED, check_outputs, find_matcher
from steady.measure.prompt_files import PromptFile, read_prompt_file
from steady.measure.runs import RUN
from steady.measure.subject import Subject

NO_ADAPTER = "none"
CHAT = {"auto": None, "on": True, "off": False}


def prompts_of(sources: Sequence[Path], options: dict[str, Any]) -> PromptFile:
    """The prompts of the file, or those that the items are worded as; a bank says how answers are read where nobody else does.

    SteadyError where there is not one file, it is at fault, or no answer could equal some output.
    """
    columns, settings = file_options(options)
    items, wordings = options["items"], options["wordings"]
    runs = [one for one in sources if (one / RUN).is_file()]
    # a bank words items, and never prompts that are written out
    if (items is None and wordings is not None) or len(sources) != (items is None) or runs:
        raise SteadyError(
            "give one file, folder or data set of prompts, or --items FILE (and --wordings BANK) in place of it; "
            f"got {', '.join(f'{one} (a run)' if one in runs else str(one) for one in sources) or 'none'}."
        )
    if items is None:
        file = read_prompt_file(sources[0], columns, settings)
    else:
        from steady.measure.worded_items import bank_match, item_file

        file = item_file(items, wordings, options["per_family"], options["seed"], columns, settings)
        options["match"] = options["match"] or bank_match(wordings)
    check_outputs(file, find_matcher(options["match"] or NORMALIZED))
    return file


def file_options(options: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What files call keys (`--column`), and how they are read (`--source`); SteadyError where one is not KEY=VALUE."""
    columns = _pairs("--column", options["columns"], "KEY=NAME, such as prompt=question")
    return columns, _pairs("--source", options["settings"], "KEY=VALUE, such as encoding=latin-1")


def _pairs(option: str, given: Sequence[str], expected: str) -> dict[str, str]:
    if strange := [text for text in given if not all(text.partition("="))]:
        raise SteadyError(f"{option} {strange[0]}: expected {expected}.")
    return dict(text.split("=", 1) for text in given)


def local_subject(model: str, adapter: str, options: Mapping[str, Any]) -> Subject:
    """A model of this machine, loaded, with an adapter or `none`."""
    from steady.inference.named import Named, prepare
    from steady.measure.local import Limits, local_model

    prepare(options["threads"])
    own = ("revision", "dtype", "device", "system", "gguf_file", "thinking", "stop", "same_base")
    place = {name: options[name] for name in own}
    limits = {name: options[name] for name in ("max_new_tokens", "batch_tokens", "max_pairs", "seed")}
    chat = CHAT.get(options["chat"], options["chat"])
    named = Named(model, adapter=None if adapter == NO_ADAPTER else Path(adapter), chat_template=chat, **place)
    return local_model(named, Limits(**limits))


def subject_folders(out: Path, names: Sequence[str]) -> list[Path]:
    """A folder for each subject: `out` for one alone, otherwise one in it that is called as the subject is."""
    # a Hub id has a slash, an endpoint's name may have anything
    called = ["".join(sign if sign.isalnum() or sign in "-._" else "-" for sign in name).strip("-.") for name in names]
    # names that are equal as folders are told apart by their place, which the same command gives again
    folders = [name if called.count(name) == 1 else f"{name}-{place}" for place, name in enumerate(called, start=1)]
    return [out] if len(names) == 1 else [out / name for name in folders]
