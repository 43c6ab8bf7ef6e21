"""Each flaw of the text that Sluice starts from, sketched as that text has it, beside what is done here.

A test first shows that the sketch goes wrong, then that ours does not. Lines are those of the text; its code is told in our words.
"""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.modes.markets import open_market
from bot.research.backtest import backtest, backtest_many, labels_of
from bot.research.book import simulate
from bot.research.comparison import comparison, entry
from bot.research.document import number
from bot.research.estimates import newey_west
from bot.research.ic import ic_series, time_ic
from bot.research.market import Market, Sources
from bot.research.performance import performance
from bot.research.positions import positions, standing
from bot.research.probes import Rows, truncation
from bot.research.settings import FREE, Costs, Settings
from bot.research.splits import three_slices
from feeds.bars import Array
from feeds.errors import BadData
from feeds.news.score import score
from feeds.panel_files import read_panel
from feeds.times import DAY, HOUR, MINUTE
from strategies.errors import FactorError
from strategies.factors import Machine, compile_factors, read
from strategies.fusion import Weighted
from strategies.signals import WEIGHTS, Windows, built_in

FIELDS = ("open", "high", "low", "close", "volume", "turnover")
QUICK = Settings(costs=FREE, rebalance=1, horizon=1, horizons=(1,), folds=2)


def walk(rows: int, symbols: int, seed: int = 0, size: float = 0.01) -> Array:
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, size, (rows, symbols)), axis=0))


def values_of(text: str, market: Market) -> Array:
    node = read(text, timeframe=market.timeframe, fields=FIELDS).node
    program = compile_factors({"f": node}, timeframe=market.timeframe, fields=FIELDS)
    return Machine(program, len(market.symbols)).run(market.inputs(FIELDS, 0, market.rows), 0)[:, 0]


def foresight(market: Market) -> Array:
    """The return that a decision can earn: no formula can say it, so that a test has to."""
    return labels_of(market, 1)


# --- how the text trades several assets and one, and what it measures (lines 1380 to 1560)


def chapter_multi(factor: pd.DataFrame, closes: pd.DataFrame, cost: float = 0.0, share: float = 0.2, axis_fixed: bool = False) -> pd.Series:
    rank = factor.rank(axis=1, pct=True)
    held = pd.DataFrame(0.0, index=rank.index, columns=rank.columns)
    held[rank > 0.8] = 1.0
    held[rank < 0.2] = -1.0
    held = held.sub(held.mean(axis=1), axis=0)
    gross = held.abs().sum(axis=1).clip(lower=1)
    held = (held * share).div(gross, axis=0) if axis_fixed else held * share / gross
    returns = closes.pct_change()
    return (held.shift(1) * returns - held.diff().abs() * cost).sum(axis=1)


def chapter_single(factor: pd.Series, close: pd.Series, cost: float = 0.0, size: float = 1.0) -> tuple[pd.Series, pd.Series]:
    held = (factor / (factor.abs().rolling(20).max() + 1e-10)).clip(-1, 1) * size
    made = held.shift(1) * close.pct_change() - held.diff().abs() * cost
    return held, made.dropna()


def chapter_metrics(made: pd.Series) -> dict[str, float]:
    total = (1 + made).prod() - 1
    annual = (1 + total) ** (252 / len(made)) - 1
    risk = made.std() * np.sqrt(252)
    losses = made[made < 0]
    return {
        "annual": annual, "sharpe": annual / risk if risk > 0 else 0.0, "sortino": annual / (losses.std() * np.sqrt(252)),
        "profit_factor": made[made > 0].sum() / -losses.sum() if -losses.sum() > 0 else np.inf,
    }  # fmt: skip


# --- 1 generation


def test_246_a_rank_without_a_window_means_one_thing() -> None:
    market = Market.of(walk(300, 6))
    cross = values_of("rank(volume * close)", market)
    known = market.close[50] * market.volume[50]
    np.testing.assert_allclose(cross[50], pd.Series(known).rank(pct=True), rtol=1e-12)  # across symbols, at one bar
    over_time = values_of("ts_rank(close, 20)", market)
    np.testing.assert_allclose(over_time[50], pd.DataFrame(market.close).rolling(20).rank(pct=True).iloc[50], rtol=1e-12)
    with pytest.raises(FactorError):
        read("ts_rank(volume)", timeframe=HOUR, fields=FIELDS)


