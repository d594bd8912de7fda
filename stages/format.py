"""Word the prepared examples: schedules for training, prompts for validation, evaluation and sensitivity, and a preview."""

import time
from pathlib import Path

import click

from stages.options import file_option, folder_option, params_option
from stages.process import stage_process
from steady.errors import reported


@click.command()
@params_option
@folder_option("--prepared", default="data/prepared", help="The prepared splits.")
@folder_option("--out", default="data/formatted", help="Folder to write.")
@file_option("--metrics", default="metrics/format.json", help="Wordings and token lengths.")
def main(params: Path, prepared: Path, out: Path, metrics: Path) -> None:
    """Word the prepared examples.

    Reads {train,validation,test}.jsonl and the bank named in format.wordings; writes the wordings, the schedules, the
    prompts, a preview and the token lengths.
    """
    # Imports stand within, so that `--help` and a mistyped option need no library.
    with reported(), stage_process():
        from steady.format.figures import format_figures
        from steady.format.formatted import make_formatted, read_splits, write_formatted
        from steady.format.lengths import load_encode, tokenizer_file
        from steady.format.preview import preview
        from steady.parameters import read_params
        from steady.prompts.params import FormatStage
        from steady.records import write_bytes, write_json

        start = time.perf_counter()
        view = read_params(params, FormatStage)
        splits = read_splits(prepared)
        click.echo("read " + ", ".join(f"{len(rows)} {split}" for split, rows in splits.items()) + f" from {prepared}")
        # The tokenizer alone, not the model.
        encode = load_encode(tokenizer_file(view.model.id, view.model.revision, view.model.gguf_file))
        result = make_formatted(view, splits, encode)
        rows = write_formatted(out, result)
        write_bytes(out / "preview.md", preview(result, encode).encode())
        figures = format_figures(result, encode)
        write_json(metrics, figures)
        click.echo(f"wrote to {out}: " + ", ".join(f"{count} {name}" for name, count in rows.items()))
        if alike := len(result.alike):
            click.echo(f"left out {alike} wordings that the tokenizer of {view.model.id} cannot tell from others")
        for split, families in figures.tokens.items():
            cut = {name: found for name, found in families.items() if found["truncated"]}
            if cut:
                counts = ", ".join(f"{name} {found['truncated']} of {found['prompts']}" for name, found in cut.items())
                click.echo(f"longer than format.max_length {figures.max_length} and cut, {split}: {counts}")
        click.echo(f"took {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
