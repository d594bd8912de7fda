"""From the options of `steady measure` to prompts and to a model of this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.measure.matching import NORMALIZED, check_outputs, find_matcher
from steady.measure.prompt_files import PromptFile, read_prompt_file
from steady.measure.subject import Subject

NO_ADAPTER = "none"
CHAT = {"auto": None, "on": True, "off": False}


def prompts_of(sources: Sequence[Path], options: dict[str, Any]) -> PromptFile:
    """The prompts of the file, or those that the items are worded as; a bank says how answers are read where nobody else does.

    Raises:
        SteadyError: there is not one file, it is at fault, or no answer could equal some output.
    """
    columns = columns_of(options)
    items, wordings = options["items"], options["wordings"]
    # a bank words items, and never prompts that are written out
    if (items is None and wordings is not None) or len(sources) != (items is None) or any(map(Path.is_dir, sources)):
        raise SteadyError(
            f"give one file of prompts, or --items FILE (and --wordings BANK) in place of it; "
            f"got {', '.join(map(str, sources)) or 'none'}."
        )
    if items is None:
        file = read_prompt_file(sources[0], columns)
    else:
        from steady.measure.worded_items import bank_match, item_file

        file = item_file(items, wordings, options["per_family"], options["seed"], columns)
        options["match"] = options["match"] or bank_match(wordings)
    check_outputs(file, find_matcher(options["match"] or NORMALIZED))
    return file


def columns_of(options: Mapping[str, Any]) -> dict[str, str]:
    """What files call keys, as `--column` says it; SteadyError where one is not KEY=NAME."""
    strange = [column for column in options["columns"] if not all(column.partition("="))]
    if strange:
        raise SteadyError(f"--column {strange[0]}: expected KEY=NAME, such as prompt=question.")
    return dict(column.split("=", 1) for column in options["columns"])


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


def folder_name(name: str) -> str:
    """A subject's name as a folder's."""
    # a Hub id has a slash, an endpoint's name may have anything
    return "".join(sign if sign.isalnum() or sign in "-._" else "-" for sign in name).strip("-.")