def test_437_a_sign_that_cancels_the_direction_leaves_a_magnitude() -> None:
    market = Market.of(walk(400, 1, seed=3))
    momentum = values_of("close / delay(close, 5) - 1", market)[10:, 0]
    sketch = momentum * np.log(2.0) * np.sign(momentum)
    assert (sketch >= 0).all() and (momentum < 0).any()
    held, _ = chapter_single(pd.Series(sketch), pd.Series(market.close[10:, 0]))
    assert (held.dropna() >= 0).all()  # it can never be short
    ours = positions(standing(sketch[:, None], Settings(scheme="time_zscore", window=60), HOUR), Settings(scheme="time_zscore"))
    assert (ours < 0).any() and (ours > 0).any()  # a magnitude is taken against its own past


def test_573_candles_that_cannot_be_are_refused(tmp_path: object) -> None:
    dice = np.random.default_rng(42)
    close = 45_000 * np.cumprod(1 + dice.normal(0, 0.01, 300))
    frame = pd.DataFrame({"ts_ms": 20_000 * DAY + HOUR * np.arange(300), "open": close * (1 + dice.normal(0, 0.001, 300)),
                          "high": close * (1 + np.abs(dice.normal(0, 0.0005, 300))), "low": close * 0.9, "close": close,
                          "volume": 1 + 0.5 * dice.normal(size=300)})  # fmt: skip
    assert (frame.open > frame.high).any() and (frame.volume < 0).any()
    file = f"{tmp_path}/BTCUSDT.csv"
    frame.to_csv(file, index=False)
    with pytest.raises(BadData, match=r"outside low \.\. high|negative"):
        Sources(read_panel([file])).market()


@pytest.mark.parametrize("text", ["__import__('os').system('true')", "```python\nclose\n```", "exec('1')"])
def test_398_what_a_model_writes_is_read_and_never_run(text: str) -> None:
    with pytest.raises(FactorError):
        read(text, timeframe=HOUR, fields=FIELDS)


# --- 2 signals


def signals(name: str, inputs: dict[str, Array]) -> tuple[Array, Array]:
    """Value and confidence of one of the signals over columns float64[T]; what is not given is constant."""
    (found,) = built_in({name: 1.0}, Windows(5, 5, 40), HOUR)
    fields = (*FIELDS, "news_count", "sentiment_news")
    program = compile_factors({"value": found.value, "confidence": found.confidence}, timeframe=HOUR, fields=fields)
    rows = len(next(iter(inputs.values())))
    block = np.stack([inputs.get(field, np.full(rows, 100.0)) for field in fields], axis=1)[:, :, None]
    values = Machine(program, 1).run(block, 0)
    return values[:, 0, 0], values[:, 1, 0]


def test_665_the_size_of_a_move_is_measured_by_the_volatility_of_its_coin() -> None:
    moves = np.random.default_rng(31).normal(0, 0.0005, 300)
    calm, wild = 100 * np.exp(np.cumsum(moves)), 100 * np.exp(np.cumsum(10 * moves))
    sketch = [np.nanmax(np.minimum(np.abs(pd.Series(close).pct_change(5)) / 0.05, 1.0)) for close in (calm, wild)]
    assert sketch[0] < 0.15 < sketch[1]  # the calm coin is never believed
    one, other = (signals("price_momentum", {"close": close})[0][60:] for close in (calm, wild))
    np.testing.assert_allclose(one, other, atol=0.05)


def test_683_a_volume_that_is_not_known_is_not_a_quiet_one_and_a_loud_one_is_bounded() -> None:
    volume = np.full(200, 10.0)
    volume[150] = 10_000.0
    sketch = 1.0 * (volume[150] / volume[130:150].mean() - 1)
    assert sketch == 999.0  # without a bound
    close = walk(200, 1, seed=32)[:, 0]
    value, _ = signals("volume_breakout", {"close": close, "volume": volume})
    assert np.isnan(value[0]) and np.nanmax(np.abs(value)) <= 1.0


def test_744_fifty_headlines_are_not_five_times_sure() -> None:
    assert 50 / 10 == 5.0  # the sketch, as a confidence
    _, sure = signals("sentiment_news", {"news_count": np.array([1.0, 5.0, 50.0, 5_000.0]), "sentiment_news": np.full(4, 0.5)})
    assert (np.diff(sure) >= 0).all() and sure[-1] <= 1.0


