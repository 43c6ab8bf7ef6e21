"""The market: what is read, from when it is known, and who could be traded when."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.modes.markets import open_market
from bot.research.market import Market, ends, forward_filled
from bot.research.universe import coin, read_universe, survivors
from feeds.errors import BadData
from feeds.funding_files import FundingFile
from feeds.history import read_candles
from feeds.metric_files import MetricFile
from feeds.times import DAY, HOUR, millis
from strategies.snapshot import Ageing, Assembler

START = millis("2024-01-01")


def candles(folder: Path, name: str = "BTCUSDT", rows: int = 48, *, step: int = HOUR, start: int = START, **columns: object) -> Path:
    """A file of candles at 100, 101, ...; a column given here takes the place of its own."""
    price = 100.0 + np.arange(rows)
    frame = pd.DataFrame({"ts_ms": start + step * np.arange(rows), "open": price, "high": price + 1.0, "low": price - 1.0,
                          "close": price + 0.5, "volume": 10.0})  # fmt: skip
    for column, values in columns.items():
        frame[column] = values
    path = folder / f"{name}.parquet"
    frame.to_parquet(path)
    return path


def test_funding_belongs_to_the_bar_that_closes_when_it_settles(tmp_path: Path) -> None:
    file = candles(tmp_path)
    paid = pd.DataFrame({"ts_ms": [START + 8 * HOUR, START + 16 * HOUR], "symbol": "BTCUSDT", "funding_rate": [0.001, -0.002]})
    paid.to_parquet(tmp_path / "funding.parquet")
    sources = open_market([file], funding=[tmp_path / "funding.parquet"])
    market = sources.market(["funding_rate"])
    assert np.flatnonzero(market.funding[:, 0]).tolist() == [7, 15]  # bar 7 is 07:00 to 08:00
    np.testing.assert_allclose(market.funding[[7, 15], 0], [0.001, -0.002])
    rate = market.fields["funding_rate"][:, 0]
    assert np.isnan(rate[7])  # the close of 08:00 does not know what settles then
    assert rate[8] == 0.001 and rate[15] == 0.001 and rate[16] == -0.002


def test_funding_inside_a_bar_is_charged_at_the_open_and_at_its_mark_where_there_is_one(tmp_path: Path) -> None:
    file = candles(tmp_path, rows=3, step=DAY, open=100.0, close=120.0, high=121.0, low=99.0)
    settled = [START + 8 * HOUR, START + 16 * HOUR, START + DAY]
    frame = pd.DataFrame({"ts_ms": settled, "symbol": "BTCUSDT", "funding_rate": 0.001, "mark_price": [None, 110.0, None]})
    frame.to_parquet(tmp_path / "funding.parquet")
    market = open_market([file], funding=[tmp_path / "funding.parquet"]).market()
    np.testing.assert_allclose(market.funding[0, 0], 0.001 * (100 + 110 + 120) / 120)


def test_a_metric_counts_from_when_it_was_known(tmp_path: Path) -> None:
    file = candles(tmp_path)
    metric = pd.DataFrame({"ts_ms": [START], "available_ms": [START + 10 * HOUR], "asset": "btc", "AdrActCnt": [5.0]})
    metric.to_parquet(tmp_path / "chain.parquet")
    market = open_market([file], metrics=[tmp_path / "chain.parquet"]).market(["active_addresses"])
    known = market.fields["active_addresses"][:, 0]
    assert np.isnan(known[:9]).all() and (known[9:] == 5.0).all()  # bar 9 closes at 10:00


def test_a_headline_counts_from_when_it_was_known_and_for_half_a_day(tmp_path: Path) -> None:
    file = candles(tmp_path)
    story = pd.DataFrame({"available_ms": [START + 10 * HOUR], "ts_ms": [START + 9 * HOUR], "title": ["Bitcoin hack"], "score": [-0.5]})
    story.to_parquet(tmp_path / "news.parquet")
    market = open_market([file], news=[tmp_path / "news.parquet"]).market(["sentiment_news", "news_count"])
    mood = market.fields["sentiment_news"][:, 0]
    assert np.isnan(mood[:9]).all() and (mood[9:21] < 0).all() and np.isnan(mood[21:]).all()
    assert market.fields["news_count"][15, 0] == 1.0


def test_a_missing_bar_is_a_row_of_nan_and_half_a_bar_is_none(tmp_path: Path) -> None:
    file = candles(tmp_path, rows=6)
    frame = pd.read_parquet(file).drop(index=2)
    frame.loc[4, "close"] = np.nan
    frame.to_parquet(file)
    market = open_market([file]).market()
    assert np.isnan(market.close[:, 0]).tolist() == [False, False, True, False, True, False]
    assert np.isnan(market.open[:, 0]).tolist() == [False, False, True, False, True, False]
    assert market.listed.all()


def test_bars_before_from_warm_up_and_bars_after_to_are_not_there(tmp_path: Path) -> None:
    market = open_market([candles(tmp_path)]).market((), START + 10 * HOUR, START + 20 * HOUR)
    assert (market.begin, market.rows, market.start_ms) == (10, 21, START)
    with pytest.raises(BadData, match="no bar of the data lies between"):
        open_market([tmp_path]).market((), START + 1_000 * HOUR)


def test_a_price_that_cannot_be_is_refused_with_its_place(tmp_path: Path) -> None:
    file = candles(tmp_path)
    frame = pd.read_parquet(file)
    frame.loc[5, "low"] = 500.0
    frame.to_parquet(file)
    with pytest.raises(BadData, match=r"BTCUSDT 2024-01-01T05:00:00Z: .*sluice data check"):
        open_market([file]).market()


def test_another_coin_under_an_old_name_is_left_out(tmp_path: Path) -> None:
    file = candles(tmp_path, rows=40, step=DAY)
    frame = pd.read_parquet(file)
    frame.loc[30:, ["open", "high", "low", "close"]] *= 50.0
    frame.drop(index=range(20, 30)).to_parquet(file)
    market = open_market([file]).market()
    assert np.isnan(market.close[20:]).all() and not np.isnan(market.close[:20]).any()
    assert any("taken for another coin" in said for said in market.warnings)
    assert ends(market).tolist() == [20]
    frame.to_parquet(file)  # the same jump without a gap is a move of the price
    assert not np.isnan(open_market([file]).market().close).any()


def test_luna_ends_in_may_2022_and_the_new_one_is_another(shared_data: Path) -> None:
    file = shared_data / "candles/1d_spot_binance_2021_2023_incl_delisted.parquet"
    market = open_market([file], ["LUNAUSDT", "FTTUSDT", "BTCUSDT"]).market()
    last = ends(market)
    assert market.open_ms(int(last[0]) - 1) == millis("2022-05-13")
    assert last[2] == market.rows and last[1] == market.rows  # FTT was halted, and came back as itself
    assert survivors(last, market.rows, 3) == "" and survivors(last[1:], market.rows, 2) != ""


def test_a_universe_of_dates_says_who_was_there(tmp_path: Path) -> None:
    file = candles(tmp_path, rows=10, step=DAY)
    (tmp_path / "who.csv").write_text("symbol,listed,delisted\nBTCUSDT,2024-01-03,2024-01-07\nETHUSDT,2020-01-01,\n")
    market = open_market([file], universe=tmp_path / "who.csv").market()
    closes = [market.open_ms(row) + DAY for row in range(10)]
    assert market.listed[:, 0].tolist() == [millis("2024-01-03") <= at < millis("2024-01-07") for at in closes]


def test_snapshots_count_until_the_next_one(shared_data: Path) -> None:
    file = shared_data / "universe/cmc_top200_monthly.parquet"
    frame = pd.read_parquet(file)
    inside, told = read_universe(file, 50).members(["BTCUSDT", "FTTUSDT", "LUNAUSDT", "NOSUCHUSDT"], millis("2022-01-01"), DAY, 600)
    assert inside[5:, 0].all() and not inside[:, 3].any()
    assert told and "NOSUCHUSDT" in told[0]
    for row in range(5, 600, 31):
        now = millis("2022-01-01") + (row + 1) * DAY
        newest = frame[frame.available_ms <= now].available_ms.max()
        there = set(frame[(frame.available_ms == newest) & (frame["rank"] <= 50)].symbol)
        assert inside[row, 1] == ("FTT" in there) and inside[row, 2] == ("LUNA" in there)


def test_the_coin_of_a_symbol() -> None:
    names = ("BTCUSDT", "1000PEPEUSDT", "1INCHUSDT", "ETH", "10000SATSUSDT")
    assert [coin(name) for name in names] == ["BTC", "PEPE", "1INCH", "ETH", "SATS"]


def test_universe_files_that_cannot_be_read_say_what_they_lack(tmp_path: Path) -> None:
    for text, says in (
        ("name,listed\nA,2020-01-01\n", "no column names the symbol"),
        ("symbol,price\nA,3\n", "no column holds a time"),
        ("symbol,listed,delisted\nA,2021-01-01,2020-01-01\n", "ends before it begins"),
        ("symbol,listed\nA,soon\n", "is not a time"),
    ):
        (tmp_path / "u.csv").write_text(text)
        with pytest.raises(BadData, match=says):
            read_universe(tmp_path / "u.csv")
    (tmp_path / "u.csv").write_text("symbol,listed\nDOGE,2020-01-01\n")
    with pytest.raises(BadData, match="none of the symbols is in it"):
        open_market([candles(tmp_path)], universe=tmp_path / "u.csv").market()


def test_the_last_known_value_is_carried_and_nothing_is_known_before_the_first() -> None:
    found = forward_filled(np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [3.0, 4.0]]))
    np.testing.assert_array_equal(found, [[np.nan, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 4.0]])


def test_a_market_until_a_row_knows_nothing_of_the_rest() -> None:
    market = Market.of(np.arange(1.0, 21.0).reshape(10, 2), fields={"x": np.ones((10, 2))})
    part = market.until(4)
    assert part.rows == 4 and part.fields["x"].shape == (4, 2) and part.funding.shape == (4, 2)
    assert market.until(99) is market


def test_slow_columns_are_those_of_a_session(shared_data: Path) -> None:
    """The same files through the history and the assembler that a replay has, block by block."""
    files = [shared_data / f"candles/1h_perp_bybit/{name}USDT.parquet" for name in ("BTC", "ETH")]
    funding, metrics = [shared_data / "derivs/funding_rates.parquet"], [shared_data / "onchain/market_wide_daily.parquet"]
    names = ["funding_rate", "fear_greed", "stablecoin_supply_z"]
    ours = open_market(files, funding=funding, metrics=metrics, venue="bybit").market(names)
    symbols = ("BTCUSDT", "ETHUSDT")
    history = read_candles(files)
    assembler = Assembler(symbols, names, Ageing())
    parts = [
        assembler.columns(block.bars, block.others).values
        for block in history.blocks(1_000, others=[MetricFile(metrics, symbols), FundingFile(funding, symbols, "bybit")])
    ]
    theirs = np.concatenate(parts)
    assert theirs.shape[0] == ours.rows
    for i, name in enumerate(names):
        np.testing.assert_array_equal(ours.fields[name], theirs[:, i], err_msg=name)
        assert np.isfinite(theirs[:, i]).mean() > 0.3, name
