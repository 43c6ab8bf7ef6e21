"""The market that a factor is tried on: prices, volumes and funding of symbols over time, and when each could be traded.

The rule: a row is a bar, whether a symbol has one or not. What is missing is NaN and never joined over, and a coin that ended is
there until it ended.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.research.universe import Universe
from feeds import times
from feeds.bars import COLUMNS, Array, Bars
from feeds.candle_files import RULES
from feeds.errors import BadData
from feeds.events import Event
from feeds.funding_files import FundingFile
from feeds.metric_files import MetricFile
from feeds.news_files import NewsFile
from feeds.panel_files import Panel
from strategies.snapshot import TRAILING, Ageing, Assembler

Mask = NDArray[np.bool_]

OTHER_COIN = 10.0  # a price this many times higher or lower across a gap is another coin under an old name
FUNDING = "funding_rate"
STORIES = ("sentiment_news", "news_count", "sentiment_social", "social_count")
MISSING: Mapping[str, Array] = {}


class Market(NamedTuple):
    """T bars of S symbols.

    start_ms   open of the first bar, UTC milliseconds;  timeframe  milliseconds of a bar
    open .. turnover  float64[T, S], NaN where a symbol has no bar
    funding    float64[T, S], paid by who is long from this bar's open to the next: the settlements after the open, up to and at the
               close, as a fraction of the bar's last price; 0 where there is none
    listed     bool[T, S], whether the symbol belonged to the universe then, by what was known then
    fields     further columns that factors may read, float64[T, S] each
    begin      the first row that is judged; those before it warm up
    warnings   for people
    """

    symbols: tuple[str, ...]
    timeframe: int
    start_ms: int
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    turnover: Array
    funding: Array
    listed: Mask
    fields: Mapping[str, Array] = MISSING
    begin: int = 0
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, close: Array, open: Array | None = None, *, timeframe: int = times.HOUR, start_ms: int = 0, volume: float = 1e6,
        funding: Array | None = None, listed: Mask | None = None, symbols: Sequence[str] = (), fields: Mapping[str, Array] = MISSING,
    ) -> "Market":  # fmt: skip
        """From closes alone, float64[T, S]: a bar opens where the one before closed, and has the same volume as any other."""
        close = np.asarray(close, np.float64)
        if open is None:
            open = np.vstack([close[:1], close[:-1]])
            open = np.where(np.isnan(open), close, open)
        open = np.where(np.isnan(close), np.nan, open)
        traded = np.where(np.isnan(close), np.nan, volume)
        names = tuple(symbols) or tuple(f"S{i}" for i in range(close.shape[1]))
        high, low = np.fmax(open, close), np.fmin(open, close)
        funding = np.zeros(close.shape) if funding is None else funding
        here = _alive(close) if listed is None else listed
        return cls(names, timeframe, start_ms, open, high, low, close, traded, traded * close, funding, here, fields)

    @property
    def rows(self) -> int:
        """T."""
        return int(self.close.shape[0])

    @property
    def first(self) -> int:
        """Absolute number of the first bar."""
        return self.start_ms // self.timeframe

    @property
    def columns(self) -> tuple[str, ...]:
        """Every field that a factor may read."""
        return (*COLUMNS, *(name for name in self.fields if name not in COLUMNS))

    def open_ms(self, row: int) -> int:
        """When this bar opens."""
        return self.start_ms + row * self.timeframe

    def inputs(self, names: Sequence[str], start: int, stop: int) -> Array:
        """float64[stop - start, field, S] of these rows."""
        return np.stack([self.column(name)[start:stop] for name in names], axis=1)

    def column(self, name: str) -> Array:
        """float64[T, S]."""
        found: Array = getattr(self, name) if name in COLUMNS else self.fields[name]
        return found

    def until(self, row: int) -> "Market":
        """The rows before this one, and nothing of what came later."""
        if row >= self.rows:
            return self
        cut = {name: getattr(self, name)[:row] for name in (*COLUMNS, "funding", "listed")}
        return self._replace(**cut, fields={name: values[:row] for name, values in self.fields.items()})


class Sources:
    """What a market is made of: files of candles, and what is known besides them. `fields` are the names that factors may read.

    funding, metrics, news  stored events of these;  universe  memberships; None where there are none
    """

    def __init__(
        self, panel: Panel, funding: FundingFile | None = None, metrics: MetricFile | None = None, news: NewsFile | None = None,
        universe: Universe | None = None,
    ) -> None:  # fmt: skip
        self.panel, self.funding, self.metrics, self.news, self.universe = panel, funding, metrics, news, universe
        slow = (*((FUNDING,) if funding else ()), *(metrics.names if metrics else ()))
        known = [*COLUMNS, *panel.fields, *slow, *(name + TRAILING for name in slow), *(STORIES if news else ())]
        self.fields = tuple(dict.fromkeys(name for name in known if name != "turnover" or "turnover" in panel.fields))

    def market(self, wanted: Collection[str] = (), start: int | None = None, stop: int | None = None) -> Market:
        """The market, with these fields besides those of a bar.

        start  the first bar that is judged (the ones before warm up);  stop  the last bar that is there; by their open, UTC milliseconds
        Raises BadData for a price that cannot be, and where no bar is left.
        """
        panel = self.panel
        step, phase = panel.timeframe, int(panel.times[0]) % panel.timeframe
        first = int(panel.numbers[0])
        end = int(panel.numbers[-1]) + 1 if stop is None else min(int(panel.numbers[-1]), (stop - phase) // step) + 1
        begin = 0 if start is None else max(0, -((phase - start) // step) - first)
        if begin >= end - first:
            span = f"{times.iso(int(panel.times[0]))} to {times.iso(int(panel.times[-1]))}"
            raise BadData(f"no bar of the data lies between --from and --to: they are from {span}")
        bars = [panel.values([name], first, end)[:, 0] if name in panel.fields else _unknown(panel, end - first) for name in COLUMNS]
        _check(panel, bars, first * step + phase)
        whole = ~(np.isnan(bars[0]) | np.isnan(bars[3]))
        warnings = list(panel.notes)
        reused = _other_coins(bars[0], bars[3], whole)
        for s, row in reused.items():
            whole[row:, s] = False
            warnings.append(
                f"{panel.symbols[s]}: its price is {OTHER_COIN:g} times another across the gap before "
                f"{times.iso((first + row) * step + phase)}: taken for another coin under the old name, and left out from there on"
            )
        bars = [np.where(whole, column, np.nan) for column in bars]
        columns = dict(zip(COLUMNS, bars, strict=True))
        listed = _alive(columns["close"])
        start_ms = first * step + phase
        if self.universe is not None:
            inside, told = self.universe.members(panel.symbols, start_ms, step, end - first)
            listed &= inside
            warnings += told
        known = [name for name in wanted if name in panel.fields and name not in COLUMNS]
        fields = {name: np.where(whole, panel.values([name], first, end)[:, 0], np.nan) for name in known}
        fields |= self._slow([name for name in wanted if name not in (*COLUMNS, *known)], start_ms, end - first)
        paid = self._paid(columns, start_ms)
        for source in (self.funding, self.metrics, self.news):
            warnings += source.warnings if source else []
        if self.funding:
            warnings += self.funding.uncovered(start_ms + begin * step, start_ms + (end - first) * step)
        return Market(
            panel.symbols, step, start_ms, **columns, funding=paid, listed=listed, fields=fields, begin=begin, warnings=tuple(warnings)
        )  # fmt: skip

    def _slow(self, names: list[str], start_ms: int, rows: int) -> dict[str, Array]:
        """Metrics, funding rates and headlines as they were known at each close, through the assembler of a session."""
        if not names:
            return {}
        step, symbols = self.panel.timeframe, self.panel.symbols
        events: list[tuple[int, int, int, Event]] = []
        for order, source in enumerate((self.metrics, self.news, self.funding)):
            for event in source.events() if source else ():
                behind = source is self.funding  # at one instant a settlement comes after the candles
                number = (event.at - start_ms) // step + 1 if behind else -(-(event.at - start_ms) // step)
                events.append((max(0, number - 1), event.at, order, event))
        events.sort(key=lambda row: row[:3])
        empty = np.empty((rows, len(COLUMNS), len(symbols)))
        bars = Bars(symbols, step, start_ms // step, empty)
        columns = Assembler(symbols, names, Ageing()).columns(bars, [(row, event) for row, _, _, event in events if row < rows])
        return {name: np.ascontiguousarray(columns.values[:, i]) for i, name in enumerate(names)}

    def _paid(self, columns: Mapping[str, Array], start_ms: int) -> Array:
        """What a long pays within each bar, as a fraction of its last price: at the settlement's mark, else at the close where the bar
        closes then, else at the open."""
        close = forward_filled(columns["close"])
        paid = np.zeros(close.shape)
        places = {symbol: s for s, symbol in enumerate(self.panel.symbols)}
        for event in self.funding.events() if self.funding else ():
            s, row = places[event.symbol], (event.settle_ms - 1 - start_ms) // self.panel.timeframe
            if not 0 <= row < len(paid) or not close[row, s] > 0:
                continue
            at_close = event.settle_ms == start_ms + (row + 1) * self.panel.timeframe
            price = close[row, s] if at_close else columns["open"][row, s]
            mark = event.mark if event.mark is not None else price if price == price else close[row, s]
            paid[row, s] += event.rate * mark / close[row, s]
        return paid


def forward_filled(values: Array) -> Array:
    """The last known value of each column; NaN before the first.

    values  float64[T, S]
    """
    rows = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.take_along_axis(values, rows, axis=0)


def ends(market: Market) -> NDArray[np.int64]:
    """int64[S]: the row after the last with a price; 0 where there is none."""
    known = ~np.isnan(market.close)
    return np.where(known.any(axis=0), market.rows - np.argmax(known[::-1], axis=0), 0)


def _alive(close: Array) -> Mask:
    """From a symbol's first bar to its last."""
    known = ~np.isnan(close)
    return np.asarray(np.logical_or.accumulate(known, axis=0) & np.logical_or.accumulate(known[::-1], axis=0)[::-1])