def test_805_what_is_old_is_not_fresh(tmp_path: Path) -> None:
    rows, start = 24 * 8, 20_000 * DAY
    price = np.full(rows, 100.0)
    pd.DataFrame({"ts_ms": start + HOUR * np.arange(rows), "open": price, "high": price, "low": price, "close": price, "volume": 1.0}
                 ).to_parquet(tmp_path / "BTCUSDT.parquet")  # fmt: skip
    pd.DataFrame({"ts_ms": [start], "available_ms": [start + DAY], "asset": ["btc"], "FlowInExNtv": [7.0]}).to_parquet(
        tmp_path / "m.parquet"
    )
    sources = open_market([tmp_path / "BTCUSDT.parquet"], metrics=[tmp_path / "m.parquet"])
    known = sources.market(["exchange_inflow"]).fields["exchange_inflow"][:, 0]
    assert np.isnan(known[:23]).all() and (known[23:95] == 7.0).all()  # 740: known when it was published, not when it happened
    assert np.isnan(known[95:]).all()  # three days later nobody knows any more


def test_660_five_days_are_five_days_on_bars_of_an_hour() -> None:
    sketch = pd.Series(np.arange(1.0, 301.0)).pct_change(5)  # "5d"
    market = Market.of(np.arange(1.0, 301.0)[:, None])
    ours = values_of("close / delay(close, 5d) - 1", market)[:, 0]
    assert ours[200] == pytest.approx(201 / 81 - 1) and ours[200] != pytest.approx(sketch[200])


def test_717_a_word_inside_a_word_says_nothing() -> None:
    headline = "Solana airdrop goes to ten thousand wallets"
    assert any(word in headline.lower() for word in ("crash", "drop", "bearish"))  # the sketch: negative
    assert score(headline) is None


def test_771_a_flow_in_coins_and_a_return_do_not_meet_unscaled() -> None:
    flow = np.sign(5_000.0) * np.log(5_000.0 + 1)  # beside returns of 0.001: it decides alone
    assert 0.2 * flow / (0.2 * flow + 0.25 * 0.001) > 0.999
    fields = {*FIELDS, "exchange_netflow_z"}
    signals = built_in({"onchain_flow": 0.2, "price_momentum": 0.25}, Windows(5, 5, 20), HOUR)
    program = compile_factors({s.name: s.value for s in signals}, timeframe=HOUR, fields=tuple(fields))
    inputs = np.full((60, len(program.fields), 1), 8.5)
    inputs[:, program.fields.index("close"), 0] = walk(60, 1)[:, 0]
    found = Machine(program, 1).run(inputs, 0)
    assert np.nanmax(np.abs(found)) <= 1.0


def test_829_a_name_that_is_no_signal_gets_no_weight() -> None:
    sketch = {"price_momentum": 0.25}.get("whale_acumulation", 0.1)
    assert sketch == 0.1
    with pytest.raises(KeyError):
        built_in({"whale_acumulation": 0.1}, Windows(), HOUR)


def test_836_five_that_agree_fully_are_sure() -> None:
    weights = np.array([WEIGHTS[name] for name in ("price_momentum", "volume_breakout", "sentiment_news", "sentiment_social")] + [0.20])
    sketch = (weights * 1.0).sum() / len(weights)
    assert sketch <= 0.25  # and 0.5 is asked for: the sketch holds for ever (905)
    ones = np.ones((1, 5, 1))
    fused = Weighted(tuple(weights.tolist())).fuse(ones, ones)
    assert fused.confidence[0, 0] == 1.0 and fused.score[0, 0] == 1.0


# --- 3 the loop that improves itself


def test_1046_a_choice_by_hash_is_the_same_in_every_process() -> None:
    def answers(code: str) -> set[str]:
        runs = [subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
                               cwd=Path(__file__).parents[3]) for seed in "123"]  # fmt: skip
        return {run.stdout for run in runs}

    assert len(answers("print(hash('volatility momentum'))")) == 3
    node = "from strategies.factors import read; print(read('ts_std(close, 20)', timeframe=60000, fields=('close',)).node.key)"
    assert len(answers(node)) == 1


def test_1053_an_index_of_strength_has_no_zero_by_zero() -> None:
    flat = pd.Series(np.full(60, 100.0))
    gain = flat.diff().clip(lower=0).rolling(14).mean()
    assert (gain / -flat.diff().clip(upper=0).rolling(14).mean()).isna().all()
    market = Market.of(np.full((60, 1), 100.0))
    assert np.isnan(values_of("rsi(close, 14)", market)).all()  # not known, and so no position
    rising = Market.of(np.linspace(1.0, 2.0, 60)[:, None])
    assert values_of("rsi(close, 14)", rising)[-1, 0] == 100.0


