"""Which files of ours a module imports, transitively, read from the source: imports inside functions count too."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("steady", "stages", "checks", "benchmarks")
# The lock of a stage, what starts its processes and its shared options cannot change what it computes, so they are no
# dependency, as `runtime` is none of the parameters.
UNTRACKED = ("stages/process.py", "stages/options.py", "steady/launchers.py")


def module_file(root: Path, module: str) -> Path | None:
    """The file of a dotted module of ours, relative to `root`; None where it is none."""
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return None
    path = Path(*parts)
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if (root / candidate).is_file():
            return candidate
    return None


def imported_names(tree: ast.AST, *, typing: bool = False) -> Iterator[str]:
    """The dotted names that a module imports; `from a import b` gives `a` and `a.b`. Blocks for type checkers count if `typing`."""
    for node in ast.iter_child_nodes(tree):
        if not typing and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported_names(node, typing=typing)


def imported_files(root: Path, module: str) -> set[Path]:
    """The files of ours that importing `module` and calling any of its functions may import, itself included.

    A package's `__init__.py` runs too; one that holds a docstring and no code is left out, for it cannot change anything.
    A package that lists its own modules (`iter_modules(__path__)`) imports them by names that stand in `params.yaml`: all count.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = module_file(root, name)
        if path is None or path in found:
            continue
        found.add(path)
        text = (root / path).read_text(encoding="utf-8")
        waiting += list(imported_names(ast.parse(text)))
        waiting += [name.rpartition(".")[0]] if "." in name else []
        if "iter_modules(__path__)" in text:
            waiting += [f"{name}.{other.stem}" for other in (root / path).parent.glob("*.py")]
    return {path for path in found if not is_empty(root / path)}


def is_empty(path: Path) -> bool:
    """Whether a file is the `__init__.py` of a package and holds no code."""
    if path.name != "__init__.py":
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def code_dependencies(root: Path, module: str) -> list[str]:
    """What a stage lists as its code in `dvc.yaml`: the packages of which it imports something, and single files beside them."""
    return sorted({unit(path) for path in imported_files(root, module)} - set(UNTRACKED))


def unit(path: Path) -> str:
    """The package directly below `steady` to which a file belongs; the file itself where it lies in none."""
    return "/".join(path.parts[:2])
