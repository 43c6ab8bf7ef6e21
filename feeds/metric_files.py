"""Metrics from files: each observation is known at `available_ms`, never at the period that it describes.

Where a file does not say when a value could be known, it is taken to be known a quarter of a period after its period has
ended (a daily value: 06:00 UTC of the next day), which is later than the usual publication.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from feeds import times
from feeds.errors import BadData
from feeds.events import Metric
from feeds.files import Floats, Ints, Table, find_files, instants, is_number, numbers, read_table, texts, time_column
from feeds.instruments import symbol_for
from feeds.layout import folders_of
from feeds.metric_names import NETS, RESERVED, metric_name, snake

NAMES = ("metric", "name", "series")
ASSETS = ("asset", "symbol", "coin")

SHAPES = (
    "long: metric, ts_ms, [available_ms], value, [symbol or asset]; "
    "wide: [asset or symbol], ts_ms, [available_ms] and one numeric column for each metric"
)


class _Observations(NamedTuple):
    """One named series of one file: known at, period start int64[n]; values float64[n], finite."""

    name: str
    symbol: str | None
    at: Ints
    period: Ints
    values: Floats


class MetricFile:
    """The observations of files, by when they became known. At one instant they stand before the candles.

    symbols  the traded ones: an asset (`btc`) becomes the symbol that trades it (`BTCUSDT`), and every other asset's series
             a market-wide metric with the asset in its name (`usdt_active_addresses`)

    `dropped` counts empty cells left out. Raises BadData with file, row and column, or the shapes that are accepted.
    """

    name = "metrics"
    after_candles = False

    def __init__(self, paths: Iterable[str | Path], symbols: Sequence[str] = ()) -> None:
        self.dropped = 0
        self.warnings: list[str] = []
        self._parts: list[_Observations] = []
        self._symbols = tuple(symbols)
        for path in find_files(folders_of(paths, "metrics")):
            self._read(path)
        self._check_repeats()
        self.names = tuple(sorted({part.name for part in self._parts}))

    def __len__(self) -> int:
        return sum(int(part.at.size) for part in self._parts)

    def events(self) -> Iterator[Metric]:
        """By the time they became known, then by period: of two known at once the newer period comes last."""
        if not self._parts:
            return
        at, period, values = (np.concatenate([part[i] for part in self._parts]) for i in (2, 3, 4))
        which = np.repeat(np.arange(len(self._parts)), [part.at.size for part in self._parts])
        for i in np.lexsort((which, period, at)).tolist():
            part = self._parts[which[i]]
            yield Metric(at=int(at[i]), name=part.name, symbol=part.symbol, value=float(values[i]), period_ms=int(period[i]), source="file")

    async def stream(self) -> AsyncIterator[Metric]:
        """The observations as a feed."""
        for event in self.events():
            yield event

    def _read(self, path: Path) -> None:
        table = read_table(path)
        time_name = next((name for name in ("ts_ms", "date", "timestamp", "time", "day") if name in table.columns), None)
        if time_name is None:
            raise _unknown(table, "no column holds the time")
        if {"open", "high", "low", "close"} <= set(table.columns):
            raise _unknown(table, "it looks like candles: give it to --candles")
        period, _ = instants(table, time_name if time_name != "time" else time_column(table))
        at = self._known_at(table, time_name, period)
        before = len(self._parts)
        if "value" in table.columns and table.find(*NAMES):
            self._read_long(table, at, period)
        else:
            self._read_wide(table, time_name, at, period)
        if len(self._parts) == before:
            raise _unknown(table, "no column holds numbers")

    def _known_at(self, table: Table, time_name: str, period: Ints) -> Ints:
        if "available_ms" in table.columns:
            at, _ = instants(table, "available_ms")
            early = at < period
            if early.any():
                row = int(np.argmax(early))
                raise BadData(
                    f"{table.place(row, 'available_ms')}: the value is available before its period ({time_name}) begins; correct it"
                )
            return at
        steps, counts = np.unique(np.diff(np.unique(period)), return_counts=True)
        length = int(steps[np.argmax(counts)]) if steps.size else times.DAY
        wait = length + length // 4
        self.warnings.append(
            f"{table.path}: no available_ms; each value is taken to be known {times.span_text(wait)} after its period begins"
        )
        return period + wait

    def _read_long(self, table: Table, at: Ints, period: Ints) -> None:
        name_column = table.need(*NAMES)
        asset_column = table.find(*ASSETS)
        values = self._values(table, "value")
        names = texts(table, name_column)
        assets = texts(table, asset_column) if asset_column else [None] * table.rows
        groups: dict[tuple[str, str | None], list[int]] = {}
        for row, (name, asset) in enumerate(zip(names, assets, strict=True)):
            if name is None:
                raise BadData(f"{table.place(row, name_column)}: the metric's name is empty; give it or remove the row")
            groups.setdefault((metric_name(name), asset), []).append(row)
        for (name, asset), listed in groups.items():
            rows = np.asarray(listed)
            self._add(table, asset, _Observations(name, None, at[rows], period[rows], values[rows]))

    def _read_wide(self, table: Table, time_name: str, at: Ints, period: Ints) -> None:
        asset_column = table.find(*ASSETS)
        others = [name for name in table.columns if name not in (time_name, "available_ms", asset_column)]
        columns = {}
        left_out = []
        for raw in others:
            if _numeric(table, raw):
                columns[metric_name(raw)] = self._values(table, raw)
            else:
                left_out.append(raw)
        if left_out:
            self.warnings.append(f"{table.path}: columns of text left out: {', '.join(left_out)}")
        for net, plus, minus in NETS:
            if plus in columns and minus in columns and net not in columns:
                columns[net] = columns[plus] - columns[minus]
        groups: dict[str | None, list[int]] = {}
        for row, asset in enumerate(texts(table, asset_column) if asset_column else [None] * table.rows):
            if asset is None and asset_column:
                raise BadData(f"{table.place(row, asset_column)}: the asset is empty; give it or remove the row")
            groups.setdefault(asset, []).append(row)
        for asset, listed in groups.items():
            rows = np.asarray(listed)
            for name, values in columns.items():
                self._add(table, asset, _Observations(name, None, at[rows], period[rows], values[rows]))

    def _values(self, table: Table, name: str) -> Floats:
        values = numbers(table, name)
        if np.isinf(values).any():
            row = int(np.argmax(np.isinf(values)))
            raise BadData(f"{table.place(row, name)}: {values[row]} is no number; correct the cell or leave it empty")
        return values

    def _add(self, table: Table, asset: str | None, part: _Observations) -> None:
        if part.name in RESERVED:
            raise _unknown(table, f"the metric {part.name} has the name of a candle's field; rename the column")
        known = ~np.isnan(part.values)
        if not known.any():
            return
        self.dropped += int(known.size - known.sum())
        symbol = None if asset is None else symbol_for(asset, self._symbols)
        name = part.name if asset is None or symbol is not None else f"{snake(_coin(asset))}_{part.name}"
        self._parts.append(_Observations(name, symbol, part.at[known], part.period[known], part.values[known]))

    def _check_repeats(self) -> None:
        groups: dict[tuple[str, str | None], list[_Observations]] = {}
        for part in self._parts:
            groups.setdefault((part.name, part.symbol), []).append(part)
        for (name, symbol), parts in groups.items():
            stamps = np.concatenate([np.stack([part.period, part.at], axis=1) for part in parts])
            stamps = stamps[np.lexsort((stamps[:, 1], stamps[:, 0]))]
            same = np.flatnonzero((np.diff(stamps, axis=0) == 0).all(axis=1))
            if same.size:
                when = times.iso(int(stamps[same[0], 0]))
                what = name if symbol is None else f"{name} of {symbol}"
                raise BadData(f"metric files: {what} for {when} is given twice; remove one of the two rows or one of the files")


def names_in(paths: Iterable[str | Path], symbols: Sequence[str] = ()) -> tuple[str, ...]:
    """The names that these files give. Raises BadData like `MetricFile`."""
    return MetricFile(paths, symbols).names


def _coin(asset: str) -> str:
    """`BTCUSDT` is about btc; a short name is a coin's own (`USDT`, `TUSD`)."""
    return next((asset[:-4] for quote in ("USDT", "USDC") if asset.upper().endswith(quote) and len(asset) > 6), asset).lower()


def _unknown(table: Table, reason: str) -> BadData:
    return BadData(f"{table.path}: {reason} (columns there: {', '.join(table.columns)}); a metric file has one of these shapes: {SHAPES}")


def _numeric(table: Table, name: str) -> bool:
    kind = table.columns[name].type
    if not table.text:
        return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind))
    try:
        return not np.isnan(numbers(table, name)).all()
    except BadData:
        cells = [cell for cell in texts(table, name) if cell]
        if 2 * sum(map(is_number, cells)) > len(cells):
            raise  # numbers, and a cell that is broken
        return False
