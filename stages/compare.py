"""Compare the arms on identical prompts, judge the claims, and write the headline."""

import time
from pathlib import Path

import click

from stages.options import file_option, folder_option, params_option
from stages.process import stage_process
from steady.errors import reported


@click.command(help=__doc__)
@params_option
@file_option("--claims", default="claims.yaml", help="The primary claims.")
@folder_option("--metrics", default="metrics/arms", help="Metrics, a folder for each arm.")
@folder_option("--reports", default="reports/arms", help="Predictions, a folder for each arm.")
@folder_option("--prompts", default="data/formatted", help="The prompts.")
@file_option("--out", default="metrics/comparison.json")
@file_option("--headline", default="metrics/headline.json")
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