def test_1091_a_breakout_can_break_upwards() -> None:
    market = Market.of(walk(500, 1, seed=4))
    highs = pd.Series(market.high[:, 0])
    sketch = np.sign(market.close[:, 0] - highs.rolling(20).max())
    assert not (sketch > 0).any()
    ours = values_of("sign(close - delay(ts_max(high, 20), 1))", market)
    assert (ours > 0).any() and (ours < 0).any()


def test_1122_a_figure_that_is_missing_is_no_score() -> None:
    good = {"turnover": 0.5}
    assert {}.get("turnover", 0) < good["turnover"]  # type: ignore[call-overload]  # the sketch: nothing measured, lowest turnover
    market = Market.of(walk(400, 6, seed=5))
    nothing = np.full(market.close.shape, np.nan)
    some = values_of("close / delay(close, 3) - 1", market)
    found = [entry(each, "sharpe") for each in backtest_many(market, [nothing, some], QUICK, names=["nothing", "some"])]
    answer = comparison(found, "sharpe")
    assert answer["ranked"] == ["some", "nothing"]
    assert math.isnan(found[0].score) and math.isnan(answer["factors"][1]["luck"].deflated_sharpe)


def test_1141_a_factor_is_used_with_the_sign_it_had_on_train() -> None:
    market = Market.of(walk(600, 8, seed=6))
    inverted = -foresight(market)
    assert abs(np.nanmean(ic_series(inverted, foresight(market)))) > 0.03  # the sketch passes |IC| and trades the wrong way
    found = backtest(market, inverted, QUICK)
    assert found.direction == -1
    assert found.slices["validate"].metrics["rank_ic"].value == pytest.approx(1.0)  # type: ignore[union-attr]
    flipped = inverted.copy()
    flipped[420:] *= -1.0  # from validate on it is right: the sign stays that of train, and loses
    turned = backtest(market, flipped, QUICK)
    assert turned.direction == -1 and turned.slices["validate"].metrics["sharpe"].value < -5.0  # type: ignore[union-attr]


def test_1151_turnover_is_what_is_traded_of_what_is_held() -> None:
    side = np.tile([1.0, 1.0, -1.0, -1.0], 60)
    sketch = np.abs(np.diff(side)).mean()
    assert sketch == pytest.approx(1.0, abs=0.02)  # of a scale that ends at 2
    book = simulate(Market.of(np.full((240, 1), 100.0)), side[:, None], Settings(costs=FREE))
    found = performance(book.returns, DAY, gross=book.gross, traded=book.turnover, draws=0)
    assert found.turnover.value == pytest.approx(0.5, abs=0.01)  # every other day the whole book is sold and bought back


def test_1157_a_fall_is_that_of_what_is_left_after_costs_and_has_an_interval() -> None:
    market = Market.of(walk(500, 6, seed=33))
    noise = np.random.default_rng(3).normal(size=market.close.shape)
    found = backtest(market, noise, Settings(rebalance=1, folds=2, draws=200))
    path = np.cumprod(1 + found.book.price)
    uncosted = (path / np.maximum.accumulate(path) - 1).min()
    assert number(found.metrics["max_drawdown"]) < uncosted  # type: ignore[operator]
    drawn = found.metrics["max_drawdown_bootstrap"]
    assert drawn.low < number(found.metrics["max_drawdown"]) < 0 and drawn.draws == 200  # type: ignore[union-attr,operator]


def test_1182_a_place_in_the_sample_looks_ahead_and_a_place_in_the_past_does_not() -> None:
    factor = np.random.default_rng(7).normal(size=(500, 1)) + np.linspace(0, 3, 500)[:, None]

    def sketch(data: Rows) -> Array:
        rank = pd.Series(data.values[:, 0, 0]).rank(pct=True)
        return np.where(rank > 0.8, 1.0, np.where(rank < 0.2, -1.0, 0.0)).reshape(-1, 1, 1)

    def ours(data: Rows) -> Array:
        settings = Settings(scheme="time_rank", window=60)
        return positions(standing(data.values[:, 0], settings, HOUR), settings).reshape(-1, 1, 1)

    data = Rows(factor.reshape(-1, 1, 1))
    assert truncation(sketch, data, sketch(data), [200, 300, 400]).differing.any()
    assert not truncation(ours, data, ours(data), [200, 300, 400]).differing.any()


