"""History: read whole, given out in total order, and the same however it is cut."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.bars import CLOSE
from feeds.errors import BadData
from feeds.events import Candle, Event, Funding, Metric, Source
from feeds.feed import merged
from feeds.history import Gap, History, read_candles
from feeds.times import HOUR
from tests.feeds.files_on_disk import MINUTE, START, candles, save


class Others:
    """A stored feed of given events."""

    def __init__(self, name: str, events: list[Event], *, after_candles: bool = False) -> None:
        self.name = name
        self.after_candles = after_candles
        self._events = events

    def events(self) -> Iterator[Event]:
        return iter(self._events)


def metric(at: int, name: str = "tvl") -> Metric:
    return Metric(at=at, name=name, symbol=None, value=1.0)


def funding(at: int) -> Funding:
    return Funding(at=at, symbol="BTCUSDT", settle_ms=at, rate=0.0001)


def history(tmp_path: Path, **frames: pd.DataFrame) -> History:
    for symbol, frame in frames.items():
        save(frame, tmp_path / f"{symbol}.parquet")
    return read_candles([tmp_path])


def test_a_file_becomes_bars_at_their_absolute_place(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles())
    assert (read.symbols, read.timeframe, read.span, read.rows, read.bars) == (("BTCUSDT",), MINUTE, (START, START + 10 * MINUTE), 10, 10)
    ((bars, others),) = read.blocks()
    assert bars.first == START // MINUTE
    assert bars.values.shape == (10, 6, 1)
    assert bars.values[:, CLOSE, 0].tolist() == candles()["close"].tolist()
    assert np.isnan(bars.values[:, 5, 0]).all()
    assert (others, read.gaps, read.warnings) == ([], [], [])


def test_symbols_come_sorted_or_as_asked(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(), ADAUSDT=candles(), ETHUSDT=candles())
    assert read.symbols == ("ADAUSDT", "BTCUSDT", "ETHUSDT")
    assert read_candles([tmp_path], ["ETHUSDT", "ADAUSDT"]).symbols == ("ETHUSDT", "ADAUSDT")


def test_a_symbol_that_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    save(candles(), tmp_path / "BTCUSDT.parquet")
    with pytest.raises(BadData, match=r"no candles for SOLUSDT in 1 files \(BTCUSDT\)"):
        read_candles([tmp_path], ["SOLUSDT"])


def test_a_gap_is_reported_and_never_filled(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles().drop([3, 4, 7]), ETHUSDT=candles())
    assert read.gaps == [Gap("BTCUSDT", START + 3 * MINUTE, 2), Gap("BTCUSDT", START + 7 * MINUTE, 1)]
    assert read.warnings == ["BTCUSDT: 3 bars missing in 2 gaps, the longest of 2 from 2024-01-01T00:03:00Z; they are not filled"]
    values = next(read.blocks()).bars.values
    assert np.flatnonzero(np.isnan(values[:, :, 0]).all(axis=1)).tolist() == [3, 4, 7]
    assert not np.isnan(values[:, :5, 1]).any()


def test_rows_in_which_no_symbol_has_a_bar_stay(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles().drop([5]), ETHUSDT=candles().drop([5]))
    assert read.rows == 10
    assert np.isnan(next(read.blocks()).bars.values[5]).all()


def test_a_later_listing_and_an_earlier_end_are_no_gaps(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(20), NEWUSDT=candles(5, start=START + 3 * MINUTE))
    assert read.gaps == []
    present = [row for row in range(20) if 1 in next(read.blocks()).bars.present(row)]
    assert present == [3, 4, 5, 6, 7]


def test_one_file_of_many_symbols_is_the_same_as_a_file_each(tmp_path: Path) -> None:
    a, b = candles(), candles(price=7.0).drop([4])
    apart = history(tmp_path / "apart", AUSDT=a, BUSDT=b)
    both = pd.concat([b.assign(symbol="BUSDT"), a.assign(symbol="AUSDT")])
    together = read_candles([save(both, tmp_path / "all.csv")])
    interleaved = read_candles([save(both.sort_values("ts_ms", kind="stable"), tmp_path / "mixed.parquet")])
    assert apart.sha256 == together.sha256 == interleaved.sha256
    assert read_candles([tmp_path / "all.csv"], ["BUSDT"]).symbols == ("BUSDT",)


def test_the_hash_is_of_the_bars_not_of_the_file(tmp_path: Path) -> None:
    frame = candles(50).assign(volume=np.random.default_rng(2).lognormal(size=50))
    hashes = {read_candles([save(frame, tmp_path / suffix / f"BTCUSDT.{suffix}")]).sha256 for suffix in ("parquet", "csv", "feather")}
    assert len(hashes) == 1
    other = read_candles([save(frame.assign(volume=frame["volume"].mask(frame.index == 9, 1.0)), tmp_path / "BTCUSDT.csv")])
    assert other.sha256 not in hashes


def test_two_files_of_one_symbol_join_where_they_meet_and_are_refused_where_they_overlap(tmp_path: Path) -> None:
    whole = candles(20)
    save(whole.iloc[12:], tmp_path / "a" / "BTCUSDT.parquet")
    save(whole.iloc[:12], tmp_path / "b" / "BTCUSDT.parquet")
    assert read_candles([tmp_path]).sha256 == read_candles([save(whole, tmp_path / "whole" / "BTCUSDT.csv")]).sha256
    save(whole.iloc[11:13], tmp_path / "c" / "BTCUSDT.parquet")
    with pytest.raises(BadData, match=r"c/BTCUSDT\.parquet.*two files for one symbol overlap"):
        read_candles([tmp_path / "a", tmp_path / "b", tmp_path / "c"])


def test_files_of_different_timeframes_need_one_named(tmp_path: Path) -> None:
    save(candles(120), tmp_path / "BTCUSDT.parquet")
    save(candles(2, step=HOUR), tmp_path / "ETHUSDT.parquet")
    with pytest.raises(BadData, match=r"different timeframes .*give --timeframe 1h"):
        read_candles([tmp_path])
    assert read_candles([tmp_path], timeframe=HOUR).rows == 2


def test_a_coarser_file_than_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="its bars are 1h long, coarser than the timeframe 1m"):
        read_candles([save(candles(step=HOUR), tmp_path / "ETHUSDT.parquet")], timeframe=MINUTE)


def test_one_bar_has_a_timeframe_only_if_told(tmp_path: Path) -> None:
    path = save(candles(1), tmp_path / "ETHUSDT.parquet")
    with pytest.raises(BadData, match="give --timeframe"):
        read_candles([path])
    assert read_candles([path], timeframe=MINUTE).rows == 1


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_coarser_bars_are_what_pandas_resamples(tmp_path: Path, minutes: int) -> None:
    dice = np.random.default_rng(minutes)
    opens = 100 + dice.normal(size=500).cumsum() / 10
    frame = candles(500).assign(
        open=opens, high=opens + 3, low=opens - 3, close=opens + dice.uniform(-1, 1, 500), turnover=dice.uniform(1, 9, 500)
    )
    frame = frame.drop(dice.choice(500, 60, replace=False)).drop(range(120, 180), errors="ignore")
    read = read_candles([save(frame, tmp_path / "BTCUSDT.parquet")], timeframe=minutes * MINUTE)
    stamped = frame.set_index(pd.to_datetime(frame["ts_ms"], unit="ms"))
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "turnover": "sum"}
    expected = stamped.resample(f"{minutes}min").agg(how)
    expected.loc[stamped["close"].resample(f"{minutes}min").count() == 0] = np.nan
    np.testing.assert_allclose(read.values(read.first, read.end)[:, :, 0], expected.to_numpy(), rtol=1e-14)


def test_coarse_bars_from_a_part_of_their_time_are_counted(tmp_path: Path) -> None:
    frame = candles(14, start=START + 58 * MINUTE).drop([6])
    read = read_candles([save(frame, tmp_path / "BTCUSDT.parquet")], timeframe=5 * MINUTE)
    assert read.warnings == ["BTCUSDT: 3 of 4 bars of 5m are built from a part of their time only"]


def test_blocks_cut_the_same_history_anywhere(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(100).drop(range(40, 55)), ETHUSDT=candles(60, start=START + 30 * MINUTE))
    others = [Others("metrics", [metric(START + i * 90_000) for i in range(60)])]
    whole = read.values(read.first, read.end)
    for size in (1, 7, 64, 4096):
        blocks = list(read.blocks(size, others=others))
        np.testing.assert_array_equal(np.concatenate([block.bars.values for block in blocks]), whole)
        assert [block.bars.first for block in blocks] == list(range(read.first, read.end, size))
        absolute = [(block.bars.first + row, event) for block in blocks for row, event in block.others]
        assert [event.at for _, event in absolute] == sorted(event.at for _, event in absolute)
        assert len(absolute) == 60


def test_start_and_stop_take_bars_that_lie_whole_between_them(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(10))
    (block,) = read.blocks(start=START + 90_000, stop=START + 5 * MINUTE + 30_000)
    assert (block.bars.first * MINUTE, block.bars.rows) == (START + 2 * MINUTE, 3)
    assert list(read.blocks(start=START + 20 * MINUTE)) == []
    assert list(read.blocks(stop=START)) == []


def test_at_one_instant_metrics_news_candles_funding(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(3), ETHUSDT=candles(3))
    close = START + 2 * MINUTE
    others = [
        Others("funding", [funding(close)], after_candles=True),
        Others("metrics", [metric(close, "a"), metric(close, "b")]),
        Others("news", [metric(close, "c")]),
    ]
    around = [e.symbol if isinstance(e, Candle) else getattr(e, "name", "funding") for e in read.events(others=others) if e.at == close]
    assert around == ["a", "b", "c", "BTCUSDT", "ETHUSDT", "funding"]


def test_funding_at_the_close_of_a_block_comes_after_its_last_row(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(6))
    feed = Others("funding", [funding(START + 3 * MINUTE), funding(START + 6 * MINUTE)], after_candles=True)
    assert [[row for row, _ in block.others] for block in read.blocks(3, others=[feed])] == [[3], [3]]
    assert [[row for row, _ in block.others] for block in read.blocks(6, others=[feed])] == [[3, 6]]


def test_what_was_known_before_comes_before_row_0_and_what_comes_after_the_end_does_not_come(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(3))
    feed = Others("metrics", [metric(START - 86_400_000), metric(START + 3 * MINUTE), metric(START + 3 * MINUTE + 1)])
    (block,) = read.blocks(others=[feed])
    assert [(row, event.at) for row, event in block.others] == [(0, START - 86_400_000), (2, START + 3 * MINUTE)]
    (late,) = read.blocks(others=[feed], since=START)
    assert [row for row, _ in late.others] == [2]


def test_a_feed_that_goes_back_in_time_is_refused(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(3))
    with pytest.raises(BadData, match=r"metrics: an event of .* comes after"):
        list(read.blocks(others=[Others("metrics", [metric(START + 2), metric(START + 1)])]))


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(st.lists(st.integers(-3, 14), max_size=12).map(sorted), min_size=1, max_size=3),
    after=st.lists(st.booleans(), min_size=3, max_size=3),
    size=st.integers(1, 12),
    missing=st.sets(st.integers(0, 9), max_size=8),
)
def test_one_at_a_time_is_the_total_order(moments: list[list[int]], after: list[bool], size: int, missing: set[int]) -> None:
    """Steps of half a bar; the order is that of a plain sort by (at, side, feed, sequence)."""
    present = np.array([i for i in range(10) if i not in missing] or [0], np.int64)
    columns = tuple(present + 1.0 for _ in range(6))
    read = History.from_arrays(MINUTE, {"A": (START + present * MINUTE, columns)}, source=Source.SYNTHETIC)
    feeds = [
        Others(f"{f}", [metric(START + step * MINUTE // 2, f"{f}.{n}") for n, step in enumerate(steps)], after_candles=side)
        for f, (steps, side) in enumerate(zip(moments, after, strict=False))
    ]
    keyed: list[tuple[tuple[int, int, int, int], Event]] = [
        ((START + (int(i) + 1) * MINUTE, 1, 0, 0), Candle(START + (int(i) + 1) * MINUTE, "A", 0, 0, 1, 1, 1, 1, 1)) for i in present
    ]
    for f, feed in enumerate(feeds):
        keyed += [((event.at, 2 * feed.after_candles, f, n), event) for n, event in enumerate(feed.events())]
    last = read.span[1]
    expected = [event for key, event in sorted(keyed, key=lambda pair: pair[0]) if event.at <= last]
    label = [event.symbol if isinstance(event, Candle) else event.name for event in read.events(others=feeds)]  # type: ignore[attr-defined]
    assert label == [event.symbol if isinstance(event, Candle) else event.name for event in expected]  # type: ignore[attr-defined]
    in_blocks = [event for block in read.blocks(size, others=feeds) for _, event in block.others]
    assert in_blocks == [event for event in expected if not isinstance(event, Candle)]


def test_nothing_is_known_before_its_close(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(5))
    for event in read.events():
        assert isinstance(event, Candle)
        assert event.at == event.close_ms == event.open_ms + MINUTE


def test_a_history_is_a_feed(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(5))

    async def collect() -> list[Event]:
        return [event async for event in read.stream()]

    assert asyncio.run(collect()) == list(read.events())


def test_feeds_joined_by_time_give_what_history_gives_with_the_others_merged_in(tmp_path: Path) -> None:
    read = history(tmp_path, BTCUSDT=candles(5), ETHUSDT=candles(5))
    before = Others("metrics", [metric(START + i * 30_000) for i in range(11)])
    behind = Others("funding", [funding(START + MINUTE), funding(START + 4 * MINUTE)], after_candles=True)
    assert list(merged(before, read, behind)) == list(read.events(others=[before, behind]))


def test_reading_a_year_of_minutes_takes_no_copy_of_it(tmp_path: Path) -> None:
    """Blocks are made as they are asked for: the first is there although the rest was never built."""
    read = history(tmp_path, BTCUSDT=candles(100_000))
    first = next(read.blocks(size=16))
    assert first.bars.values.nbytes == 16 * 6 * 8


@pytest.mark.parametrize("file", ["1m_spot_binance/BTCUSDT.parquet", "1d_perp_binance.parquet", "1h_spot_binance_flow"])
def test_real_files_are_read_as_they_are(file: str) -> None:
    path = Path(__file__).parents[3] / "shared" / "data" / "candles" / file
    if not path.exists():
        pytest.skip("the shared market data are not on this machine")
    read = read_candles([path])
    assert read.bars == sum(int((~np.isnan(block.bars.values[:, CLOSE, :])).sum()) for block in read.blocks())
    assert read.bars > 40_000
