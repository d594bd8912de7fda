"""Hooks of mkdocs: the navigation follows the files, so that a page can be added or removed without editing it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Drop listed pages that are not in `docs/`, and append those that are not listed."""
    there = {path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md")}
    config.nav = navigation(config.nav, there)
    return config


def navigation(nav: list[Any], there: set[str]) -> list[Any]:
    """`nav` of `mkdocs.yml` without the pages that are not `there`, and with those that it does not list at its end."""
    return [*_present(nav, there), *sorted(there - set(_listed(nav)))]


def _present(nav: list[Any], there: set[str]) -> Iterator[Any]:
    for entry in nav:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            yield {title: list(_present(target, there))}
        elif target in there:
            yield entry


def _listed(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            yield from _listed(target) if isinstance(target, list) else [target]
