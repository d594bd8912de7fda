"""The page that names every task behind the models, for attribution."""

from __future__ import annotations

from collections import defaultdict

from pretrain.card import table
from pretrain.corpus import Task


def render_data_page(tasks: dict[str, Task], train_rows: int) -> str:
    """The list of tasks behind the models, with their licences."""
    by_license: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks.values():
        by_license[task.license].append(task)
    parts = [
        "# Data of the base models",
        f"{len(tasks)} tasks, {train_rows:,} training rows. Source: Super-NaturalInstructions (Wang et al. "
        "2022, `github.com/allenai/natural-instructions`), whose task files name the contributors, the "
        "source and the licence of each; the licence below is the task file's `Instance License`. "
        "No row is in this repository.",
    ]
    for name in sorted(by_license, key=lambda key: (-len(by_license[key]), key)):
        listed = sorted(by_license[name], key=lambda task: task.name)
        rows = [(f"`{task.name}`", task.category) for task in listed]
        parts.append(f"## {name} ({len(listed)})\n\n{table(('task', 'category'), rows)}")
    return "\n\n".join(parts) + "\n"
