"""Which files of ours a module imports, transitively, read from the source: imports inside functions count too."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

PACKAGES = ("steady", "stages", "checks", "benchmarks")


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


def imported_names(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a module imports; `from a import b` gives `a` and `a.b`. Blocks for type checkers are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported_names(node)


def imported_files(root: Path, module: str) -> set[Path]:
    """The files of ours that importing `module` and calling any of its functions may import, itself included.

    A package's `__init__.py` runs too; one that holds a docstring and no code is left out, for it cannot change anything.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = module_file(root, name)
        if path is None or path in found:
            continue
        found.add(path)
        waiting += list(imported_names(ast.parse((root / path).read_text(encoding="utf-8"))))
        waiting += [name.rpartition(".")[0]] if "." in name else []
    return {path for path in found if not is_empty(root / path)}


def is_empty(path: Path) -> bool:
    """Whether a file is the `__init__.py` of a package and holds no code."""
    if path.name != "__init__.py":
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def code_dependencies(root: Path, module: str, whole: Collection[str] = ()) -> list[str]:
    """What a stage lists as its code in `dvc.yaml`: a package where all of it is imported, else its single files.

    Args:
        whole: packages that are listed as such though their modules are imported by names that stand elsewhere.
    """
    files = imported_files(root, module)
    found = set()
    for path in files:
        modules = {other.relative_to(root) for other in (root / path.parent).rglob("*.py") if not is_empty(other)}
        name = path.parent.as_posix()
        found.add(name if name not in PACKAGES and (modules <= files or name in whole) else path.as_posix())
    return sorted(found)
