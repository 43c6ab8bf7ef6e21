"""What is wrong with data files, all of it: the reader stops at the first fault, this goes on and counts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from feeds import times
from feeds.bars import CLOSE, COLUMNS, HIGH, LOW, OPEN, VOLUME
from feeds.candle_files import PRICES, RULES, VOLUMES, Series, named, series_of
from feeds.columns import span_in
from feeds.errors import BadData
from feeds.files import SYMBOL_COLUMNS, Floats, Ints, Table, find_files, instants, read_table, release, time_column
from feeds.findings import EXAMPLES, Finding, Mask, Rows, Severity, gap_of, merged, order_faults
from feeds.funding_files import RATES
from feeds.history import History
from feeds.layout import BARS
from feeds.news_files import TITLES
from feeds.quality_slow import of_funding, of_metrics, of_news

STALE_RUN = 10  # bars in a row whose five values do not change at all
JUMP = 0.5  # a close this share above the one before, or as far below it in logarithms
OUTLIER = 25.0  # a return of more such scales (median absolute return of the symbol), and above OUTLIER_LEAST
OUTLIER_LEAST = 0.05
BACK = 0.5  # a spike: an outlier of which the next bar takes back at least this share
WICK = 0.5  # an extreme this share beyond open and close


def check(
    source: History | Iterable[str | Path],
    *,
    now: int | None = None,
    tell: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[Finding]:
    """Everything that is wrong, most severe first; an empty list says that the data are sound.

    source  a history; or files and directories of candles, mark and index bars, funding, metrics, news
    now     times after it are reported (None: not looked at)
    tell    is told how many files were looked at, of how many
    """
    found = list(_of_history(source)) if isinstance(source, History) else merged(_of_files(source, now, tell))
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def kind_of_table(path: Path, table: Table) -> str:
    """What a file holds, by its folder in an archive, else by its columns: a kind of bars, funding, metrics or news."""
    within = path.absolute().parts
    has_bars = all(name in table.columns for name in PRICES)
    if has_bars:
        return next((kind for kind in BARS[1:] if kind in within[-4:-1] or f"{kind}_price" in path.name.lower()), "candles")
    if table.find(*RATES) and "value" not in table.columns:
        return "funding"
    return "news" if table.find(*TITLES) else "metrics"


def _of_history(history: History) -> Iterator[Finding]:
    for symbol, lane in zip(history.symbols, history.lanes, strict=True):
        open_ms = lane.numbers * history.timeframe
        one = Rows(Table(Path(), {}, 0, False), "candles", symbol, open_ms, np.arange(open_ms.size))
        for finding in (*gap_of(one, open_ms, history.timeframe), *_oddities(one, lane.columns)):
            yield finding._replace(where="")


def _of_files(paths: Iterable[str | Path], now: int | None, tell: Callable[[int, int, str], None]) -> Iterator[Finding]:
    ends: dict[tuple[str, str, int], list[tuple[int, int, Path]]] = {}
    files = find_files(paths)
    for number, path in enumerate(files):
        tell(number, len(files), path.name)
        try:
            table = read_table(path)
            kind = kind_of_table(path, table)
            if kind not in BARS:
                yield from {"funding": of_funding, "metrics": of_metrics, "news": of_news}[kind](table, now)
                continue
            _, unit = instants(table, time_column(table), unit=None)
            series = _series(table, kind)
        except BadData as fault:
            yield Finding(Severity.ERROR, "unreadable", "", 1, None, str(path), str(fault))
            continue
        if unit in ("seconds", "microseconds", "nanoseconds"):
            detail = f"times are in {unit}, milliseconds are expected; `sluice data import` converts them"
            yield Finding(Severity.ERROR, "unit_of_time", "", table.rows, None, str(path), detail, (), kind)
        for one in series:
            yield from _of_series(one, kind, now)
            ends.setdefault((kind, one.symbol, one.spacing or 0), []).append((int(one.open_ms.min()), int(one.open_ms.max()), path))
    release()
    both: dict[tuple[str, Path, Path], list[tuple[int, str]]] = {}
    for (kind, symbol, step), spans in ends.items():
        yield from _between(kind, symbol, step, sorted(spans, key=lambda span: span[:2]), both)
    for (kind, before, after), held in both.items():
        symbols = [symbol for _, symbol in held]
        named = ", ".join(symbols[:EXAMPLES]) + (f" and {len(symbols) - EXAMPLES} more" if len(symbols) > EXAMPLES else "")
        detail = f"{before} and {after} both hold {named}: a replay takes one of them"
        first = min(held)[0]
        yield Finding(Severity.ERROR, "overlap", symbols[0], len(symbols), first, str(after), detail, (times.iso(first),), kind)


def _between(
    kind: str, symbol: str, step: int, spans: Sequence[tuple[int, int, Path]], both: dict[tuple[str, Path, Path], list[tuple[int, str]]]
) -> Iterator[Finding]:
    """Time between the files of one series that none holds; `both` collects those that overlap."""
    for (_, end, before), (start, _, after) in pairwise(spans):
        if start <= end:
            both.setdefault((kind, *sorted((before, after))), []).append((start, symbol))  # type: ignore[arg-type]
        elif step and start - end > step:
            missing = (start - end) // step - 1
            detail = f"1 gaps, the longest of {missing} bars from {times.iso(end + step)}, between {before} and {after}"
            yield Finding(Severity.WARNING, "gap", symbol, missing, end + step, str(after), detail, (times.iso(end + step),), kind)


def _series(table: Table, kind: str) -> list[Series]:
    """The series of a table; bars without volume get one that no rule looks at."""
    if table.find(*VOLUMES):
        return series_of(table, unit=None)
    if kind == "candles":
        table.need(*VOLUMES)
    return series_of(table._replace(columns={**table.columns, "volume": table.columns["open"]}), unit=None)


def _of_series(series: Series, kind: str, now: int | None) -> Iterator[Finding]:
    at, step = series.open_ms, series.spacing
    one = Rows(series.table, kind, series.symbol, at, series.rows)
    yield from order_faults(one)
    if step is not None:
        yield from _off_grid(one, step)
        yield from _lengths(one, step)
    if now is not None:
        yield from one.found(Severity.ERROR, "future", at > now, f"after {times.iso(now)}")
        running = (at <= now) & (at + (step or 0) > now)
        yield from one.found(Severity.WARNING, "unfinished", running, f"closes after {times.iso(now)}: a replay leaves it out")
    columns = named(series.columns)
    for rule in RULES if kind == "candles" else [rule for rule in RULES if rule.column in PRICES]:
        if kind != "premium" or rule.code != "price_not_positive":
            yield from one.found(Severity.ERROR, rule.code, rule.broken(columns), f"{rule.column} {rule.says}")
    order = np.argsort(at, kind="stable")
    sorted_at, keep = np.unique(at[order], return_index=True)
    rows = order[keep]
    ordered = one._replace(at=sorted_at, rows=series.rows[rows])
    if step is not None:
        yield from gap_of(ordered, sorted_at, step)
        yield from _local_times(one, sorted_at, step)
    yield from _oddities(ordered, [column[rows] for column in series.columns])


def _off_grid(one: Rows, step: int) -> Iterator[Finding]:
    phase = one.at % step
    detail = f"not a multiple of {times.span_text(step)}"
    if phase.all() and (phase == phase[0]).all():
        detail += f": every bar begins {times.span_text(int(phase[0]))} after one; local times, or closes instead of opens?"
    yield from one.found(Severity.ERROR, "off_grid", phase != 0, detail)


def _lengths(one: Rows, step: int) -> Iterator[Finding]:
    if times.DAY % step:
        detail = f"the most common spacing, {times.span_text(step)}, does not divide a day"
        yield one.note(Severity.ERROR, "timeframe", 1, int(one.at[0]), detail)
    said = span_in(one.table.path)
    if said is not None and said != step and one.table.find(*SYMBOL_COLUMNS) is None:
        detail = f"the name says {times.span_text(said)}, the rows are {times.span_text(step)} apart"
        yield one.note(Severity.WARNING, "bar_length", one.at.size, int(one.at[0]), detail)


def _local_times(one: Rows, at: Ints, step: int) -> Iterator[Finding]:
    """The hour that clocks leave out or repeat: missing in spring or double in autumn, where times are local ones written as UTC."""
    if step > times.HOUR:
        return
    skipped, doubled = [], []
    years = range(_year(int(at[0])), _year(int(at[-1])) + 1)
    for spring, autumn in ((_sunday(year, 3, 0), _sunday(year, 10, 0)) for year in years):
        skipped += [hour for hour in (spring + times.HOUR, spring + 2 * times.HOUR) if _alone(at, hour, step)]
        doubled += [hour for hour in (autumn + times.HOUR, autumn + 2 * times.HOUR) if _twice(one.at, hour)]
    for spring, autumn in ((_sunday(year, 3, 2), _sunday(year, 11, 1)) for year in years):
        skipped += [hour for hour in (spring + 2 * times.HOUR,) if _alone(at, hour, step)]
        doubled += [hour for hour in (autumn + times.HOUR,) if _twice(one.at, hour)]
    if skipped or doubled:
        detail = "an hour is missing or double where clocks are changed: the times look local; import the file with --tz ZONE"
        places = sorted([*skipped, *doubled])
        yield one.note(Severity.WARNING, "time_zone", len(places), places[0], detail, places)


def _alone(at: Ints, hour: int, step: int) -> bool:
    """Whether this hour is missing, and the bars just before and after it are there."""
    low, high = (int(i) for i in np.searchsorted(at, (hour, hour + times.HOUR)))
    return low == high and 0 < low < at.size and bool(at[low - 1] == hour - step) and bool(at[low] == hour + times.HOUR)


def _twice(at: Ints, hour: int) -> bool:
    inside = at[(at >= hour) & (at < hour + times.HOUR)]
    return bool(inside.size > 1 and np.unique(inside).size * 2 <= inside.size)


def _year(at: int) -> int:
    return datetime.fromtimestamp(at / 1_000, tz=UTC).year


def _sunday(year: int, month: int, number: int) -> int:
    """00:00 UTC of the n-th Sunday of a month; 0: the last one."""
    first = datetime(year, month, 1, tzinfo=UTC)
    if number:
        day = first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))
    else:
        day = datetime(year, month, 31, tzinfo=UTC)
        day -= timedelta(days=(day.weekday() + 1) % 7)
    return times.millis(day.isoformat())


def _oddities(one: Rows, columns: Sequence[Floats]) -> Iterator[Finding]:
    bars = one.kind == "candles"
    if bars:
        yield from one.found(Severity.NOTE, "zero_volume", columns[VOLUME] == 0, "bars without a trade")
    same = _stale(columns if bars else columns[:4])
    values = "five" if bars else "four"
    yield from one.found(Severity.NOTE, "stale", same, f"{STALE_RUN} bars or more in a row with the same {values} values")
    if one.kind == "premium":
        return
    with np.errstate(all="ignore"):
        above = np.log(columns[HIGH] / np.maximum(columns[OPEN], columns[CLOSE]))
        below = np.log(np.minimum(columns[OPEN], columns[CLOSE]) / np.where(columns[LOW] > 0, columns[LOW], np.nan))
        reach = np.fmax(above, below)
        far = max(float(np.log1p(WICK)), OUTLIER * float(np.nanmedian(np.append(reach, 0.0))))
        wick = reach > far
        moves = np.append(0.0, np.diff(np.log(np.where(columns[CLOSE] > 0, columns[CLOSE], np.nan))))
    yield from one.found(Severity.WARNING, "wick", wick, f"a high or low {np.expm1(far):.0%} beyond open and close")
    yield from _moves(one, moves)


def _moves(one: Rows, moves: Floats) -> Iterator[Finding]:
    known = np.abs(moves[1:][~np.isnan(moves[1:])])
    if known.size == 0:
        return
    scale = float(np.median(known))
    far = max(OUTLIER_LEAST, OUTLIER * scale)
    after = np.append(moves[1:], 0.0)
    with np.errstate(invalid="ignore"):
        spikes = (np.abs(moves) > far) & (moves * after < 0) & (np.abs(after) >= BACK * np.abs(moves))
    masks: list[tuple[Severity, str, Mask, float]] = [
        (Severity.WARNING, "jump", np.abs(moves) > np.log1p(JUMP), float(np.log1p(JUMP))),
        (Severity.WARNING, "spike", spikes, far),
        (Severity.NOTE, "outlier", np.abs(moves) > far, far),
    ]
    for severity, code, mask, bound in masks:
        if mask.any():
            worst = int(np.nanargmax(np.where(mask, np.abs(moves), 0.0)))
            what = "closes that come back at once after moving" if code == "spike" else "closes that move"
            detail = (
                f"{what} by more than {np.expm1(bound):+.1%} or {np.expm1(-bound):+.1%}; "
                f"the largest by {np.expm1(moves[worst]):+.1%} at {times.iso(int(one.at[worst]))}"
            )
            yield from one.found(severity, code, mask, detail)


def _stale(columns: Sequence[Floats]) -> Mask:
    """The bars of every run of at least STALE_RUN in which open, high, low, close and volume do not change."""
    size = columns[0].size
    same = np.ones(max(0, size - 1), bool)
    for column in columns[: len(COLUMNS) - 1]:
        same &= np.diff(column) == 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    out = np.zeros(size, bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start + 1 >= STALE_RUN:
            out[start : end + 1] = True
    return out


__all__ = ["EXAMPLES", "STALE_RUN", "Finding", "Severity", "check"]
