"""House rules of the code: lengths, names, where click and remote code may be."""

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

from checks.findings import Finding

LONGEST_FUNCTION = 60  # lines, signature and docstring included
MEDIAN_FUNCTION = 15
LONGEST_STAGE = 60
LONGEST_TEST_FILE = 350  # tests of one module stay together
LONGEST_FILE = 300
MOST_PARAMETERS = 6
MOST_LOOSE_FILES = 8
BAD_NAMES = frozenset({"utils", "util", "common", "helpers", "helper", "misc", "core"})
CLICK_PLACES = ("stages/", "steady/commands/", "steady/__main__.py", "steady/errors.py")


class Function(NamedTuple):
    """A function and how many lines it has."""

    name: str
    line: int
    lines: int


@lru_cache(maxsize=1)  # every rule is held to one file after the other
def parsed(text: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(text)


def functions(tree: ast.AST) -> list[Function]:
    """Every function of a module, methods and inner ones too."""
    return [
        Function(node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def check_lengths(path: str, text: str) -> Iterator[Finding]:
    """Findings for a file, a stage script or a function that is too long."""
    lines = len(text.splitlines())
    is_stage = path.startswith("stages/") and path != "stages/process.py"
    longest = LONGEST_TEST_FILE if path.startswith("tests/") else LONGEST_FILE
    allowed = LONGEST_STAGE if is_stage else longest
    if lines > allowed:
        yield Finding(path, 0, "file-length", f"{lines} lines, allowed {allowed}")
    for function in functions(parsed(text)):
        if function.lines > LONGEST_FUNCTION:
            reason = f"{function.name} has {function.lines} lines, allowed {LONGEST_FUNCTION}"
            yield Finding(path, function.line, "function-length", reason)


def check_parameters(path: str, text: str) -> Iterator[Finding]:
    """Findings for functions of the library with too many parameters; a command of click has as many as it has options."""
    if not path.startswith(("steady/", "stages/")):
        return
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > MOST_PARAMETERS and not any("click" in ast.unparse(item) for item in node.decorator_list):
                reason = f"{node.name} has {count}, allowed {MOST_PARAMETERS}; make a type of those that go together"
                yield Finding(path, node.lineno, "parameters", reason)


def check_loose_files(names: Sequence[str]) -> Iterator[Finding]:
    """Findings where more files than the ground that every package stands on lie beside the packages of `steady`."""
    loose = [name for name in names if Path(name).parent == Path("steady")]
    if len(loose) > MOST_LOOSE_FILES:
        reason = f"{len(loose)} files, allowed {MOST_LOOSE_FILES}: {', '.join(sorted(loose))}; put them in a package"
        yield Finding("steady", 0, "loose-files", reason)


def median_length(texts: Sequence[str]) -> float:
    """The median length of the functions of all files, in lines; 0 where there is none."""
    lengths = [function.lines for text in texts for function in functions(parsed(text))]
    return median(lengths) if lengths else 0.0


def check_names(path: str) -> Iterator[Finding]:
    """Findings for files and folders whose name says nothing."""
    for part in Path(path).with_suffix("").parts:
        if part.lower() in BAD_NAMES:
            yield Finding(path, 0, "name", f"`{part}` says nothing; name what is in it")


def check_click(path: str, text: str) -> Iterator[Finding]:
    """Findings for click in the library."""
    if path.startswith("steady/") and not path.startswith(CLICK_PLACES):
        for node in ast.walk(parsed(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if "click" in names:
                yield Finding(path, node.lineno, "click", "click belongs to stages/ and steady/commands/")  # type: ignore[attr-defined]


def check_remote_code(path: str, text: str) -> Iterator[Finding]:
    """Findings where a model or tokenizer could run code from the Hub.

    Every `Auto….from_pretrained` passes `trust_remote_code=False` itself or through `**settings`, and nothing passes
    another value.
    """
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Call):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if _is_auto_load(node) and "trust_remote_code" not in given and None not in given:
                yield Finding(path, node.lineno, "remote-code", "pass trust_remote_code=False")
            if "trust_remote_code" in given and not _is_false(given["trust_remote_code"]):
                yield Finding(path, node.lineno, "remote-code", "trust_remote_code is not False")
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "trust_remote_code" and not _is_false(value):
                    yield Finding(path, node.lineno, "remote-code", "trust_remote_code is not False")


def _is_auto_load(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "from_pretrained"
        and isinstance(function.value, ast.Name)
        and function.value.id.startswith("Auto")
    )


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
