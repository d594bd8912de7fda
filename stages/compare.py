"""Compare the arms on identical prompts, judge the claims, and write the headline."""

import time
from pathlib import Path

import click

from stages.options import FILE, FOLDER, params_option
from stages.process import stage_process
from steady.errors import reported


@click.command(help=__doc__)
@params_option
@click.option("--claims", type=FILE, default=Path("claims.yaml"), show_default=True, help="The primary claims.")
@click.option(
    "--metrics", type=FOLDER, default=Path("metrics/arms"), show_default=True, help="Metrics, a folder for each arm."
)
@click.option(
    "--reports",
    type=FOLDER,
    default=Path("reports/arms"),
    show_default=True,
    help="Predictions, a folder for each arm.",
)
@click.option("--prompts", type=FOLDER, default=Path("data/formatted"), show_default=True, help="The prompts.")
@click.option("--out", type=FILE, default=Path("metrics/comparison.json"), show_default=True)
@click.option("--headline", type=FILE, default=Path("metrics/headline.json"), show_default=True)
def main(params: Path, claims: Path, metrics: Path, reports: Path, prompts: Path, out: Path, headline: Path) -> None:  # noqa: D103
    with reported(), stage_process():
        from steady.compare import summary
        from steady.compare.claims import read_claims
        from steady.compare.leftovers import remove_leftovers
        from steady.compare.paired import Testing
        from steady.compare.params import CompareStage
        from steady.compare.verdicts import verdict_text
        from steady.metrics.files import write_metrics
        from steady.metrics.resampling import Bootstrap
        from steady.metrics.run import read_run
        from steady.parameters import read_params

        started = time.perf_counter()
        settings = read_params(params, CompareStage)
        own = settings.compare
        testing = Testing(Bootstrap(own.bootstrap_draws, 1 - own.alpha, settings.seed), own.permutations, own.alpha)
        primary = read_claims(claims)  # before the arms, so that a fault in the claims is reported at once
        for left in remove_leftovers([metrics, reports], settings.arms):
            click.echo(f"removed {left}, of no arm of this run")
        run = read_run(list(settings.arms), metrics, reports, prompts)
        compared = summary.comparison(run, primary, testing)
        write_metrics(out, compared)
        write_metrics(headline, summary.headline(compared))
        for claim in compared.claims:
            click.echo(verdict_text(claim))
        seconds = time.perf_counter() - started
        click.echo(f"compare: read {', '.join(settings.arms)}, wrote {out} and {headline} in {seconds:.1f} s")


if __name__ == "__main__":
    main()
