"""`sluice data download` without its words: which series are asked of which exchange, in order, into one archive."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bot.errors import ConfigError, UsageError
from feeds import times
from feeds.archive import Archive
from feeds.bybit.client import BybitClient
from feeds.bybit.past import KINDS, SETTLE, BybitPast, Listed
from feeds.bybit.sockets import Patience
from feeds.download import Downloader, Fetched, Remote
from feeds.errors import BadData, Unreachable
from feeds.instrument_files import keep_rules
from feeds.layout import METRICS, Shelf, kind_of
from feeds.spans import Span
from feeds.yahoo import YahooPast

EXCHANGES = ("bybit", "yahoo")
NAMES = {kind.removeprefix(METRICS).replace("_", "-"): kind for kind in KINDS}  # as the command line spells them
BACK = 90 * times.DAY  # where nothing is stored and nothing was said
RATE = 20.0  # requests a second, a sixth of what Bybit allows an address

Tell = Callable[[int, int, str], None]


class Wanted(NamedTuple):
    """What is to be downloaded; start None: from the first stored row on, or 90 days back; stop None: until now.

    recheck  also what the exchange had not when it was asked before
    """

    symbols: tuple[str, ...]
    kinds: tuple[str, ...]
    timeframe: int
    start: int | None
    stop: int | None
    recheck: bool = False


class Done(NamedTuple):
    """One series, the span that was asked for, and how many requests it took."""

    fetched: Fetched
    span: Span
    requests: int


class Download(NamedTuple):
    """What became of a download; `rules` is the file of trading rules (None: none came with it)."""

    series: list[Done]
    rules: Path | None
    warnings: list[str]


async def from_bybit(wanted: Wanted, folder: Path, tell: Tell, *, rest: str | None = None, patience: Patience | None = None) -> Download:
    """Fetch from Bybit. Raises UsageError before anything is asked, FeedError when the exchange does not give it."""
    client = BybitClient(rest=rest, patience=patience or Patience(rate=RATE))
    archive = Archive(folder)
    past = BybitPast(client)
    try:
        for symbol in wanted.symbols:  # a wrong word is told before the exchange is asked
            for kind in wanted.kinds:
                _remote(past, _shelf(kind, wanted.timeframe, symbol))
        now = await past.now()
        listed = await _listed(past, wanted.symbols)
        for symbol in wanted.symbols:
            _refuse_mixing(archive, wanted, symbol, past.name)
        rules = _keep(folder, past.name, listed, now)
        loader = Downloader(archive, past.name, now, tell, recheck=wanted.recheck)
        work = []
        for symbol in wanted.symbols:
            for kind in wanted.kinds:
                remote = _remote(past, _shelf(kind, wanted.timeframe, symbol), listed[symbol])
                span = _span(archive, remote, wanted, now)
                loader.plan([remote], span)
                work.append((remote, span))
        series = []
        for remote, span in work:
            before = past.requests
            series.append(Done(await loader.fetch(remote, span), span, past.requests - before))
        refused = {name: count for name, count in client.rejects.items() if count}
        warnings = [f"Bybit gave {count} rows that cannot be right ({name}); left out" for name, count in sorted(refused.items())]
        return Download(series, rules, warnings)
    except Unreachable as error:
        raise Unreachable(f"{error}.  What was fetched is stored in {folder}: give the same command again and it goes on") from error
    finally:
        await client.close()


async def from_yahoo(wanted: Wanted, folder: Path, tell: Tell, *, now: int, adjusted: bool = False, wait: float = 2.0) -> Download:
    """Fetch from Yahoo. Raises BadData where the extra is missing, UsageError for what Yahoo does not have."""
    past = YahooPast(adjusted=adjusted, wait=wait)
    archive = Archive(folder)
    if wanted.kinds != ("candles",):
        raise UsageError("Yahoo has candles only; leave --kind out, or take --exchange bybit")
    loader = Downloader(archive, past.name, now, tell, recheck=wanted.recheck)
    series: list[Done] = []
    warnings: list[str] = []
    for ticker in wanted.symbols:
        try:
            remote = past.series(ticker, wanted.timeframe, now)
        except ValueError as error:
            raise UsageError(f"{error}; give another --timeframe") from None
        await remote.check(archive)
        span = _span(archive, remote, wanted, now)
        if span.start < remote.earliest:
            warnings.append(f"{ticker}: Yahoo keeps {times.span_text(wanted.timeframe)} bars since {times.iso(remote.earliest)} only")
            span = Span(-(-remote.earliest // remote.step) * remote.step, max(span.stop, remote.earliest))
        loader.plan([remote], span)
        before = past.requests
        series.append(Done(await loader.fetch(remote, span), span, past.requests - before))
        warnings += remote.notes
        if remote.shelf.symbol != ticker:
            warnings.append(f"{ticker} is stored as {remote.shelf.symbol}")
    return Download(series, None, warnings)


def _shelf(kind: str, timeframe: int, symbol: str) -> Shelf:
    name = NAMES[kind]
    return Shelf(name, timeframe if kind_of(name).spaced else None, symbol)


def _remote(past: BybitPast, shelf: Shelf, listed: Listed | None = None) -> Remote:
    try:
        return past.series(shelf, listed)
    except ValueError as error:
        raise UsageError(f"{error}; give another --timeframe") from None


def _span(archive: Archive, remote: Remote, wanted: Wanted, now: int) -> Span:
    stop = min(now, wanted.stop if wanted.stop is not None else now)
    if remote.shelf.timeframe is not None:
        stop = min(stop, now - SETTLE) // remote.step * remote.step  # the running bar is nobody's
    start = wanted.start
    if start is None:
        held = archive.instants(remote.shelf)
        start = int(held[0]) if held.size else max(0, (stop - BACK) // times.DAY * times.DAY)
    return Span(start, max(start, stop))


async def _listed(past: BybitPast, symbols: Sequence[str]) -> dict[str, Listed]:
    found = {}
    for symbol in symbols:
        one = await past.listed(symbol)
        if one is None:
            raise BadData(f"Bybit has no linear contract called {symbol}; check the spelling, such as BTCUSDT")
        found[symbol] = one
    return found


def _refuse_mixing(archive: Archive, wanted: Wanted, symbol: str, name: str) -> None:
    """Bars of two venues in one series would be a market that never was."""
    for kind in wanted.kinds:
        shelf = _shelf(kind, wanted.timeframe, symbol)
        others = [source for source in archive.about(shelf).sources if source != name]
        if others:
            raise ConfigError(f"{archive.root}: {shelf} is from {' and '.join(others)}; what {name} has belongs into another folder: -o")


def _keep(folder: Path, exchange: str, listed: dict[str, Listed], now: int) -> Path:
    launches = {symbol: one.launch_ms for symbol, one in listed.items() if one.launch_ms is not None}
    return keep_rules(folder, exchange, {symbol: one.instrument for symbol, one in listed.items()}, launches, now)
