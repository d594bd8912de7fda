"""Re-hash everything that `dvc.lock` names."""

from pathlib import Path

import click

from steady.commands import command, root_option
from steady.errors import SteadyError


@command()
@root_option
def main(root: Path) -> None:
    """Re-hash every file that dvc.lock names, here and in the cache, and point at the damaged ones."""
    from steady.repro.lockfile import cache_damage, damage, lock_entries

    # by path, since what one stage writes another one reads
    entries = {entry.path: entry for entry in lock_entries(root)}
    faults = [line for entry in entries.values() for check in (damage, cache_damage) for line in check(root, entry)]
    if faults:
        raise SteadyError(
            "\n".join(dict.fromkeys(faults))
            + "\nA file of Git comes back with `git checkout -- FILE`; an output with `rm FILE` (in the cache too) and "
            "`dvc pull` or `dvc repro`."
        )
    click.echo(f"{len(entries)} files and folders are what dvc.lock records")
