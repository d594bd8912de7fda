"""Super-NaturalInstructions: a JSON document a task, with a definition and instances; github.com/allenai/natural-instructions.

Copies differ: texts instead of lists, instances without `id`, no languages, other members and another order. All are read.
"""

from pathlib import Path
from typing import Any

from steady.prepare.context import Context, Items
from steady.prepare.converting import placed, refused, row_of, to_the_fault
from steady.prepare.duplicates import text_hash
from steady.prepare.readers.files import File, records
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Draft, Finding, LeftOut, Row, Unreadable, Values, rejection, show

SAMPLE = {
    "Definition": ["Name the capital of the country."],
    "Input_language": ["English"],
    "Output_language": ["English"],
    "Instances": [{"id": "task9999-1", "input": "Peru", "output": ["Lima"]}],
}
LANGUAGES = {
    "Arabic": "ar", "Bengali": "bn", "Bulgarian": "bg", "Chinese": "zh", "Croatian": "hr", "Czech": "cs", "Danish": "da",
    "Dutch": "nl", "English": "en", "Finnish": "fi", "French": "fr", "German": "de", "Greek": "el", "Gujarati": "gu",
    "Hebrew": "he", "Hindi": "hi", "Hungarian": "hu", "Indonesian": "id", "Italian": "it", "Japanese": "ja", "Kannada": "kn",
    "Korean": "ko", "Malay": "ms", "Malayalam": "ml", "Marathi": "mr", "Norwegian": "no", "Oriya": "or", "Panjabi": "pa",
    "Persian": "fa", "Polish": "pl", "Portuguese": "pt", "Punjabi": "pa", "Romanian": "ro", "Russian": "ru", "Spanish": "es",
    "Swahili": "sw", "Swedish": "sv", "Tamil": "ta", "Telugu": "te", "Thai": "th", "Turkish": "tr", "Ukrainian": "uk",
    "Urdu": "ur", "Vietnamese": "vi", "Yoruba": "yo",
}  # fmt: skip


def items(files: list[File], context: Context) -> Items:
    """One draft an instance, of the tasks and languages that the source asks for."""
    source = context.source.model_copy(update={"records": context.source.records or "Instances"})
    if source.tasks is not None and not Path(source.tasks).is_file():
        reason = "no such file (named in `tasks`); it holds one task name a line."
        yield Unreadable(rejection(source.tasks, 1, Finding("missing_file", reason), ""))
        return
    wanted = None if source.tasks is None else set(Path(source.tasks).read_text(encoding="utf-8").split())
    for file in files:
        if wanted is not None and _task(file) not in wanted:
            yield LeftOut(1, "task")
        else:
            yield from to_the_fault(file, _of_task(file, source))


def _of_task(file: File, source: SourceParams) -> Items:
    head: Values = {}
    # A copy may state its definition behind the instances, so a task is read before its first draft is made.
    instances = list(records(file, source, head))
    given = head.get("Definition")
    texts = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    definitions = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
    # Without an instruction no instance can be asked; what is wrong with the instances is reported too.
    if (not texts or len(definitions) < len(texts)) and instances:
        task, code = Row(head, 1), "missing_field" if given is None else "wrong_type"
        task.mismatch("Definition", given, "a text or a list of texts", code)
        yield [rejection(file.name, 1, finding, "") for finding in task.findings]
        instances = [instance for instance in instances if isinstance(instance[1], list)]
    codes = {name: _codes(head.get(f"{name}_language")) for name in ("Input", "Output", "Instruction")}
    language = next(iter(codes["Output"])) if len(codes["Output"]) == 1 else None
    languages = set.union(*codes.values()) or {""}
    unwanted = source.languages is not None and not languages <= set(source.languages)
    for place, (line, value, raw) in enumerate(instances):
        if source.instances is not None and place >= source.instances:
            yield LeftOut(line, "instances")
        elif isinstance(value, list):
            yield refused(file, line, value, raw, source)
        elif unwanted:
            yield LeftOut(line, "language" if languages != {""} else "language_unknown")
        else:
            row = row_of(value, line, source)
            draft = _draft(row, definitions, {"task": _task(file)})
            draft.language = language
            yield refused(file, line, row.findings, raw, source) if row.findings else placed(draft, file, line, source)


def _task(file: File) -> str:
    """The whole stem names a task: its number is not unique."""
    return file.path.name.split(".json")[0]


def _codes(value: Any) -> set[str]:
    """The codes of a language or a list of them; what is no text is no language."""
    names = value if isinstance(value, list) else [value]
    return {LANGUAGES.get(name, name) for name in names if isinstance(name, str)}


def _draft(row: Row, definitions: list[str], meta: Values) -> Draft:
    """The draft of an instance: all outputs are references, the first that is not blank is the target.

    A task with several definitions words its instruction in several ways: each instance takes one, chosen by its input.
    """
    value = row.values.get("output")
    outputs = [value] if isinstance(value, str) else value
    if not isinstance(outputs, list) or not all(isinstance(output, str) for output in outputs):
        code = "wrong_type" if "output" in row.values else "missing_field"
        row.mismatch("output", value, "a text or a list of texts", code)
        outputs = []
    # The same answer may be listed several times.
    elif not (outputs := list(dict.fromkeys(output.strip() for output in outputs if output.strip()))):
        row.note("empty_output", f"`output` is {show(value)}; an answer is needed to train on.")
    text = row.text("input", empty=True)
    if isinstance(row.values.get("input"), str) and not text.strip():
        row.note("blank_input", f"`input` is {text!r}; there is nothing to answer.")
    # Chosen by the text and not by the line, so that a file in another order gives the same examples.
    definition = definitions[text_hash(text) % len(definitions)] if len(definitions) > 1 else "".join(definitions)
    if isinstance(row.values.get("id"), str):
        meta = meta | {"id": row.values["id"]}
    output = outputs[0] if outputs else ""
    return Draft(instruction=definition, input=text.strip(), output=output, references=outputs, meta=meta)