def test_1188_a_gap_is_not_two_bars_side_by_side() -> None:
    close = walk(200, 1, seed=8)
    close[60:140] = np.nan
    sketch = pd.Series(close[:, 0]).dropna().pct_change()
    assert abs(sketch.iloc[60]) > 0.02  # a move of 80 bars as that of one
    labels = labels_of(Market.of(close), 1)[:, 0]
    assert np.isnan(labels[58:139]).all()
    book = simulate(Market.of(close), np.where(np.arange(200) == 10, 1.0, np.nan)[:, None], Settings(costs=FREE))
    assert book.stale == 80 and (book.returns[60:139] == 0.0).all()
    assert book.returns[139] == pytest.approx(close[140, 0] / close[59, 0] - 1, rel=1e-9)  # the gap's move is not lost


def test_1196_a_coefficient_of_slow_series_has_an_honest_error() -> None:
    naive, honest = [], []
    for seed in range(40):
        market = Market.of(walk(600, 1, seed=seed))
        slow = np.cumsum(np.random.default_rng(1_000 + seed).normal(size=(600, 1)), axis=0)
        labels = labels_of(market, 48)
        found = time_ic(slow, labels, horizon=48).mean
        naive.append(found.value * math.sqrt(found.n))
        honest.append(found.t)
    wrong = np.mean(np.abs(naive) > 1.96)
    assert wrong > 0.7  # noise is "significant" nearly always
    assert np.mean(np.abs(honest) > 1.96) < 0.5 * wrong


def test_1201_a_book_pays_its_fees() -> None:
    market = Market.of(walk(400, 6, seed=9))
    noise = np.random.default_rng(1).normal(size=market.close.shape)
    free, paid = (backtest(market, noise, Settings(costs=c, rebalance=1, folds=2)) for c in (FREE, Costs()))
    lost = paid.book.costs.sum()
    assert lost > 0.1
    assert number(paid.metrics["total_return"]) < number(free.metrics["total_return"]) - 0.5 * lost  # type: ignore[operator]


def test_1204_a_year_of_hours_is_8760_bars() -> None:
    returns = np.random.default_rng(2).normal(0.0001, 0.01, 5_000)
    per_bar = returns.mean() / returns.std(ddof=1)
    assert performance(returns, HOUR, draws=0).sharpe.value == pytest.approx(per_bar * math.sqrt(8_760), rel=1e-9)
    assert performance(returns, DAY, draws=0).sharpe.value == pytest.approx(per_bar * math.sqrt(365), rel=1e-9)
    assert chapter_metrics(pd.Series(returns))["sharpe"] == chapter_metrics(pd.Series(returns))["sharpe"]  # of any bar length


def test_1241_the_best_of_many_on_noise_is_told_to_be_luck() -> None:
    dice = np.random.default_rng(11)
    market = Market.of(walk(900, 10, seed=12))
    tries = list(dice.normal(size=(40, *market.close.shape)))
    found = list(backtest_many(market, tries, QUICK, names=[str(i) for i in range(40)]))
    chosen = max(found, key=lambda each: each.slices["train"].metrics["sharpe"].value)  # type: ignore[union-attr]
    in_sample = chosen.slices["train"].metrics["sharpe"]
    assert in_sample.value > 2.0 * in_sample.error  # type: ignore[union-attr]  # the sketch: a success
    answer = comparison([entry(each, "sharpe") for each in found], "sharpe")
    assert answer["trials"] == 40 and answer["effective_trials"] > 30
    assert answer["discoveries"] == 0
    assert answer["factors"][0]["luck"].deflated_sharpe < 0.95


# --- 4 the back-tester


def test_1354_capital_and_rebalancing_are_obeyed() -> None:
    market = Market.of(walk(600, 6, seed=13), volume=100.0)
    factor = values_of("close / delay(close, 3) - 1", market)
    often, rarely = (backtest(market, factor, Settings(rebalance=n, folds=2)) for n in (1, 48))
    assert often.metrics["turnover"].value > 5 * rarely.metrics["turnover"].value  # type: ignore[union-attr]
    small, large = (backtest(market, factor, Settings(rebalance=8, capital=c, folds=2)) for c in (100.0, 1e7))
    assert large.book.costs.sum() > 3 * small.book.costs.sum()


