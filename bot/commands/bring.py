"""`sluice data download` and `sluice data import`: market data into the archive."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands import options, setting
from bot.commands.progress import progress
from bot.errors import CheckFailed
from bot.render import Out, clock, plain
from feeds import times

if TYPE_CHECKING:
    from bot.downloads import Done, Download
    from feeds.imports import Imported

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
@click.option("--recheck", is_flag=True, help="Ask again for what the exchange had not when it was asked before.")
@click.option("--adjusted", is_flag=True, help="Yahoo: prices as if dividends had been reinvested.  [default: as traded, splits undone]")
@archive_option
@options.config_option
@options.common
def download(
    *, symbols: tuple[str, ...], exchange: str, kinds: tuple[str, ...], timeframe: int, start: int | None, stop: int | None,
    recheck: bool, adjusted: bool, archive: Path | None, config_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Fetch the past from an exchange into the archive.

    What is stored is not fetched again, so the same command goes on where it was interrupted, or brings the archive up to date. Holes
    are asked for again, and reported where the exchange has none. The running bar is never stored. Bybit's trading rules are kept
    beside the data, and a replay of it goes by them. Yahoo needs the extra `yahoo`.
    """
    from bot.downloads import Wanted, from_bybit, from_yahoo
    from feeds.columns import named_symbol

    if start is not None and stop is not None and stop <= start:
        raise click.UsageError("--to must be later than --from")
    if adjusted and exchange != "yahoo":
        raise click.UsageError("--adjusted is about dividends: it belongs to --exchange yahoo")
    words = [word.strip() for text in symbols for word in text.split(",")]
    if exchange == "bybit":
        words = [named_symbol(word) or word for word in words]  # BTC/USDT:USDT is BTCUSDT
    named = tuple(dict.fromkeys(word.upper() for word in words if word))
    wanted = Wanted(named, tuple(dict.fromkeys(kinds)) or ("candles",), timeframe, start, stop, recheck)
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
    return [*lines, "", _next({one.fetched.shelf.kind for one in done.series if one.fetched.stored}, place)]


IMPORT = (
    "sluice data import klines/*.zip fundingRate/*.zip -o market",
    "sluice data import user_data/data/bybit/futures/ -o market --json",
    "sluice data import export.csv --symbols BTCUSDT --columns ts=Date,volume='Volume (BTC)' --tz Europe/Berlin --dates dmy",
)
KINDS_OF_FILES = ("candles", "mark", "index", "premium", "funding", "metrics", "trades")


@click.command(cls=options.Command, examples=IMPORT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--symbols", "--symbol", cls=options.Many, metavar="A,B", help="Which ones; a single one names files that do not.  [default: all]"
)
@click.option("--timeframe", type=options.Span(), metavar="1m", help="Bar length.  [default: found out]")
@click.option("--kind", type=click.Choice(KINDS_OF_FILES), metavar="KIND", help=f"{', '.join(KINDS_OF_FILES)}.  [default: found out]")
@click.option("--columns", cls=options.Several, metavar="ROLE=NAME", help="Which column is what: ts=Date,open=First,volume=7.  [by name]")
@click.option("--unit", type=click.Choice(("s", "ms", "us", "ns")), help="Unit of times that are numbers.  [default: found out]")
@click.option("--tz", "zone", metavar="ZONE", help="Zone of times that write none, such as Europe/Berlin.  [default: UTC]")
@click.option(
    "--times", "times_are", type=click.Choice(("opens", "closes")), default="opens", show_default=True, help="What a bar's time is."
)
@click.option("--dates", "order", type=click.Choice(("dmy", "mdy", "ymd")), help="Order of day, month and year.  [default: found out]")
@click.option("--venue", metavar="NAME", default="", help="Whose data these are.  [default: found out, else: file]")
@click.option("--skip-bad", is_flag=True, help="Leave out rows that cannot be right, and name each.  [default: import nothing]")
@archive_option
@options.config_option
@options.common
def import_(
    *, paths: tuple[Path, ...], symbols: tuple[str, ...], timeframe: int | None, kind: str | None, columns: tuple[str, ...],
    unit: str | None, zone: str | None, times_are: str, order: str | None, venue: str, skip_bad: bool, archive: Path | None,
    config_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Read files of others into the archive: CSV (also .gz, .zip), Parquet, Feather, JSON.

    Columns, kind, bar length, unit of time and zone are found out, and shown; where there are two ways to read a file, the option is
    named that decides. Everything is checked before the first row is stored. What is stored stays: a row that comes again with other
    numbers is reported, and the first word stands. Exit 8 when there was such a row.
    """
    from feeds.archive import Archive
    from feeds.dates import Asked
    from feeds.imports import import_files

    out = Out(as_json)
    place = archive_place(archive, config_file)
    with progress("import", "files", resume="what is stored stays: give the same command again") as tell:
        done = import_files(
            paths, Archive(place), symbols=symbols or None, timeframe=timeframe, now=times.now(), columns=columns, kind=kind,
            asked=Asked(unit, zone, order), venue=venue, skip_bad=skip_bad, closes=times_are == "closes", tell=tell,
        )  # fmt: skip
    out.answer(_imported(done, place), _told(done, place))
    if done.appended.conflicts:
        said = f"{len(done.appended.conflicts)} rows came again with other numbers; what was first is kept in {place}"
        raise CheckFailed(said, answered=as_json)


def _imported(done: "Imported", place: Path) -> dict[str, object]:
    spans = {shelf.timeframe for shelf in done.series if shelf.timeframe}
    return {
        "archive": str(place), "timeframe": times.span_text(spans.pop()) if len(spans) == 1 else None,
        "symbols": list(dict.fromkeys(shelf.symbol for shelf in done.series)),
        "series": [
            {"symbol": one.symbol, "kind": one.kind, "timeframe": one.timeframe and times.span_text(one.timeframe)} for one in done.series
        ],
        "added": done.appended.added, "repeated": done.appended.repeated,
        "conflicts": [conflict._asdict() for conflict in done.appended.conflicts], "warnings": done.warnings,
        "files": [
            {**file._asdict(), "path": str(file.path), "timeframe": times.span_text(file.timeframe) if file.timeframe else None,
             "bad": [row._asdict() for row in file.bad]}
            for file in done.files
        ],
    }  # fmt: skip


def _told(done: "Imported", place: Path) -> list[str]:
    from feeds.imports import told

    lines = [plain(line, 1_000) for file in done.files for line in told(file)]
    lines += ["", f"{done.appended.added:,} rows added to {place}, {done.appended.repeated:,} were there already"]
    lines += [f"warning: {plain(warning, 300)}" for warning in done.warnings]
    for fight in done.appended.conflicts[:10]:
        lines.append(f"differs: {fight.symbol} {fight.kind} {clock(fight.open_ms)}: kept {fight.kept}, refused {fight.refused}")
    return [*lines, "", _next({shelf.kind for shelf in done.series}, place)]


def _next(stored: set[str], place: Path) -> str:
    """What can be done with the archive now: looked through, and replayed where there are candles."""
    kinds = {kind.partition("/")[0] for kind in stored}
    if "candles" not in kinds:
        return f"Next: sluice data check {place}"
    read = [f"--{kind} {place}" for kind in ("candles", "funding", "metrics") if kind in kinds]
    return f"Next: sluice data check {place}; sluice replay {' '.join(read)}"
