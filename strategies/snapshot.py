"""All that is known at a bar close, as float64[bar, field, symbol].

The rule: a value joins by when it became known, never by the period it describes. The assembler remembers the latest value of
each slow series and drops it when it has grown too old; stories count for a fixed time.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from feeds.bars import COLUMNS, Array, Bars
from feeds.events import Event, Funding, Metric, News

TRAILING = "_z"  # NAME_z: the newest observation of NAME against the last ones, in standard deviations


class Ageing(NamedTuple):
    """How long things count.

    metric_ms     a metric without a newer observation is not known after this long
    story_ms      a story counts for this long
    observations  how many observations NAME_z looks back on; least: how many it needs
    """

    metric_ms: int = 3 * 86_400_000
    story_ms: int = 12 * 3_600_000
    observations: int = 90
    least: int = 10


class Columns(NamedTuple):
    """values float64[T, field, S]; newest int64[T, S], when the newest slow input in each became known (0: none)."""

    values: Array
    newest: np.ndarray[tuple[int, int], np.dtype[np.int64]]


class Assembler:
    """Puts bars and slow series side by side. Remembers; never looks ahead."""

    def __init__(self, symbols: Sequence[str], fields: Sequence[str], ageing: Ageing) -> None:
        """fields  the columns wanted, in order: those of a bar, and names of slow series"""
        self._symbols = {name: place for place, name in enumerate(symbols)}
        self._ageing = ageing
        self._market = [(place, COLUMNS.index(name)) for place, name in enumerate(fields) if name in COLUMNS]
        self._slow = [place for place, name in enumerate(fields) if name not in COLUMNS]
        self._row = {fields[place]: row for row, place in enumerate(self._slow)}
        self._fields = len(fields)
        self._now = np.full((len(self._slow), len(symbols)), np.nan)
        self._newest = np.zeros(len(symbols), np.int64)
        self._expires: dict[tuple[int, int], int] = {}
        self._stories: dict[tuple[str, int], deque[tuple[int, float]]] = {}
        self._trail: dict[tuple[str, str | None], deque[float]] = {}
        self._periods: dict[tuple[str, str | None], int] = {}  # newest period of each series
        self._due: list[int] = []
        self._moved: set[tuple[str, int]] = set()  # (kind, place) whose stories are not what they were at the last bar

    def columns(self, bars: Bars, others: Sequence[tuple[int, Event]]) -> Columns:
        """The fields at each bar close of `bars`; `others` are (row that the event comes before, event), in order."""
        total, width = bars.rows, len(self._symbols)
        values = np.empty((self._fields, total, width)).transpose(1, 0, 2)
        newest = np.empty((total, width), np.int64)
        for place, column in self._market:
            values[:, place, :] = bars.values[:, column, :]
        row = taken = 0
        while row < total:
            while taken < len(others) and others[taken][0] <= row:
                self._take(others[taken][1])
                taken += 1
            self._forget(bars.close_ms(row))
            while self._moved:
                self._tell(*self._moved.pop())
            until = min(total, others[taken][0]) if taken < len(others) else total
            if self._due:
                until = min(until, max(row + 1, -(-self._due[0] // bars.timeframe) - bars.first - 1))
            if self._slow:
                values[row:until, self._slow, :] = self._now
            newest[row:until] = self._newest
            row = until
        for _, event in others[taken:]:
            self._take(event)
        return Columns(values, newest)

    def carry_over(self, other: "Assembler") -> None:
        """Take what another assembler of the same symbols knows of the fields that both have: it may have heard more."""
        for name, row in self._row.items():
            theirs = other._row.get(name)
            if theirs is not None:
                self._now[row] = other._now[theirs]
                self._expires = {cell: at for cell, at in self._expires.items() if cell[0] != row}
                self._expires |= {(row, place): at for (their, place), at in other._expires.items() if their == theirs}
        kinds = {name.removeprefix("sentiment_") for name in other._row if name in self._row and name.startswith("sentiment_")}
        self._stories = {cell: stories for cell, stories in self._stories.items() if cell[0] not in kinds}
        self._stories |= {cell: deque(stories) for cell, stories in other._stories.items() if cell[0] in kinds}
        self._trail |= {
            series: deque(trail, self._ageing.observations)
            for series, trail in other._trail.items()
            if series[0] + TRAILING in self._row
        }  # fmt: skip
        for series, period in other._periods.items():
            self._periods[series] = max(period, self._periods.get(series, period))
        self._moved |= {cell for cell in other._stories if cell[0] in kinds}
        self._due = list(heapq.merge(sorted(self._due), sorted(other._due)))
        self._newest = np.maximum(self._newest, other._newest)

    def _take(self, event: Event) -> None:
        match event:
            case Metric():
                self._observe(event.name, event.symbol, event.value, event.at, event.period_ms)
            case Funding():
                self._observe("funding_rate", event.symbol, event.rate, event.at, event.settle_ms)
            case News():
                self._read(event)
            case _:
                pass

    def _places(self, symbol: str | None) -> list[int]:
        if symbol is None:
            return list(self._symbols.values())
        place = self._symbols.get(symbol)
        return [] if place is None else [place]

    def _observe(self, name: str, symbol: str | None, value: float, at: int, period: int | None) -> None:
        """Take an observation; one of an older period than the newest is history, one of the same period revises it."""
        places = self._places(symbol)
        newest = self._periods.get((name, symbol))
        if period is not None:
            if newest is not None and period < newest:
                return
            self._periods[name, symbol] = period
        self._set(name, places, value, at)
        if name + TRAILING in self._row and places:
            trail = self._trail.setdefault((name, symbol), deque(maxlen=self._ageing.observations))
            if trail and period is not None and period == newest:
                trail.pop()
            trail.append(value)
            self._set(name + TRAILING, places, _standing(trail, self._ageing.least), at)

    def _set(self, name: str, places: Sequence[int], value: float, at: int) -> None:
        row = self._row.get(name)
        if row is None:
            return
        expires = at + self._ageing.metric_ms
        for place in places:
            self._now[row, place] = value
            self._newest[place] = max(self._newest[place], at)
            self._expires[row, place] = expires
        heapq.heappush(self._due, expires)

    def _read(self, story: News) -> None:
        if story.sentiment is None or f"sentiment_{story.kind}" not in self._row:
            return
        places = [p for symbol in story.symbols for p in self._places(symbol)] if story.symbols else self._places(None)
        for place in places:
            stories = self._stories.setdefault((story.kind, place), deque())
            while stories and stories[0][0] + self._ageing.story_ms <= story.at:
                stories.popleft()
            stories.append((story.at, story.sentiment))
            self._moved.add((story.kind, place))
            self._newest[place] = max(self._newest[place], story.at)
        if places:
            heapq.heappush(self._due, story.at + self._ageing.story_ms)

    def _tell(self, kind: str, place: int) -> None:
        stories = self._stories[kind, place]
        mood = math.fsum(score for _, score in stories) / len(stories) if stories else math.nan
        self._now[self._row[f"sentiment_{kind}"], place] = mood
        if f"{kind}_count" in self._row:
            self._now[self._row[f"{kind}_count"], place] = float(len(stories))

    def _forget(self, close_ms: int) -> None:
        if not self._due or self._due[0] > close_ms:
            return
        while self._due and self._due[0] <= close_ms:
            heapq.heappop(self._due)
        for row, place in [cell for cell, expires in self._expires.items() if expires <= close_ms]:
            self._now[row, place] = math.nan
            del self._expires[row, place]
        for (kind, place), stories in self._stories.items():
            before = len(stories)
            while stories and stories[0][0] + self._ageing.story_ms <= close_ms:
                stories.popleft()
            if len(stories) != before:
                self._moved.add((kind, place))


def _standing(trail: Sequence[float], least: int) -> float:
    """(newest - mean) / sample standard deviation of the trail; NaN below `least` observations or where nothing moves."""
    count = len(trail)
    if count < max(2, least):
        return math.nan
    mean = math.fsum(trail) / count
    variance = math.fsum((x - mean) ** 2 for x in trail) / (count - 1)
    return (trail[-1] - mean) / math.sqrt(variance) if variance > 0.0 else math.nan