def test_1414_a_new_extreme_is_not_a_full_position() -> None:
    factor = np.concatenate([np.random.default_rng(14).normal(0, 1, 300), [0.0] * 30, [0.02]])
    held, _ = chapter_single(pd.Series(factor), pd.Series(np.linspace(1, 2, factor.size)))
    assert held.iloc[-1] > 0.99  # a fiftieth of its usual size, and all is bet on it
    settings = Settings(scheme="time_zscore", window=300)
    assert abs(standing(factor[:, None], settings, HOUR)[-1, 0]) < 0.1


def test_1432_the_first_entry_is_charged_where_it_trades() -> None:
    close = pd.Series(np.full(40, 100.0))
    _, made = chapter_single(pd.Series(np.ones(40)), close, cost=0.001)
    assert made.sum() == 0.0  # the entry was free
    book = simulate(Market.of(np.full((40, 1), 100.0)), np.ones((40, 1)), Settings(costs=Costs(fee_bps=10, spread_bps=0, slippage_bps=0,
                                                                                             impact_bps=0)))  # fmt: skip
    assert book.costs[0] == 0.0 and book.costs[1] == pytest.approx(0.001) and book.costs[-1] == pytest.approx(0.001, rel=0.01)


def test_1436_a_perpetual_pays_funding() -> None:
    close = np.full((100, 1), 100.0)
    funding = np.where(np.arange(100) % 8 == 7, 0.0005, 0.0)[:, None]
    _, made = chapter_single(pd.Series(np.ones(100)), pd.Series(close[:, 0]))
    assert made.sum() == 0.0
    book = simulate(Market.of(close, funding=funding), np.ones((100, 1)), Settings(costs=FREE))
    assert book.returns.sum() == pytest.approx(-0.0005 * 12, rel=0.01)


def test_1461_the_first_symbol_does_not_rule_the_calendar() -> None:
    late, early = pd.Series(1.0, index=range(50, 100)), pd.Series(2.0, index=range(100))
    sketch = pd.DataFrame()
    for name, series in (("late", late), ("early", early)):
        sketch[name] = series
    assert len(sketch) == 50  # half of the second symbol's history is gone
    close = walk(100, 2, seed=15)
    close[:50, 0] = np.nan
    market = Market.of(close)
    assert market.rows == 100 and market.listed.sum(axis=0).tolist() == [50, 100]
    alone = Settings(scheme="time_sign", costs=FREE, rebalance=1)
    weights = positions(np.where(np.isnan(close), np.nan, 1.0), alone)
    assert weights[10].tolist() == [0.0, 1.0] and weights[80].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("symbols", [2, 3, 4, 5])
def test_1475_few_symbols_have_shorts_and_the_unselected_none(symbols: int) -> None:
    factor = pd.DataFrame(np.random.default_rng(16).normal(size=(30, symbols)))
    rank = factor.rank(axis=1, pct=True)
    assert not (rank < 0.2).any(axis=None)  # nobody is ever the lowest
    held = (rank > 0.8).astype(float)
    demeaned = held.sub(held.mean(axis=1), axis=0)
    assert ((demeaned < 0).sum(axis=1) == symbols - 1).all()  # and everybody else is short
    for scheme in ("quantile", "top"):
        ours = positions(factor.to_numpy(), Settings(scheme=scheme, top=1))
        assert ((ours < 0).sum(axis=1) == 1).all() and ((ours > 0).sum(axis=1) == 1).all()
        lowest = factor.to_numpy().argmin(axis=1)
        assert (ours[np.arange(30), lowest] == -0.5).all()


def test_1485_perfect_foresight_earns_and_the_frame_keeps_its_shape() -> None:
    market = Market.of(walk(500, 8, seed=17))
    closes = pd.DataFrame(market.close, columns=market.symbols)
    known = pd.DataFrame(closes.pct_change().shift(-1).to_numpy(), columns=market.symbols)
    sketch = chapter_multi(known, closes)
    assert (sketch == 0.0).all()  # every position is NaN, and a sum of NaN is zero
    gross = known.abs().sum(axis=1).clip(lower=1)
    assert (known / gross).shape == (500, 508) and (known / gross).isna().all(axis=None)
    assert (1 + chapter_multi(known, closes, axis_fixed=True)).prod() > 2.0  # the division alone was the flaw
    found = backtest(market, foresight(market), QUICK)
    assert found.book.weights is not None and found.book.weights.shape == (425, 8)
    assert np.isfinite(found.book.weights).all()
    assert number(found.metrics["total_return"]) > 10.0 and found.metrics["rank_ic"].value == pytest.approx(1.0)  # type: ignore[operator,union-attr]


