"""Imports point downwards: no circles, no stage package imports another, and nothing imports what lies above it."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from checks.findings import Finding
from checks.imports import imported_names

SHARED = ("prompts", "models", "inference", "scoring", "metrics")
STAGES = ("prepare", "format", "finetune", "evaluate", "sensitivity", "compare", "report")
LAYERS = ("the ground", "shared packages", "stage packages", "what lies above the stages")
Graph = dict[str, set[str]]


def import_graph(sources: Mapping[str, str]) -> Graph:
    """The modules of `steady` that each of its modules imports, anywhere in it; an `__init__.py` is left out on either side."""
    modules = {name.removesuffix(".py").replace("/", "."): text for name, text in sources.items()}
    known = {name for name in modules if name.startswith("steady.") and not name.endswith(".__init__")}
    return {name: known & set(imported_names(ast.parse(modules[name]), typing=True)) - {name} for name in sorted(known)}


def check_circles(graph: Graph) -> Iterator[Finding]:
    """A finding for each circle of imports that is left when one import of the circles before it is taken away."""
    left = {name: set(others) for name, others in graph.items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
            return
        except CycleError as error:
            circle = error.args[1][::-1]  # graphlib lists what is imported before what imports it
            left[circle[0]].discard(circle[1])
            yield Finding(_file(circle[0]), 0, "circle", f"imports go round: {' -> '.join(circle)}")


def check_directions(graph: Graph) -> Iterator[Finding]:
    """Findings for imports that point upwards, and for those from one stage package into another."""
    for name, others in graph.items():
        for other in sorted(others):
            mine, theirs = _layer(name), _layer(other)
            if mine < theirs:
                yield Finding(_file(name), 0, "upwards", f"{LAYERS[mine]} may not import {other}, of {LAYERS[theirs]}")
            elif mine == theirs == LAYERS.index("stage packages") and _package(name) != _package(other):
                yield Finding(_file(name), 0, "crossing", f"a stage package may not import {other}, of another one")


def _package(module: str) -> str:
    return module.split(".")[1]


def _layer(module: str) -> int:
    if module.count(".") == 1:
        return 3 if module == "steady.__main__" else 0
    return 1 if _package(module) in SHARED else 2 if _package(module) in STAGES else 3


def _file(module: str) -> str:
    return f"{module.replace('.', '/')}.py"
