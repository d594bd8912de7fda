"""The API and the playground."""

from pathlib import Path

import click

from steady.commands import command, listed_option, models_option, params_option


@command()
@click.option("--host", default="127.0.0.1", help="Address to listen on; loopback unless you say otherwise.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000)
@click.option("--arm", "arms", multiple=True, help="Serve this arm alone; may be repeated. Default: every arm.")
@click.option("--capacity", type=click.IntRange(min=1), default=32, help="Requests at a time; 429 beyond.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, help="Prompts in a batch.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=30.0, help="Seconds a request may take.")
@params_option
@models_option
@listed_option
def main(
    host: str, port: int, arms: tuple[str, ...], capacity: int, batch_size: int, timeout: float, **places: Path
) -> None:
    """Serve the arms over HTTP: a playground at /, POST /predict, /health, /metrics, the documentation at /docs."""
    from steady.serve.app import Limits, make_app
    from steady.serve.asking import open_asker, spare_quantisation
    from steady.serve.server import run

    spare_quantisation(places["params"])
    # every wording, since a request may name any of them
    asker = open_asker(**places, arms=arms, wordings=("all",))
    limits = Limits(capacity=capacity, batch_size=batch_size, timeout_seconds=timeout)
    run(make_app(asker.arms, asker.phrasing, limits), host, port)