def test_1485_a_cap_is_on_each_name_and_the_gross_is_reached() -> None:
    raw = np.array([0.3, -0.2, 0.1])
    sketch = raw * 0.2 / max(1.0, np.abs(raw).sum())
    assert np.abs(sketch).sum() < 0.13  # a small gross stays small, and the cap on a name scales all of them
    ours = positions(np.array([[0.3, -0.2, 0.1, 0.35, 2.0]]), Settings(scheme="zscore", gross=1.0, max_weight=0.5))
    assert np.abs(ours).max() <= 0.5 and np.abs(ours).sum() == pytest.approx(1.0)


def test_1491_a_missing_price_is_not_a_flat_one() -> None:
    returns = pd.DataFrame({"a": [0.01, np.nan], "b": [0.01, 0.02]})
    assert (returns * 0.5).sum(axis=1)[1] == pytest.approx(0.01)  # nothing is said
    close = np.array([[100.0, 100.0], [100.0, 100.0], [np.nan, 102.0], [140.0, 102.0]])
    market = Market.of(close)
    weights = np.full((4, 2), np.nan)
    weights[0] = 0.5
    book = simulate(market, weights, Settings(costs=FREE))
    assert book.stale == 1 and book.returns.sum() == pytest.approx(np.log(1.21), abs=0.02)
    found = backtest(Market.of(np.where(np.random.default_rng(1).random((300, 6)) < 0.1, np.nan, walk(300, 6))), walk(300, 6), QUICK)
    assert any("without a price of their own" in said for said in found.warnings)


def test_1495_the_coefficient_of_many_is_the_mean_over_bars_not_that_of_the_means() -> None:
    dice = np.random.default_rng(18)
    common = dice.normal(0, 1, 400)
    labels = common[:, None] + 0.1 * dice.normal(size=(400, 12))
    factor = common[:, None] + dice.normal(size=(400, 12))  # knows the market, and nothing about which symbol
    sketch = np.corrcoef(factor.mean(axis=1), labels.mean(axis=1))[0, 1]
    assert sketch > 0.9
    found = newey_west(ic_series(factor, labels))
    assert abs(found.value) < 0.05
    by_hand = [pd.Series(factor[t]).rank().corr(pd.Series(labels[t]).rank()) for t in range(400)]
    assert found.value == pytest.approx(float(np.mean(by_hand)), abs=1e-12)


def test_1519_a_ratio_is_of_the_mean_not_of_growth_and_short_samples_do_not_explode() -> None:
    returns = pd.Series(np.random.default_rng(19).normal(0.006, 0.01, 30))
    sketch = chapter_metrics(returns)
    assert sketch["annual"] > 1.0 and sketch["sharpe"] > 7.0
    found = performance(returns.to_numpy(), MINUTE, draws=0)
    assert math.isnan(found.annual_return) and math.isnan(found.calmar)  # of half an hour nothing is said about a year
    assert found.sharpe.error > 0.3 * abs(found.sharpe.value)


def test_1526_sortino_takes_every_bar() -> None:
    returns = np.array([0.02, 0.01, -0.03, -0.03, -0.03, 0.02, 0.04, 0.01] * 20)
    sketch = pd.Series(returns)[lambda r: r < 0].std()
    assert sketch == pytest.approx(0.0, abs=1e-12)  # equal losses are no risk
    below = math.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))
    assert performance(returns, DAY, draws=0).sortino.value == pytest.approx(returns.mean() / below * math.sqrt(365), rel=1e-9)


def test_1537_a_label_is_made_of_prices_that_could_be_had() -> None:
    dice = np.random.default_rng(20)
    gaps = dice.normal(0, 0.02, (400, 12))  # all of the move happens between a close and the next open
    close = 100.0 * np.exp(np.cumsum(gaps, axis=0))
    opened = close.copy()
    market = Market.of(close, opened)
    sketch = pd.DataFrame(close).pct_change().shift(-1).to_numpy()
    ic = newey_west(ic_series(np.vstack([gaps[1:], np.full((1, 12), np.nan)]), sketch)).value
    assert ic == pytest.approx(1.0, abs=0.01)  # it knows the gap that comes, and is paid for it
    found = backtest(market, np.vstack([gaps[1:], np.full((1, 12), np.nan)]), QUICK)
    assert abs(found.metrics["rank_ic"].value) < 0.1  # type: ignore[union-attr]  # the open it trades at is after the gap


