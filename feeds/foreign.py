"""A foreign file as series that can be stored: its rows converted, checked one by one, and told by symbol and bar length."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from feeds import times
from feeds.candle_files import PRICES, RULES, Mask, commonest_step, named
from feeds.columns import Roles, named_symbol, roles_of, span_in, symbol_in
from feeds.dates import KNOWN, Asked, Stamps, instants_of
from feeds.errors import BadData
from feeds.events import Source
from feeds.files import Floats, Ints
from feeds.instruments import base_of
from feeds.layout import BARS, METRICS, SYMBOL, Shelf, kind_of
from feeds.months import Month, of_values
from feeds.sheets import BadRow, Sheet, read_sheets
from feeds.synth import is_synthetic

VENUES = {"Binance klines": "binance", "klines without header": "binance", "Binance dump": "binance", "Bybit dump": "bybit"}
SCALES = {"K": 1e3, "M": 1e6, "B": 1e9}
USUAL = tuple(n * times.HOUR for n in (24, 12, 8, 6, 4, 2, 1)) + tuple(n * times.MINUTE for n in (30, 15, 10, 5, 3, 2, 1))
APART = 2.0  # turnover against volume times price
OFF_GRID = 0.1  # share of rows that may be broken, and the rest still tells the bar length
MOST_BAD = 1_000  # of one file that are named


class Wishes(NamedTuple):
    """What the user said; see `imports.import_files`."""

    symbols: tuple[str, ...] = ()
    timeframe: int | None = None
    now: int | None = None
    columns: Mapping[str, str] = {}
    kind: str | None = None
    asked: Asked = Asked()
    venue: str = ""
    alone: bool = True  # one file is read
    closes: bool = False  # times are the ends of bars


class Found(NamedTuple):
    """One table, understood: its series, and the rows that are in none."""

    sheet: Sheet
    roles: Roles
    stamps: Stamps
    timeframe: int | None
    series: dict[Shelf, Month]
    venue: str
    empty: int
    unfinished: int
    bad: list[BadRow]
    warnings: list[str]


class _Rows(NamedTuple):
    """The rows of one symbol that can be used: instants, values, and the rows of the sheet."""

    at: Ints
    values: Floats
    rows: Ints


def read_foreign(path: Path, wishes: Wishes) -> list[Found]:
    """Every table of a file. Raises BadData where it cannot be understood; bad rows are only named."""
    return [_understood(sheet, wishes) for sheet in read_sheets(path)]


def _understood(sheet: Sheet, wishes: Wishes) -> Found:
    one = wishes.symbols[0] if len(wishes.symbols) == 1 else None
    sheet, roles = roles_of(sheet, wishes.columns, wishes.kind, one or symbol_in(sheet.path))
    stamps = instants_of(sheet, roles.columns["ts"], wishes.asked)
    bad = [*sheet.bad, *stamps.bad]
    values, empty = _values(sheet, roles, bad)
    venue, theirs = _venue(sheet, roles, wishes.venue)
    usable = (stamps.at != KNOWN) & ~empty & theirs
    usable[[row.row for row in bad if row.row >= 0]] = False
    known = _known(sheet, roles, wishes.asked)
    if wishes.now is not None:
        usable &= ~_marked(sheet, stamps.at > wishes.now, usable, "ts", "is in the future", bad, roles)
    for role, mask, reason in _broken(roles.kind, values):
        usable &= ~_marked(sheet, mask, usable, role, reason, bad, roles)
    groups = _symbols(sheet, roles, wishes, usable)
    origin = Source.SYNTHETIC if is_synthetic(sheet.path) else Source.FILE
    found = Found(sheet, roles, stamps, None, {}, venue, int((empty & (stamps.at != KNOWN)).sum()), 0, bad, [])
    if not groups:
        return found
    runs = [np.sort(stamps.at[rows]) for rows in groups.values()]
    timeframe = _timeframe(sheet, roles, runs, wishes.timeframe)
    if roles.kind == "trades":
        return _bars_of_trades(found, groups, values, timeframe)
    if timeframe is not None and wishes.closes:
        stamps = stamps._replace(at=np.where(stamps.at == KNOWN, KNOWN, -(-stamps.at // timeframe) * timeframe - timeframe))
    odd = _turnover(sheet, roles, values, usable)
    series: dict[Shelf, Month] = {}
    unfinished = 0
    for symbol, group in groups.items():
        rows = group
        if timeframe is not None:
            off = stamps.at[group] % timeframe != 0
            _name(
                sheet, group[off], "ts", f"off the grid of {times.span_text(timeframe)} bars{_why(stamps.at[group], timeframe)}", bad, roles
            )
            late = roles.kind in BARS and wishes.now is not None
            open_ = stamps.at[group] + timeframe > (wishes.now or 0) if late else np.zeros(group.size, bool)
            unfinished += int((open_ & ~off).sum())
            rows = group[~off & ~open_]
        if rows.size:
            series |= _shelved(roles, symbol, timeframe, stamps.at, values, known, rows, origin)
    wait = [] if known is not None or roles.kind != "metrics" else [_assumed(sheet, timeframe)]
    notes = [f"{sheet.name}: {unfinished} bars have not closed yet; left out"] if unfinished else []
    return found._replace(timeframe=timeframe, series=series, unfinished=unfinished, warnings=[*notes, *odd, *wait])


def _venue(sheet: Sheet, roles: Roles, asked: str) -> tuple[str, Mask]:
    """Whose data a sheet holds, and the rows that are theirs."""
    every = np.ones(sheet.rows, bool)
    if "venue" not in roles.columns:
        return asked or VENUES.get(roles.layout, "file"), every
    cells = np.array([str(cell or "").strip().lower() for cell in sheet.columns[roles.columns["venue"][0]].to_pylist()])
    names = sorted(set(cells.tolist()) - {""})
    if len(names) < 2:
        return asked or (names[0] if names else "file"), every
    if asked.lower() not in names:
        raise BadData(f"{sheet.name}: it holds data of {', '.join(names)}, and a series is of one; say which: --venue {names[0]}")
    return asked.lower(), cells == asked.lower()


def _why(at: Ints, timeframe: int) -> str:
    """A word on rows that are all off the grid in the same way."""
    late = np.unique((at + times.SECOND) // times.SECOND * times.SECOND % timeframe)
    return ": are the times those of closes? --times closes" if late.tolist() == [0] else ""


def _turnover(sheet: Sheet, roles: Roles, values: dict[str, Floats], usable: Mask) -> list[str]:
    """A turnover that is not about volume times price is none; without a name it is not taken for one."""
    if roles.kind != "candles" or "turnover" not in values:
        return []
    with np.errstate(all="ignore"):
        ratio = (values["turnover"] / values["volume"] / values["close"])[usable & (values["volume"] > 0)]
    ratio = ratio[np.isfinite(ratio)]
    usual = float(np.median(ratio)) if ratio.size else 1.0
    if 1 / APART <= usual <= APART:
        return []
    name = sheet.raw[roles.columns["turnover"][0]]
    if not sheet.header and roles.columns["turnover"][0] == "turnover":
        values["turnover"] = np.full(sheet.rows, np.nan)
        roles.notes.append(f"column {name} is not read: it is not volume times price")
        return []
    return [f"{sheet.name}: {name} is {usual:.3g} times volume times close: is the volume in coins, and {name} in quote currency?"]


def _assumed(sheet: Sheet, timeframe: int | None) -> str:
    wait = _wait(timeframe)
    return f"{sheet.name}: no available_ms; each value is taken to be known {times.span_text(wait)} after its period begins"


def _wait(timeframe: int | None) -> int:
    """As `MetricFile` takes it: a quarter of a period after its end."""
    length = timeframe or times.DAY
    return length + length // 4


def _shelved(
    roles: Roles, symbol: str, timeframe: int | None, at: Ints, values: dict[str, Floats], known: Ints | None, rows: Ints, origin: Source
) -> dict[Shelf, Month]:
    def column(name: str) -> Floats:
        return values[name][rows] if name in values else np.full(rows.size, np.nan)

    if roles.kind == "metrics":
        out = {}
        for metric in roles.metrics.values():
            there = ~np.isnan(column(metric))
            when = at[rows] + _wait(timeframe) if known is None else known[rows]
            if there.any():
                month = of_values(at[rows][there], column(metric)[there, None], origin, when[there])
                out[Shelf(METRICS + metric, timeframe, symbol)] = month
        return out
    kind = kind_of(roles.kind)
    stacked = np.column_stack([column(name) for name in kind.values])
    return {Shelf(roles.kind, timeframe if kind.spaced else None, symbol): of_values(at[rows], stacked, origin)}


def _values(sheet: Sheet, roles: Roles, bad: list[BadRow]) -> tuple[dict[str, Floats], Mask]:
    """The columns of numbers by role or metric, and the rows that hold none of those that matter: nobody traded."""
    wanted = {role: names[0] for role, names in roles.columns.items() if role not in ("ts", "symbol", "available", "venue")}
    wanted |= {metric: name for name, metric in roles.metrics.items()}
    values = {role: _numbers(sheet, name, roles, bad) for role, name in wanted.items()}
    matter = {"funding": ("funding_rate",), "metrics": tuple(roles.metrics.values()), "trades": ("close",)}.get(roles.kind, PRICES)
    empty = np.ones(sheet.rows, bool)
    for role in matter:
        empty &= np.isnan(values[role])
    return values, empty


def _numbers(sheet: Sheet, name: str, roles: Roles, bad: list[BadRow]) -> Floats:
    column = sheet.columns[name]
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
            if roles.kind == "metrics":
                return np.full(sheet.rows, np.nan)
            raise BadData(f"{sheet.name}: column {sheet.raw[name]} holds {kind}, not numbers")
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
    try:
        trimmed = pa.compute.utf8_trim_whitespace(column.cast(pa.string()))
        filled = pa.compute.if_else(
            pa.compute.is_in(trimmed, value_set=pa.array(["", "nan", "NaN", "null", "None", "NULL", "NA", "-"])), None, trimmed
        )
        return np.asarray(filled.cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowException:
        return _odd_numbers(sheet, name, roles, bad)


def _odd_numbers(sheet: Sheet, name: str, roles: Roles, bad: list[BadRow]) -> Floats:
    """1,234.5 and 12.3K as numbers; what is none is bad, and a column of text in a table of metrics is no metric."""
    out = np.full(sheet.rows, np.nan)
    wrong: list[BadRow] = []
    odd = False
    cells = [None if cell is None else str(cell).strip() for cell in sheet.columns[name].to_pylist()]
    decimal = not any("." in cell for cell in cells if cell) and any(
        re.fullmatch(r"[-+]?\d+,(\d{1,2}|\d{4,})", cell) for cell in cells if cell
    )
    for row, cell in enumerate(cells):
        text = cell or ""
        if text.lower() in ("", "nan", "null", "none", "na", "-"):
            continue
        scaled = re.fullmatch(r"([-+]?[\d.,]+)\s*([KMB])", text)
        plain = scaled[1] if scaled else text.lstrip("$€£")
        plain = plain.replace(",", ".") if decimal else re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", plain)
        try:
            out[row] = float(plain) * (SCALES[scaled[2]] if scaled else 1.0) if "_" not in plain else float("x")
            odd = odd or plain != text
        except ValueError:
            wrong.append(BadRow(sheet.place(row, name), f"{text[:40]!r} is no number", row))
    if roles.kind == "metrics" and len(wrong) * 2 > sheet.rows:
        roles.notes.append(f"{sheet.raw[name]} holds text: not read")
        return np.full(sheet.rows, np.nan)
    if odd:
        how = "a decimal comma" if decimal else "separators or K, M, B: read as full numbers"
        roles.notes.append(f"{sheet.raw[name]} is written with {how}")
    bad += wrong
    return out


def _known(sheet: Sheet, roles: Roles, asked: Asked) -> Ints | None:
    if "available" not in roles.columns:
        return None
    return instants_of(sheet, roles.columns["available"], asked).at


def _broken(kind: str, values: dict[str, Floats]) -> list[tuple[str, Mask, str]]:
    """What makes a row impossible, in the order in which it is told: role, rows, reason."""
    if kind == "funding":
        rates = values["funding_rate"]
        return [("funding_rate", ~(np.abs(rates) <= 1), "is no rate: a fraction of the notional, between -1 and 1")]
    if kind == "metrics":
        return [(name, np.isinf(column), "is infinite") for name, column in values.items()]
    if kind == "trades":
        price, size = values["close"], values["volume"]
        return [("close", ~((price > 0) & (price < 1e15)), "is no price"), ("volume", ~((size >= 0) & (size < 1e21)), "is no size")]
    unknown = np.full(values["open"].size, np.nan)
    columns = named([*(values[name] for name in PRICES), values.get("volume", unknown), values.get("turnover", unknown)])
    rules = RULES if kind == "candles" else [rule for rule in RULES if rule.column in PRICES]
    if kind == "premium":  # a premium may be below zero
        rules = [rule for rule in rules if rule.code != "price_not_positive"]
    return [(rule.column, rule.broken(columns), rule.says) for rule in rules]


def _marked(sheet: Sheet, mask: Mask, usable: Mask, role: str, reason: str, bad: list[BadRow], roles: Roles) -> Mask:
    """The usable rows that a rule marks, named."""
    both = mask & usable
    _name(sheet, np.flatnonzero(both), role, reason, bad, roles)
    return both


def _name(sheet: Sheet, rows: Ints, role: str, reason: str, bad: list[BadRow], roles: Roles) -> None:
    name = roles.columns.get(role, (role,))[0]
    column = sheet.columns.get(name)
    for row in rows[:MOST_BAD].tolist():
        cell = f"{str(column[row].as_py())[:40]} " if column is not None else ""
        bad.append(BadRow(sheet.place(row, name), f"{role} {cell}{reason}", row))
    bad += [BadRow(sheet.place(row, name), reason, row) for row in rows[MOST_BAD:].tolist()]


def _symbols(sheet: Sheet, roles: Roles, wishes: Wishes, usable: Mask) -> dict[str, Ints]:
    """The usable rows of each symbol that is wanted."""
    if "symbol" not in roles.columns:
        symbol = symbol_in(sheet.path)
        clear = symbol is not None and base_of(symbol) != symbol
        if len(wishes.symbols) == 1 and (wishes.alone or not clear):
            symbol = wishes.symbols[0]
        if symbol is None:
            whole = "; what is about the whole market needs no import: give it to --metrics" if roles.kind == "metrics" else ""
            raise BadData(
                f"{sheet.name}: neither a column nor the name of the file says of which symbol it is; say it: --symbols BTCUSDT{whole}"
            )
        if wishes.symbols and symbol not in wishes.symbols:
            return {}
        return {symbol: np.flatnonzero(usable)} if usable.any() else {}
    coded = sheet.columns[roles.columns["symbol"][0]].cast(pa.string()).combine_chunks().dictionary_encode()
    codes = np.asarray(coded.indices.fill_null(-1))
    if (usable & (codes < 0)).any():
        row = int(np.argmax(usable & (codes < 0)))
        raise BadData(f"{sheet.place(row, roles.columns['symbol'][0])}: the symbol is empty; give it or remove the row")
    out: dict[str, list[Ints]] = {}
    for code, text in enumerate(coded.dictionary.to_pylist()):
        rows = np.flatnonzero(usable & (codes == code))
        symbol = named_symbol(text) or (text if SYMBOL.fullmatch(text) else None)
        if not rows.size:
            continue
        if symbol is None:
            place = sheet.place(int(rows[0]), roles.columns["symbol"][0])
            raise BadData(f"{place}: {text[:64]!r} is no symbol; correct it, or name the column: --columns symbol=NAME")
        if symbol != text:
            roles.notes.append(f"{text} is stored as {symbol}")
        if not wishes.symbols or symbol in wishes.symbols:
            out.setdefault(symbol, []).append(rows)
    return {symbol: np.sort(np.concatenate(parts)) for symbol, parts in out.items()}


def _timeframe(sheet: Sheet, roles: Roles, runs: Sequence[Ints], asked: int | None) -> int | None:
    """The bar length: as asked, else as the rows are spaced, checked against what the name of the file says."""
    if roles.kind == "funding":
        return None
    said = span_in(sheet.path)
    if roles.kind == "trades":
        if asked is None:
            raise BadData(f"{sheet.name}: it holds trades; say how long the bars are to be that they make: --timeframe 1m")
        return asked
    step = _step(runs)
    length = asked or step or said
    if length is None:
        raise BadData(f"{sheet.name}: one row alone does not say how long a bar is; give --timeframe, such as 1h")
    if asked is not None and step is not None and step < asked and not _fits(runs, asked):
        raise BadData(
            f"{sheet.name}: its rows are {times.span_text(step)} apart, not {times.span_text(asked)}; leave --timeframe out: "
            "a replay makes longer bars itself"
        )
    if asked is None and said is not None and step is not None and said != step:
        if step % said or any((run % said).any() for run in runs):
            raise BadData(
                f"{sheet.name}: its name says {times.span_text(said)}, its rows are {times.span_text(step)} apart; "
                "say which is right: --timeframe"
            )
        length = said  # most bars are missing: nobody traded
    if times.DAY % length:
        raise BadData(f"{sheet.name}: its rows are {times.span_text(length)} apart, which does not divide a day; give --timeframe")
    return length


def _step(runs: Sequence[Ints]) -> int | None:
    """The commonest distance of rows; where most rows are not on its grid, the longest usual one on whose grid nearly all are."""
    step = commonest_step(runs)
    if step is None:
        return None
    if _fits(runs, step):
        return step
    return next((length for length in USUAL if length < step and _fits(runs, length)), step)


def _fits(runs: Sequence[Ints], length: int) -> bool:
    """Whether all rows but a few stand on the grid of this length."""
    at = np.concatenate(runs)
    return int((at % length != 0).sum()) <= max(1, int(OFF_GRID * at.size))


def _bars_of_trades(found: Found, groups: dict[str, Ints], values: dict[str, Floats], timeframe: int | None) -> Found:
    """Bars from trades: the first, highest, lowest and last price, the sizes summed, and the price times size."""
    assert timeframe is not None
    series = {}
    for symbol, rows in groups.items():
        order = rows[np.argsort(found.stamps.at[rows], kind="stable")]
        if found.stamps.at[rows[0]] > found.stamps.at[rows[-1]]:  # newest first: within one instant too
            order = rows[::-1][np.argsort(found.stamps.at[rows[::-1]], kind="stable")]
        at, price, size = found.stamps.at[order] // timeframe * timeframe, values["close"][order], values["volume"][order]
        starts = np.flatnonzero(np.append(True, np.diff(at) > 0))
        ends = np.append(starts[1:], at.size) - 1
        columns = (
            price[starts], np.maximum.reduceat(price, starts), np.minimum.reduceat(price, starts), price[ends],
            np.add.reduceat(size, starts), np.add.reduceat(price * size, starts),
        )  # fmt: skip
        series[Shelf("candles", timeframe, symbol)] = of_values(at[starts], np.column_stack(columns), Source.FILE)
    said = f"{found.sheet.name}: trades made into {times.span_text(timeframe)} bars; the first and the last may have only a part of theirs"
    return found._replace(timeframe=timeframe, series=series, warnings=[said])
