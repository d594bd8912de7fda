"""Upload an arm to the Hub."""

from pathlib import Path

import click

from steady.commands import FOLDER, command


@command()
@click.argument("arm_folder", type=FOLDER)
@click.argument("repo_id")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--message", help="Of the commit.")
def main(arm_folder: Path, repo_id: str, private: bool, message: str | None) -> None:
    """Upload adapter, tokenizer and card of ARM_FOLDER (models/tuned, say) to the model repository REPO_ID, OWNER/NAME."""
    from steady.models.publish import push_arm

    pushed = push_arm(arm_folder, repo_id, private=private, message=message)
    click.echo(f"{len(pushed.files)} files: {', '.join(pushed.files)}\n{pushed.url}")
