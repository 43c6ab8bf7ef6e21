"""Foreign candle files into the archive: columns, layout and unit of time are found out, and said.

Everything is read and checked before the first bar is stored: a file that cannot be right stops the import with nothing written.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from feeds.archive import Appended, Archive
from feeds.candle_files import PRICES, TURNOVERS, VOLUMES, Series, check_series, series_of
from feeds.errors import BadData
from feeds.events import Source
from feeds.files import SYMBOL_COLUMNS, TEXT, Table, find_files, first_line, has_header, instants, read_table, symbol_of, time_column
from feeds.history import History, history_of
from feeds.synth import is_synthetic

# Binance's public dumps before 2025 have no header line
BINANCE_KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades", "taker_buy_volume",
    "taker_buy_quote_volume", "ignore",
)  # fmt: skip
PLAIN = BINANCE_KLINES[:6]


class Mapped(NamedTuple):
    """How a file was understood. `columns` ours -> the file's; `unit` what its times are in; `layout` which kind of file it is."""

    path: Path
    layout: str
    columns: dict[str, str]
    unit: str
    symbols: tuple[str, ...]
    rows: int


class Imported(NamedTuple):
    """The files as they were understood, the history they gave, and what became of its bars."""

    files: list[Mapped]
    history: History
    appended: Appended


def import_files(
    paths: Iterable[str | Path],
    archive: Archive,
    *,
    symbols: Sequence[str] | None = None,
    timeframe: int | None = None,
    now: int | None = None,
) -> Imported:
    """Read candle files of any layout we know into the archive.

    symbols    those wanted; where one is given and one file without a symbol column, the file is that symbol's
    timeframe  milliseconds (None: found out)
    Raises BadData with file, row and column; nothing is stored then.
    """
    files = find_files(paths)
    mapped: list[Mapped] = []
    series: list[Series] = []
    for path in files:
        table, layout = _table(path)
        found = series_of(table, None, unit=None)
        if symbols is not None and len(symbols) == 1 and len(files) == 1 and table.find(*SYMBOL_COLUMNS) is None:
            found = [one._replace(symbol=symbols[0]) for one in found]
        found = [one for one in found if symbols is None or one.symbol in symbols]
        for one in found:
            check_series(one, now)
        series += found
        if found:
            mapped.append(_mapping(table, layout, tuple(one.symbol for one in found)))
    missing = [symbol for symbol in symbols or () if symbol not in {one.symbol for one in series}]
    if missing or not series:
        named = ", ".join(sorted({symbol_of(path) for path in files})[:12])
        raise BadData(f"no candles for {', '.join(missing) or 'any symbol'}; the files are named {named}; check --symbols")
    history = history_of(series, symbols, timeframe, now)
    if any(is_synthetic(file.path) for file in mapped):
        history.source = Source.SYNTHETIC  # the archive keeps the label
    return Imported(mapped, history, archive.append(history))


def _table(path: Path) -> tuple[Table, str]:
    if path.name.lower().endswith(TEXT):
        line = first_line(path)
        if line.strip() and not has_header(line):
            cells = line.count(",") + 1
            header = {
                len(BINANCE_KLINES): BINANCE_KLINES,
                len(PLAIN): PLAIN,
                len(PLAIN) + 1: (*PLAIN, "turnover"),
            }.get(cells)
            if header is None:
                raise BadData(f"{path}: no header line and {cells} columns: cannot tell which is which; add a header line")
            return read_table(path, header=header), "klines without header" if cells == len(BINANCE_KLINES) else "CSV without header"
    table = read_table(path)
    if path.suffix.lower() in (".feather", ".arrow"):
        return table, "Feather"
    if table.text:
        return table, "CSV"
    return table, "Parquet"


def _mapping(table: Table, layout: str, symbols: tuple[str, ...]) -> Mapped:
    time_name = time_column(table)
    columns = {"open_ms": time_name, **{name: name for name in PRICES}, "volume": table.need(*VOLUMES)}
    turnover, symbol = table.find(*TURNOVERS), table.find(*SYMBOL_COLUMNS)
    if turnover:
        columns["turnover"] = turnover
    if symbol:
        columns["symbol"] = symbol
    _, unit = instants(table, time_name, unit=None)
    return Mapped(table.path, layout, columns, unit, symbols, table.rows)
