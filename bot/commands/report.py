"""`sluice report`: the tear sheet of a run."""

from pathlib import Path

import click

from bot.commands import options, setting
from bot.commands.files import place
from bot.render import Out


@click.command(cls=options.Command, examples=("sluice report", "sluice report R-3f2a --store runs.db --html report.html"))
@click.argument("run_name", metavar="[RUN]", default="last")
@click.option("--html", type=options.Page(), metavar="FILE", help="Write one HTML file that needs no network.")
@click.option(
    "--trades", type=click.IntRange(0), default=20, show_default=True, metavar="N", help="How many of the last round trips to list."
)
@options.config_option
@options.store_option
@options.common
def report(
    *, run_name: str, html: Path | None, trades: int, config_file: Path | None, store_file: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Equity, drawdown, monthly returns, exposure, trades, costs broken down, contribution of each signal and symbol.

    docs/metrics.md has the formulas. A synthetic market is named as one on every page.
    """
    from bot.report_store import from_store
    from bot.report_tables import text

    out = Out(as_json)
    store = setting.books(config_file, store_file)
    if html is not None:
        written = write_html(store, run_name, html)
        out.answer({"run": written, "html": str(html)}, [f"report of run {written}: {html}"])
        return
    found = from_store(store, run_name)
    out.answer(found, [] if as_json else text(found, trades))


def write_html(store: Path, run_name: str, target: Path) -> str:
    """Write the page of a run, whole or not at all; returns the run's full name."""
    from bot.report_html import html
    from bot.report_store import from_store

    found = from_store(store, run_name)
    place(target, html(found), 0o644)
    return found.run
