"""What is wrong with data that come when they come: funding, metrics, news."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from feeds import times
from feeds.archive import holes
from feeds.candle_files import commonest_step, rows_by_symbol
from feeds.errors import BadData
from feeds.files import SYMBOL_COLUMNS, TIME_COLUMNS, Floats, Ints, Table, instants, numbers, symbol_of, texts
from feeds.findings import Finding, Mask, Rows, Severity, gap_of, order_faults
from feeds.funding_files import MARKS, RATES
from feeds.funding_files import TIMES as SETTLED
from feeds.metric_files import ASSETS, NAMES
from feeds.metric_names import metric_name
from feeds.news_files import SCORES, TITLES
from feeds.news_files import TIMES as PUBLISHED

HIGH_RATE = 0.03  # of one settlement: beyond what any venue's cap allowed for long
ZEROES = 0.2  # share of settlements that are exactly zero
STEADY = 10  # periods in a row with the same value
FACTOR = 8.0  # a level this many times the one before: another unit?
OUTLIER = 25.0  # median changes
LATE = 10.0  # median delays
ENDED = 30 * times.DAY  # before the newest of its file
SILENT = 7 * times.DAY  # without a story
ECHO = times.DAY  # the same headline within this time is told again


def of_funding(table: Table, now: int | None) -> Iterator[Finding]:
    """Settlements: order, size of the rates, intervals, holes. Raises BadData where the file cannot be read as such."""
    rate_name = table.need(*RATES)
    time_name = table.need(*TIME_COLUMNS[0], *SETTLED, *TIME_COLUMNS[1], *TIME_COLUMNS[2])
    at, unit = instants(table, time_name, unit=None)
    rates = numbers(table, rate_name)
    mark_name = table.find(*MARKS)
    marks = numbers(table, mark_name) if mark_name else None
    yield from _unit(table, "funding", unit)
    for symbol, rows in _groups(table).items():
        one = Rows(table, "funding", symbol, at[rows], rows)
        rate = rates[rows]
        yield from order_faults(one)
        yield from _future(one, now)
        yield from one.found(Severity.ERROR, "not_a_number", ~np.isfinite(rate), "the rate is empty or not a number", rate_name)
        yield from one.found(Severity.ERROR, "out_of_range", np.abs(rate) > 1, "a rate is a fraction of the notional", rate_name)
        high = (np.abs(rate) > HIGH_RATE) & (np.abs(rate) <= 1)
        yield from one.found(Severity.WARNING, "rate", high, f"a rate beyond {HIGH_RATE:.0%} in one settlement", rate_name)
        if marks is not None:
            yield from one.found(Severity.ERROR, "price_not_positive", marks[rows] <= 0, "the mark price is not above zero")
        yield from _settlements(one, np.sort(one.at), rate)


def _settlements(one: Rows, at: Ints, rate: Floats) -> Iterator[Finding]:
    late = (at + times.MINUTE) % times.HOUR > 2 * times.MINUTE
    yield from one._replace(at=at).found(Severity.WARNING, "off_hour", late, "settlements are on the hour: more than a minute off it")
    whole = np.unique((at + times.MINUTE) // times.HOUR * times.HOUR)
    missing, gaps = holes(whole, None)
    if gaps:
        longest = max(gaps, key=lambda gap: gap.stop - gap.start)
        detail = f"{len(gaps)} holes, the longest until {times.iso(longest.stop)}"
        yield one.note(Severity.WARNING, "gap", missing, gaps[0].start, detail, [gap.start - 1 for gap in gaps])
    steps = np.diff(whole)
    changes = _changes(steps)
    if changes:
        said = ", ".join(f"{times.span_text(int(steps[i]))} from {times.iso(int(whole[i]))}" for i in changes[:5])
        detail = f"the interval changes: {said}{' ...' if len(changes) > 5 else ''}"
        places = [int(whole[i]) for i in changes]
        yield one.note(Severity.NOTE, "interval", len(changes), places[0], detail, places)
    zero = rate == 0
    if zero.mean() > ZEROES:
        yield from one.found(Severity.NOTE, "zero_rate", zero, f"{zero.mean():.0%} of the rates are exactly zero")


def _changes(steps: Ints) -> list[int]:
    """Where another interval begins: a step that is not the last one that held, and comes twice."""
    held = np.flatnonzero(steps[1:] == steps[:-1])
    return [int(b) for a, b in pairwise(held) if steps[a] != steps[b]]


def of_metrics(table: Table, now: int | None) -> Iterator[Finding]:
    """Observations: when they could be known, holes, revisions, values that stand still or jump. Raises BadData like `of_funding`."""
    time_name = table.need("ts_ms", "date", "timestamp", "time", "day", *TIME_COLUMNS[0])
    at, unit = instants(table, time_name, unit=None)
    known, _ = instants(table, "available_ms", unit=None) if "available_ms" in table.columns else (None, "")
    yield from _unit(table, "metrics", unit)
    if known is None:
        detail = "no available_ms: a replay takes each value to be known a quarter of a period after its period has ended"
        yield Finding(Severity.NOTE, "no_available", "", table.rows, None, str(table.path), detail, (), "metrics")
    newest = int(at.max())
    for name, symbol, rows, values in _observed(table):
        label = f"{symbol} {name}".strip()
        one = Rows(table, "metrics", label, at[rows], rows)
        when = known[rows] if known is not None else None
        yield from _observations(one, when, values, now, newest)


def _observed(table: Table) -> Iterator[tuple[str, str, Ints, Floats]]:
    """name, asset, rows, values of each series that has a value."""
    long = "value" in table.columns and table.find(*NAMES)
    asset_name = table.find(*ASSETS)
    assets = rows_by_symbol(table, asset_name) if asset_name else {"": np.arange(table.rows)}
    if long:
        values = numbers(table, "value")
        names = np.array([name or "" for name in texts(table, str(long))])
        for asset, rows in assets.items():
            for name in dict.fromkeys(names[rows].tolist()):
                chosen = rows[(names[rows] == name) & ~np.isnan(values[rows])]
                if chosen.size:
                    yield metric_name(name), asset, chosen, values[chosen]
        return
    skip = {asset_name, "available_ms", "ts_ms", "date", "timestamp", "time", "day"}
    for raw in table.columns:
        if raw in skip:
            continue
        try:
            values = numbers(table, raw)
        except BadData:
            continue  # a column of text is no metric; the reader says so
        for asset, rows in assets.items():
            chosen = rows[~np.isnan(values[rows])]
            if chosen.size:
                yield metric_name(raw), asset, chosen, values[chosen]


def _observations(one: Rows, known: Ints | None, values: Floats, now: int | None, newest: int) -> Iterator[Finding]:
    if known is not None:
        yield from one.found(Severity.ERROR, "early", known < one.at, "available before its period begins", "available_ms")
        delay = known - one.at
        usual = float(np.median(delay))
        if usual > 0:
            yield from one.found(
                Severity.NOTE, "late", delay > LATE * usual, f"known {LATE:g} times later than usual ({usual / times.HOUR:.1f} h)"
            )
    yield from order_faults(one, known)
    yield from _future(one, now)
    yield from one.found(Severity.ERROR, "out_of_range", np.isinf(values), "the value is infinite")
    order = np.lexsort((known if known is not None else one.at, one.at))
    at, first = np.unique(one.at[order], return_index=True)
    if known is not None:
        again = np.flatnonzero((np.diff(one.at[order]) == 0) & (np.diff(known[order]) > 0))
        places = one.at[order][again].tolist()
        if places:
            detail = "values that were told again later: each counts from then on"
            yield one.note(Severity.NOTE, "revision", len(places), places[0], detail, places)
    step = commonest_step([at])
    ordered = one._replace(at=at, rows=one.rows[order[first]])
    value = values[order[first]]
    if step is not None:
        yield from gap_of(ordered, at, step)
    yield from ordered.found(Severity.NOTE, "stale", _steady(value), f"{STEADY} periods or more in a row with the same value")
    if newest - int(at[-1]) > ENDED:
        detail = f"ends at {times.iso(int(at[-1]))}, others of this file go on until {times.iso(newest)}"
        yield one.note(Severity.WARNING, "ended", 1, int(at[-1]), detail)
    yield from _levels(ordered, value)


def _levels(one: Rows, value: Floats) -> Iterator[Finding]:
    with np.errstate(all="ignore"):
        moves = np.append(0.0, np.diff(np.log(np.where((value > 0) & np.isfinite(value), value, np.nan))))
    known = np.abs(moves[1:][np.isfinite(moves[1:])])
    if known.size < STEADY:
        return
    usual = max(float(np.median(known)), 1e-6)
    with np.errstate(invalid="ignore"):
        shifted = (np.abs(moves) > np.log(FACTOR)) & (np.abs(moves) > OUTLIER * usual)
        far = (np.abs(moves) > OUTLIER * usual) & (np.abs(moves) > np.log(1.5)) & ~shifted
    yield from one.found(
        Severity.WARNING, "jump", shifted, f"more than {FACTOR:g} times the value before, or less than an eighth: another unit?"
    )
    yield from one.found(Severity.NOTE, "outlier", far, f"a change of more than {OUTLIER:g} times the usual one")


def of_news(table: Table, now: int | None) -> Iterator[Finding]:
    """Stories: times, titles, repetitions, scores, silence. Raises BadData like `of_funding`."""
    time_name = table.find(*PUBLISHED, "available_ms")
    if time_name is None:
        raise BadData(f"{table.path}: no column holds times (columns there: {', '.join(table.columns)})")
    at, unit = instants(table, time_name, unit=None)
    yield from _unit(table, "news", unit)
    one = Rows(table, "news", "", at, np.arange(table.rows))
    yield from _future(one, now)
    if "available_ms" in table.columns:
        known, _ = instants(table, "available_ms", unit=None)
        yield from one.found(Severity.ERROR, "early", known < at, "available before it was published", "available_ms")
    else:
        detail = "no available_ms: a replay takes a story to be known 15 minutes after its time"
        yield Finding(Severity.NOTE, "no_available", "", table.rows, None, str(table.path), detail, (), "news")
    titles = np.array([(title or "").strip().lower() for title in texts(table, str(table.find(*TITLES)))])
    yield from one.found(Severity.NOTE, "no_title", (titles == "") | (titles == "nan"), "stories without a title are left out")
    yield from one.found(Severity.NOTE, "repeated", _echoes(titles, at), "the same headline within a day")
    key = table.find("id", "guid")
    if key is not None:
        ids = np.array([name or "" for name in texts(table, key)])
        _, first = np.unique(ids, return_index=True)
        twice = (ids != "") & ~np.isin(np.arange(ids.size), first)
        yield from one.found(Severity.NOTE, "duplicate", twice, "an id that was told before: the first story counts", key)
    score = table.find(*SCORES)
    if score is not None:
        yield from one.found(Severity.ERROR, "out_of_range", np.abs(numbers(table, score)) > 1, "the sentiment is outside -1 .. 1", score)
    if "date_only" in table.columns:
        only = np.array([str(flag).lower() in ("true", "1") for flag in table.columns["date_only"].to_pylist()])
        yield from one.found(Severity.NOTE, "date_only", only, "no time of day: known at the end of that day")
    days = np.unique(at // times.DAY * times.DAY)
    quiet = np.flatnonzero(np.diff(days) > SILENT)
    if quiet.size:
        longest = int(np.diff(days).max() // times.DAY - 1)
        places = (days[quiet] + times.DAY).tolist()
        yield one.note(
            Severity.NOTE, "gap", int(quiet.size), places[0], f"a week or more without a story, at the longest {longest} days", places
        )


def _echoes(titles: np.ndarray[tuple[int], np.dtype[np.str_]], at: Ints) -> Mask:
    order = np.lexsort((at, titles))
    same = (titles[order][1:] == titles[order][:-1]) & (np.diff(at[order]) <= ECHO) & (titles[order][1:] != "")
    out = np.zeros(at.size, bool)
    out[order[1:][same]] = True
    return out


def _steady(value: Floats) -> Mask:
    """The rows of every run of at least STEADY equal values."""
    out = np.zeros(value.size, bool)
    edges = np.flatnonzero(np.concatenate(([True], np.diff(value) != 0, [True])))
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if end - start >= STEADY:
            out[start:end] = True
    return out


def _groups(table: Table) -> dict[str, Ints]:
    """Rows by symbol, and by venue where there are several."""
    symbol_name, venue_name = table.find(*SYMBOL_COLUMNS), table.find("venue", "exchange")
    by_symbol = rows_by_symbol(table, symbol_name) if symbol_name else {symbol_of(table.path): np.arange(table.rows)}
    if venue_name is None:
        return by_symbol
    venues = np.array([venue or "" for venue in texts(table, venue_name)])
    out = {}
    for symbol, rows in by_symbol.items():
        for venue in dict.fromkeys(venues[rows].tolist()):
            out[f"{symbol} {venue}".strip()] = rows[venues[rows] == venue]
    return out


def _unit(table: Table, kind: str, unit: str) -> Iterator[Finding]:
    if unit in ("seconds", "microseconds", "nanoseconds"):
        detail = f"times are in {unit}, milliseconds are expected; `sluice data import` converts them"
        yield Finding(Severity.ERROR, "unit_of_time", "", table.rows, None, str(table.path), detail, (), kind)


def _future(one: Rows, now: int | None) -> Iterator[Finding]:
    if now is not None:
        yield from one.found(Severity.ERROR, "future", one.at > now, f"after {times.iso(now)}")