def _unknown(panel: Panel, rows: int) -> Array:
    return np.full((rows, len(panel.symbols)), np.nan)


def _check(panel: Panel, bars: Sequence[Array], start_ms: int) -> None:
    """Raises BadData for the first bar that cannot be."""
    columns = dict(zip(COLUMNS, bars, strict=True))
    for rule in RULES:
        if rule.code == "not_a_number":
            continue
        with np.errstate(invalid="ignore"):
            broken = rule.broken(columns)
        if broken.any():
            row, s = np.argwhere(broken)[0]
            value, when = columns[rule.column][row, s], times.iso(start_ms + int(row) * panel.timeframe)
            raise BadData(
                f"{panel.symbols[s]} {when}: {rule.column} {value!r} {rule.says}; correct or remove the row; `sluice data check` finds it"
            )


def _other_coins(open: Array, close: Array, whole: Mask) -> dict[int, int]:
    """Symbol -> row where, after a gap, the price is of another size."""
    found: dict[int, int] = {}
    for s in range(close.shape[1]):
        rows = np.flatnonzero(whole[:, s])
        gaps = np.flatnonzero(np.diff(rows) > 1)
        before, after = rows[gaps], rows[gaps + 1]
        size = np.abs(np.log(open[after, s] / close[before, s]))
        jumps = np.flatnonzero(size > np.log(OTHER_COIN))
        if jumps.size:
            found[s] = int(after[jumps[0]])
    return found
