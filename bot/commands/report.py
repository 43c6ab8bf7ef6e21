"""`sluice report`: the tear sheet of a run."""

from pathlib import Path

import click

from bot.commands import look, options
from bot.render import Out


@click.command(cls=options.Command, examples=("sluice report", "sluice report replay-3f2a --store runs.db --html report.html"))
@click.argument("named", metavar="[RUN]", default="last")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write one HTML file that needs no network.")
@options.config_option
@options.store_option
@options.common
def report(*, named: str, html: Path | None, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """Equity, drawdown, monthly returns, exposure, trades, costs broken down, contribution of each signal and symbol."""
    out = Out(as_json)
    with look.store_of(config_file, store_file) as reader:
        run = reader.run(named)
