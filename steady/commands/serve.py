"""The API and the playground."""

from pathlib import Path

import click

from steady.errors import reported

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback unless you say otherwise."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--arm", "arms", multiple=True, help="Serve this arm alone; may be repeated. Default: every arm.")
@click.option(
    "--capacity", type=click.IntRange(min=1), default=32, show_default=True, help="Requests at a time; 429 beyond."
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Prompts in a batch.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=30.0, show_default=True, help="Seconds a request may take."
)
@click.option("--params", type=FILE, default=Path("params.yaml"), show_default=True)
@click.option("--models", type=FOLDER, default=Path("models"), show_default=True, help="The arms' folders.")
@click.option(
    "--listed", type=FILE, default=Path("data/formatted/wordings.jsonl"), show_default=True, help="All wordings."
)
def main(
    host: str,
    port: int,
    arms: tuple[str, ...],
    capacity: int,
    batch_size: int,
    timeout: float,
    params: Path,
    models: Path,
    listed: Path,
) -> None:
    """Serve the arms over HTTP: a playground at /, POST /predict, /health, /metrics, the documentation at /docs."""
    with reported():
        from steady.serve.app import Limits, make_app
        from steady.serve.asking import open_asker, spare_quantisation
        from steady.serve.server import run

        spare_quantisation(params)
        asker = open_asker(params, models, listed, arms, ("all",))
        limits = Limits(capacity=capacity, batch_size=batch_size, timeout_seconds=timeout)
        run(make_app(asker.arms, asker.phrasing, limits), host, port)
