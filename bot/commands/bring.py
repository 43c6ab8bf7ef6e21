"""`sluice data download` and `sluice data import`: market data into the archive."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands import options, setting
from bot.commands.progress import progress
from bot.render import Out, clock, plain
from feeds import times

if TYPE_CHECKING:
    from bot.downloads import Done, Download

EXCHANGES = ("bybit", "yahoo")
KINDS = ("candles", "mark", "index", "premium", "funding", "open-interest", "long-short-ratio")
RESUME = "what was fetched is stored: give the same command again and it goes on"

archive_option = click.option(
    "-o", "--archive", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The archive.  [default: archive beside the store]",
)  # fmt: skip


def archive_place(named: Path | None, config_file: Path | None) -> Path:
    """The archive that was named, else the one beside the store."""
    return named if named is not None else setting.store_path(setting.configuration(config_file), None).parent / "archive"


DOWNLOAD = (
    "sluice data download BTCUSDT ETHUSDT --kind candles,funding --timeframe 1h --from 2024-01-01 -o market",
    "sluice data download BTCUSDT --kind mark,open-interest,long-short-ratio --timeframe 1h --from 2025-01-01 --to 2025-07-01 -o market",
    "sluice data download BTC-USD ^GSPC --exchange yahoo --timeframe 1d --from 2015-01-01 -o yahoo --json",
)


@click.command(cls=options.Command, examples=DOWNLOAD)
@click.argument("symbols", nargs=-1, required=True)
@click.option("--exchange", type=click.Choice(EXCHANGES), default="bybit", show_default=True, help="Who is asked.")
@click.option("--kind", "kinds", cls=options.Many, type=click.Choice(KINDS), metavar="A,B", help=f"{', '.join(KINDS)}.  [default: candles]")
@click.option("--timeframe", type=options.Span(), default=times.HOUR, metavar="1h", help="Bar length, of slow data too.  [default: 1h]")
@click.option("--from", "start", type=options.Instant(), metavar="TIME", help="UTC.  [default: from what is stored, else 90 days back]")
@click.option("--to", "stop", type=options.Instant(), metavar="TIME", help="First instant that is not wanted, UTC.  [default: now]")
@click.option("--adjusted", is_flag=True, help="Yahoo: prices as if dividends had been reinvested.  [default: as traded, splits undone]")
@archive_option
@options.config_option
@options.common
def download(
    *, symbols: tuple[str, ...], exchange: str, kinds: tuple[str, ...], timeframe: int, start: int | None, stop: int | None,
    adjusted: bool, archive: Path | None, config_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Fetch the past from an exchange into the archive.

    What is stored is not fetched again, so the same command goes on where it was interrupted, or brings the archive up to date. Holes
    are asked for again, and reported where the exchange has none. The running bar is never stored. Bybit's trading rules are kept
    beside the data, and a replay of it goes by them. Yahoo needs the extra `yahoo`.
    """
    from bot.downloads import Wanted, from_bybit, from_yahoo

    if start is not None and stop is not None and stop <= start:
        raise click.UsageError("--to must be later than --from")
    if adjusted and exchange != "yahoo":
        raise click.UsageError("--adjusted is about dividends: it belongs to --exchange yahoo")
    words = [word.strip() for text in symbols for word in text.split(",")]
    named = tuple(dict.fromkeys(word.upper() for word in words if word))
    wanted = Wanted(named, tuple(dict.fromkeys(kinds)) or ("candles",), timeframe, start, stop)
    place = archive_place(archive, config_file)
    loaded = setting.configuration(config_file)
    with progress("download", "rows", resume=RESUME) as tell:
        if exchange == "yahoo":
            done = asyncio.run(from_yahoo(wanted, place, tell, now=times.now(), adjusted=adjusted))
        else:
            done = asyncio.run(from_bybit(wanted, place, tell, rest=loaded.config.exchange.rest or None))
    out = Out(as_json)
    out.answer(_document(done, place, exchange), _lines(done, place, out))


def _document(done: "Download", place: Path, exchange: str) -> dict[str, object]:
    return {
        "archive": str(place), "exchange": exchange, "rules": str(done.rules) if done.rules else None,
        "series": [_series(one) for one in done.series], "warnings": done.warnings,
    }  # fmt: skip


def _series(one: "Done") -> dict[str, object]:
    got = one.fetched
    return {
        "symbol": got.shelf.symbol, "kind": got.shelf.kind, "timeframe": got.shelf.timeframe and times.span_text(got.shelf.timeframe),
        "asked_from": one.span.start, "asked_to": one.span.stop, "rows": got.rows, "stored": got.stored, "from": got.first_ms,
        "to": got.end_ms, "listed": got.listed_ms, "missing": got.missing, "gaps": [list(gap) for gap in got.gaps],
        "requests": one.requests, "repaired": got.repaired, "conflicts": len(got.conflicts),
    }  # fmt: skip


def _lines(done: "Download", place: Path, out: Out) -> list[str]:
    head = ("SYMBOL", "KIND", "BAR", "NEW", "STORED", "FIRST UTC", "END UTC", "MISSING", "REPAIRED", "REQUESTS")
    rows = []
    for one in done.series:
        got, shelf = one.fetched, one.fetched.shelf
        span = (clock(got.first_ms), clock(got.end_ms)) if got.first_ms is not None and got.end_ms is not None else ("-", "-")
        bar = times.span_text(shelf.timeframe) if shelf.timeframe else "-"
        counts = (f"{got.missing:,}", f"{got.repaired:,}", f"{one.requests:,}")
        rows.append((shelf.symbol, shelf.kind.removeprefix("metrics/"), bar, f"{got.rows:,}", f"{got.stored:,}", *span, *counts))
    lines = out.table(head, rows, right=(3, 4, 7, 8, 9))
    for one in done.series:
        got = one.fetched
        if got.listed_ms is not None:
            lines.append(f"begins: {got.shelf} at {clock(got.listed_ms)}: nothing before")
        for gap in got.gaps[:5]:
            lines.append(f"gap: {got.shelf} from {clock(gap.start)} to {clock(gap.stop)}: there is nothing to be had")
        if len(got.gaps) > 5:
            lines.append(f"gap: {got.shelf}: and {len(got.gaps) - 5} more; sluice data check lists them")
        for fight in got.conflicts[:5]:
            lines.append(f"differs: {got.shelf} {clock(fight.open_ms)}: kept {fight.kept}, refused {fight.refused}")
        if not got.stored:
            lines.append(f"nothing: {got.shelf} has no row between {clock(one.span.start)} and {clock(one.span.stop)}")
    lines += [f"warning: {plain(text, 300)}" for text in done.warnings]
    said = f"sluice replay --candles {place}"
    if any(one.fetched.shelf.kind == "funding" and one.fetched.stored for one in done.series):
        said += f" --funding {place}"
    return [*lines, "", f"Next: {said}"]
