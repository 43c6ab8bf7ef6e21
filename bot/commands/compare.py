"""`sluice compare`: two runs side by side."""

from pathlib import Path

import click

from bot.commands import options, setting
from bot.commands.files import place
from bot.errors import CheckFailed
from bot.render import Out

EXAMPLES = (
    "sluice compare R-3f2a R-9c41 --store runs.db",
    "sluice compare paper-20240304 R-3f2a --store-b runs.db --html compare.html",
)
_store = click.Path(path_type=Path)


@click.command(cls=options.Command, examples=EXAMPLES)
@click.argument("run_a", metavar="A")
@click.argument("run_b", metavar="B")
@click.option("--store-a", type=_store, metavar="FILE", help="Database that A is in, where it is not that of --store.")
@click.option("--store-b", type=_store, metavar="FILE", help="Database that B is in, where it is not that of --store.")
@click.option("--html", type=options.Page(), metavar="FILE", help="Also write one HTML file that needs no network.")
@options.config_option
@options.store_option
@options.common
def compare(
    *, run_a: str, run_b: str, store_a: Path | None, store_b: Path | None, html: Path | None, config_file: Path | None,
    store_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Two runs side by side: settings, data, decisions bar by bar, fills order by order, positions, returns, metrics, costs.

    Replay against replay, paper against replay, paper against live: what both could have done is compared, the rest is named.
    The difference of returns is tested in pairs. Exit 8 when the runs have no symbol or no time in common.
    """
    from bot.compare_html import html as page
    from bot.compare_store import compare_stores
    from bot.compare_tables import text

    out = Out(as_json)
    places = [setting.books(config_file, named or store_file) for named in (store_a, store_b)]
    found = compare_stores(places[0], run_a, places[1], run_b)
    if html is not None:
        place(html, page(found), 0o644)
        out.note(f"comparison: {html}")
    out.answer(found, [] if as_json else text(found))
    if not found.comparable:
        raise CheckFailed(f"nothing to compare: {'; '.join(found.obstacles)}.  Other runs: sluice runs", answered=as_json)
