import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.bars import Bars
from feeds.events import Event, Funding, Metric
from feeds.times import MINUTE
from strategies.snapshot import Ageing, Assembler
from tests.builders import START, bars, metric, story, walk

FIELDS = ("close", "tvl", "tvl_z", "exchange_netflow", "sentiment_news", "news_count", "funding_rate", "volume")
AGEING = Ageing(metric_ms=20 * MINUTE, story_ms=10 * MINUTE, observations=5, least=3)
TWO = ("BTCUSDT", "ETHUSDT")


def row_of(at: int) -> int:
    return max(0, math.ceil((at - START) / MINUTE) - 1)


def placed(events: list[Event], total: int) -> list[tuple[int, Event]]:
    return [(min(total, row_of(e.at)), e) for e in sorted(events, key=lambda e: e.at)]


def naive(closes: Bars, events: list[Event]) -> np.ndarray:
    """The definition, bar by bar: what is known at each close, recomputed from all events."""
    out = np.full((closes.rows, len(FIELDS), 2), np.nan)
    for row in range(closes.rows):
        close = closes.close_ms(row)
        seen = [e for e in events if e.at <= close]
        for place, symbol in enumerate(TWO):
            out[row, 0, place], out[row, 7, place] = closes.values[row, 3, place], closes.values[row, 4, place]
            tvl = [e for e in seen if getattr(e, "name", "") == "tvl"]
            if tvl and close < tvl[-1].at + AGEING.metric_ms:
                out[row, 1, place] = tvl[-1].value
                trail = np.array([e.value for e in tvl[-AGEING.observations :]])
                if len(trail) >= AGEING.least and trail.std() > 0:
                    out[row, 2, place] = (trail[-1] - trail.mean()) / trail.std(ddof=1)
            flow = [e for e in seen if getattr(e, "name", "") == "exchange_netflow" and e.symbol == symbol]
            if flow and close < flow[-1].at + AGEING.metric_ms:
                out[row, 3, place] = flow[-1].value
            told = [e for e in seen if hasattr(e, "sentiment") and (not e.symbols or symbol in e.symbols)]
            mood = [e.sentiment for e in told if e.sentiment is not None]
            fresh = [e.sentiment for e in told if e.sentiment is not None and close < e.at + AGEING.story_ms]
            if mood:
                out[row, 5, place] = len(fresh)
            if fresh:
                out[row, 4, place] = np.mean(fresh)
            paid = [e for e in seen if isinstance(e, Funding) and e.symbol == symbol]
            if paid and close < paid[-1].at + AGEING.metric_ms:
                out[row, 6, place] = paid[-1].rate
    return out


EVENTS = st.lists(
    st.tuples(st.integers(-3, 45 * 60), st.sampled_from(["tvl", "flow", "story", "btc story", "funding"]), st.integers(-8, 8)), max_size=25
)


def build(drawn: list[tuple[int, str, int]]) -> list[Event]:
    events: list[Event] = []
    for second, kind, value in sorted(drawn):
        at = START + second * 1000
        events.append({
            "tvl": metric("tvl", float(value), at), "flow": metric("exchange_netflow", float(value), at, "ETHUSDT"),
            "story": story(value / 8, at), "btc story": story(value / 8, at, symbols=("BTCUSDT",)),
            "funding": Funding(at=at, symbol="BTCUSDT", settle_ms=at, rate=value / 1000),
        }[kind])  # fmt: skip
    return events


@given(EVENTS, st.lists(st.integers(0, 40), max_size=6))
def test_any_cut_gives_what_the_definition_gives(drawn: list[tuple[int, str, int]], cuts: list[int]) -> None:
    closes = bars(walk(40, symbols=2), TWO)
    events = build(drawn)
    whole = naive(closes, events)
    assembler = Assembler(TWO, FIELDS, AGEING)
    edges = sorted({0, 40, *cuts})
    others = placed(events, 40)
    parts = []
    for start, stop in pairwise(edges):
        piece = closes._replace(first=closes.first + start, values=closes.values[start:stop])
        mine = [(row - start, e) for row, e in others if start <= row < stop or (row == stop == 40)]
        parts.append(assembler.columns(piece, mine).values)
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-12, atol=1e-12)


def test_nothing_is_known_before_it_is_said() -> None:
    closes = bars(walk(5, symbols=2), TWO)
    at = START + 2 * MINUTE + 1
    columns = Assembler(TWO, FIELDS, AGEING).columns(closes, [(2, metric("tvl", 7.0, at))])
    assert np.isnan(columns.values[:2, 1]).all()
    assert (columns.values[2:, 1] == 7.0).all()
    assert (columns.newest[:2] == 0).all()
    assert (columns.newest[2:] == at).all()


def test_a_metric_of_an_unknown_symbol_changes_nothing() -> None:
    closes = bars(walk(3, symbols=2), TWO)
    columns = Assembler(TWO, FIELDS, AGEING).columns(closes, [(0, metric("tvl", 7.0, START, "DOGEUSDT"))])
    assert np.isnan(columns.values[:, 1]).all()


@pytest.mark.parametrize("sentiment", [None])
def test_a_story_nobody_scored_counts_nothing(sentiment: float | None) -> None:
    closes = bars(walk(3, symbols=2), TWO)
    columns = Assembler(TWO, FIELDS, AGEING).columns(closes, [(0, story(sentiment, START))])
    assert np.isnan(columns.values[:, 4:6]).all()


def test_a_period_that_comes_late_or_again_is_no_newer_observation() -> None:
    closes = bars(walk(5, symbols=2), TWO)
    day = 86_400_000
    told = [(2.0, 1), (4.0, 2), (9.0, 3), (100.0, 1), (6.0, 3)]  # value, day: the first one again, then the last one revised
    events = [
        (row, Metric(at=START + row * MINUTE, name="tvl", symbol=None, value=v, period_ms=d * day)) for row, (v, d) in enumerate(told)
    ]
    columns = Assembler(TWO, FIELDS, AGEING).columns(closes, events)
    assert columns.values[:, 1, 0].tolist() == [2.0, 4.0, 9.0, 9.0, 6.0]
    assert columns.values[3, 2, 0] == columns.values[2, 2, 0]
    assert columns.values[4, 2, 0] == pytest.approx((6 - 4) / np.std([2, 4, 6], ddof=1))