def test_1549_a_profit_factor_is_a_number_and_calmar_needs_a_while() -> None:
    wins = np.abs(np.random.default_rng(21).normal(0.001, 0.0001, 200))
    assert chapter_metrics(pd.Series(wins))["profit_factor"] == np.inf
    found = performance(wins, MINUTE, draws=0)
    assert math.isnan(found.profit_factor) and math.isnan(found.calmar)
    mixed = wins.copy()
    mixed[5] = -1e-12
    assert math.isfinite(performance(mixed, MINUTE, draws=0).profit_factor)


def test_1574_every_trade_is_counted_the_first_and_the_small_ones_too() -> None:
    held = pd.Series([0.5, 0.505, 0.51, 0.0])
    sketch = int((held.diff().abs() > 0.01).sum())
    assert sketch == 1
    book = simulate(Market.of(np.full((6, 1), 100.0)), np.array([0.5, 0.505, 0.51, 0.0, np.nan, np.nan])[:, None], Settings(costs=FREE))
    assert book.trades == 4
    assert book.turnover.sum() == pytest.approx(0.5 + 0.005 + 0.005 + 0.51)


def test_1622_a_shift_brings_nothing_from_the_end() -> None:
    market = Market.of(walk(50, 1, seed=22))
    assert np.roll(market.close, 1)[0, 0] == market.close[-1, 0]  # the last bar at the first
    ours = values_of("delay(close, 1)", market)
    assert np.isnan(ours[0, 0]) and ours[1, 0] == market.close[0, 0]


def test_1679_the_ranking_is_by_what_was_not_chosen_on() -> None:
    market = Market.of(walk(900, 10, seed=23))
    sure = foresight(market)
    early, late = sure.copy(), np.random.default_rng(2).normal(size=sure.shape)
    early[600:] = np.random.default_rng(1).normal(size=early[600:].shape)
    late[: 630 // 2] = sure[: 630 // 2]
    late[630:] = sure[630:]
    found = list(backtest_many(market, [early, late], QUICK, names=["early", "late"]))
    by_train = max(found, key=lambda each: each.slices["train"].metrics["sharpe"].value)  # type: ignore[union-attr]
    assert by_train.factor == "early"
    answer = comparison([entry(each, "sharpe") for each in found], "sharpe")
    assert answer["ranked"] == ["late", "early"] and answer["ranked_on"] == "validate"


def test_1824_a_probe_works_and_no_gate_hangs_on_the_scale() -> None:
    market = Market.of(walk(500, 8, seed=24))
    factor = values_of("close / delay(close, 5) - 1", market)
    assert factor[10:].std() > 0.01 > (factor[10:] / 1_000).std()  # the same factor passes and fails the sketch
    one, other = (backtest(market, factor * size, QUICK) for size in (1.0, 1e-3))
    assert one.metrics["rank_ic"] == other.metrics["rank_ic"] and one.book.trades == other.book.trades
    np.testing.assert_allclose(one.book.returns, other.book.returns, atol=1e-12)

    def peeks(data: Rows) -> Array:
        return np.roll(data.values, -1, axis=0)

    data = Rows(factor[:, None])
    assert truncation(peeks, data, peeks(data), [100, 300]).differing.any()


def test_1840_no_label_of_train_reaches_into_validate() -> None:
    rows, horizon = 1_000, 24
    cut = int(rows * 0.7)
    assert cut - 1 + horizon > cut  # the sketch: the last labels of train end in validate
    train, validate, test = three_slices(0, rows, (0.7, 0.15, 0.15), horizon + 1, 10)
    assert train.stop - 1 + horizon + 1 < validate.start and validate.stop - 1 + horizon + 1 < test.start


def test_1840_the_test_slice_is_not_even_computed() -> None:
    market = Market.of(walk(800, 8, seed=25))
    factor = values_of("close / delay(close, 5) - 1", market)
    sealed = backtest(market, factor, QUICK)
    changed = market._replace(open=market.open.copy(), close=market.close.copy())
    changed.open[690:] = np.nan
    changed.close[690:] = 1e9
    other = backtest(changed, factor, QUICK)
    assert "test" not in sealed.slices
    assert sealed.metrics == other.metrics and sealed.book.returns.tobytes() == other.book.returns.tobytes()
