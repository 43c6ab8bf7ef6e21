"""A factor tried on a market: what is fixed before a slice begins, what later bars cannot change, and that figures add up."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bot.modes.markets import open_market
from bot.research.backtest import Backtest, backtest, backtest_many, labels_of
from bot.research.comparison import comparison, entry
from bot.research.decay import decay
from bot.research.document import document, number
from bot.research.estimates import Estimate
from bot.research.ic import ic_series
from bot.research.market import Market
from bot.research.settings import FREE, Costs, Settings
from bot.research.values import factor_values
from feeds.times import DAY, HOUR, millis
from strategies.errors import FactorError
from strategies.factors import Machine, Node, compile_factors, read

FIELDS = ("open", "high", "low", "close", "volume", "turnover")


def market(rows: int = 900, symbols: int = 12, seed: int = 1, timeframe: int = 6 * HOUR) -> Market:
    """Random walks with a common part, a coin that ends, one that begins late, holes and funding."""
    dice = np.random.default_rng(seed)
    moves = 0.01 * dice.normal(size=(rows, 1)) + 0.02 * dice.normal(size=(rows, symbols))
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    close[dice.random(close.shape) < 0.005] = np.nan
    close[rows // 2 :, 1] = np.nan
    close[: rows // 5, 2] = np.nan
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(dice.normal(0, 0.001, close.shape))
    funding = np.where(np.arange(rows)[:, None] % 2, 0.0001, 0.0) * np.ones(close.shape)
    return Market.of(close, opened, timeframe=timeframe, start_ms=19_000 * DAY, funding=funding)


def node(text: str) -> Node:
    return read(text, timeframe=6 * HOUR, fields=FIELDS).node


def value(found: Backtest, name: str, part: str | None = None) -> float:
    return number((found.metrics if part is None else found.slices[part].metrics).get(name))


def test_a_graph_and_its_values_are_one_factor() -> None:
    made, graph = market(), node("close / delay(close, 7) - 1")
    (values,) = factor_values(made, [graph])
    one, other = backtest(made, graph, Settings(draws=50)), backtest(made, values, Settings(draws=50))
    assert one.canonical == graph.text and other.canonical == ""
    assert one.metrics == other.metrics and one.slices == other.slices and one.by_regime == other.by_regime
    assert one.book.returns.tobytes() == other.book.returns.tobytes()


def test_many_are_each_as_if_alone_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = market()
    graphs = [node(text) for text in ("close / delay(close, 7) - 1", "-ts_zscore(volume * close, 20)", "rank(ts_std(close, 10) / close)")]
    together = list(backtest_many(made, graphs))
    monkeypatch.setattr("bot.research.values.BLOCK_VALUES", 5_000)
    monkeypatch.setattr("bot.research.values.GROUP_BYTES", 1)
    monkeypatch.setattr("bot.research.book.CHUNK_VALUES", 300)
    apart = [next(iter(backtest_many(made, [graph], names=[f"factor {i}"]))) for i, graph in enumerate(graphs, 1)]
    for one, other in zip(together, apart, strict=True):
        assert one.factor == other.factor and one.metrics == other.metrics and one.slices == other.slices
        assert one.book.returns.tobytes() == other.book.returns.tobytes()


def test_the_machine_of_a_session_gives_the_same_values_bar_by_bar() -> None:
    made, graph = market(200), node("ts_rank(close, 20) - rank(volume * close)")
    (values,) = factor_values(made, [graph])
    machine = Machine(compile_factors({"f": graph}, timeframe=made.timeframe, fields=FIELDS), len(made.symbols))
    for t in range(made.rows):
        bar = machine.run(made.inputs(FIELDS, t, t + 1), made.first + t)[0, 0]
        assert bar.tobytes() == values[t].tobytes()


@pytest.mark.parametrize("scheme", ["rank", "quantile", "top", "zscore", "time_zscore", "time_rank"])
def test_more_bars_change_no_earlier_position(scheme: str) -> None:
    made = market()._replace(funding=np.zeros((900, 12)))
    close = np.where(np.isnan(made.close), 100.0, made.close)
    made = Market.of(close, timeframe=made.timeframe, start_ms=made.start_ms)
    settings = Settings(scheme=scheme, rebalance=3, direction="+1", window=100, test=True, vol_target=0.3)
    graph = node("close / delay(close, 7) - 1")
    long, short = (backtest(made.until(rows), graph, settings).book for rows in (900, 640))
    assert long.weights is not None and short.weights is not None
    assert np.abs(short.weights[:639]).sum() > 50
    assert long.weights[:639].tobytes() == short.weights[:639].tobytes()
    assert long.returns[:639].tobytes() == short.returns[:639].tobytes()


def test_perfect_foresight_earns_under_every_scheme() -> None:
    made = market()
    settings = Settings(rebalance=1, horizon=1, costs=FREE)
    for scheme in ("rank", "quantile", "top", "zscore", "time_sign", "time_zscore", "time_rank"):
        for long_only in (False, True):
            asked = msgspec.structs.replace(settings, scheme=scheme, long_only=long_only)
            (found,) = backtest_many(made, [labels_of(made, 1)], asked)
            assert value(found, "total_return") > 5.0, (scheme, long_only)
            assert found.direction == 1


def test_the_sign_is_that_of_train_and_a_given_one_stays() -> None:
    made = market()
    sure = labels_of(made, 1)
    turned = np.where(np.arange(900)[:, None] < 600, -sure, sure)  # right from validate on
    settings = Settings(rebalance=1, horizon=1, costs=FREE)
    found = backtest(made, turned, settings)
    assert found.direction == -1
    assert value(found, "rank_ic", "train") > 0.9 > -0.9 > value(found, "rank_ic", "validate")
    assert [fold.direction for fold in found.folds][:3] == [-1, -1, -1]
    told = backtest(made, turned, msgspec.structs.replace(settings, direction="+1"))
    assert told.direction == 1 and value(told, "rank_ic", "validate") > 0.9
    unknown = backtest(made, np.full(made.close.shape, np.nan), settings)
    assert unknown.direction == 1 and any("no value of the factor is known" in said for said in unknown.warnings)


def test_train_and_validate_are_the_same_whether_test_is_opened_or_not() -> None:
    made, graph = market(), node("-ts_zscore(close, 20)")
    closed, opened = backtest(made, graph, Settings()), backtest(made, graph, Settings(test=True))
    assert set(closed.slices) == {"train", "validate"} and set(opened.slices) == {"train", "validate", "test"}
    for name in ("train", "validate"):
        assert closed.slices[name] == opened.slices[name]
    assert closed.stop < opened.slices["test"].start < opened.stop
    assert any("test slice was opened" in said for said in opened.warnings)
    assert not any("test slice" in said for said in closed.warnings)


def test_bars_before_the_first_judged_one_only_warm_up() -> None:
    made, graph = market(), node("close / delay(close, 50) - 1")
    found = backtest(made._replace(begin=300), graph, Settings())
    assert found.start == made.open_ms(300)
    assert not found.book.returns[:300].any() and found.book.turnover[301:320].any()
    assert found.metrics["coverage"].value > 0.95  # type: ignore[union-attr]


def test_figures_are_those_of_the_book() -> None:
    made = market()
    found = backtest(made, node("close / delay(close, 7) - 1"), Settings(rebalance=4, costs=Costs(fee_bps=20.0), draws=100))
    book = found.book
    returns = book.returns[1:]
    assert value(found, "total_return") == pytest.approx(math.prod(1 + r for r in returns) - 1, rel=1e-9)
    assert value(found, "sharpe") == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(365 * 4), rel=1e-9)
    traded = book.turnover[1:]
    assert value(found, "turnover") == pytest.approx(traded.mean() / 2 / book.gross[1:].mean() * 4, rel=1e-9)
    assert value(found, "break_even_bps") == pytest.approx(1e4 * (returns + book.costs[1:]).mean() / traded.mean(), rel=1e-9)
    assert value(found, "costs") == pytest.approx(book.costs.sum()) and value(found, "funding") == pytest.approx(book.funding.sum())
    assert number(found.metrics["trades"]) == book.trades > 500
    assert 0 < value(found, "capacity_1pct") * 4.9 < value(found, "capacity_5pct")


def test_the_coefficients_of_a_slice_are_of_its_decisions_alone() -> None:
    made, graph = market(), node("close / delay(close, 7) - 1")
    found = backtest(made, graph, Settings(direction="+1"))
    (values,) = factor_values(made, [graph])
    cut = made.until(int((found.stop - made.start_ms) // made.timeframe))
    labels = labels_of(cut, found.settings.horizon)
    for name, part in found.slices.items():
        a, b = ((at - made.start_ms) // made.timeframe for at in (part.start, part.stop))
        series = ic_series(np.where(np.isnan(cut.close), np.nan, values[: cut.rows])[a:b], labels[a:b])
        assert value(found, "rank_ic", name) == pytest.approx(np.nanmean(series), rel=1e-9)
    train, validate = found.slices["train"], found.slices["validate"]
    gap = found.settings.horizon + found.settings.latency + found.settings.embargo
    assert validate.start - train.stop == gap * made.timeframe


def test_regimes_are_those_of_the_decision_and_not_of_the_return() -> None:
    made = market(rows=1_800)
    found = backtest(made, labels_of(made, 1), Settings(rebalance=1, horizon=1, costs=FREE))
    assert set(found.by_regime) <= {"bull", "bear", "high_volatility", "low_liquidity"} and len(found.by_regime) >= 3
    for part in found.by_regime.values():
        assert part.metrics["rank_ic"].value == pytest.approx(1.0) and part.bars < found.bars  # type: ignore[union-attr]


def test_a_coin_that_died_is_in_the_labels_and_in_the_book() -> None:
    made = market()
    labels = labels_of(made, 8)
    last = 449  # its last bar
    assert np.isfinite(labels[last - 6 : last - 1, 1]).all() and np.isnan(labels[last - 1 :, 1]).all()
    assert labels[last - 4, 1] == pytest.approx(made.open[last, 1] / made.open[last - 3, 1] - 1)
    found = backtest(made, node("close / delay(close, 7) - 1"), Settings(costs=Costs(haircut_bps=5_000.0)))
    assert found.book.ended == 1 and any("closed at the last known price less 5000 bps" in said for said in found.warnings)
    assert not any("lives to the end" in said for said in found.warnings)
    alive = made._replace(symbols=made.symbols[3:6], **{name: getattr(made, name)[:, 3:6] for name in (*FIELDS, "funding", "listed")})
    assert any("lives to the end" in said for said in backtest(alive, node("-close / delay(close, 7)"), Settings()).warnings)


def test_who_is_not_in_the_universe_is_neither_ranked_nor_held() -> None:
    made = market()
    listed = made.listed.copy()
    listed[200:400, 5] = False
    found = backtest(made._replace(listed=listed), node("close / delay(close, 7) - 1"), Settings(rebalance=1))
    assert found.book.weights is not None
    assert not found.book.weights[203:400, 5].any() and found.book.weights[:200, 5].any()


def test_latency_moves_trades_and_labels() -> None:
    made = market()
    sure = labels_of(made, 1, latency=3)
    by_hand = made.open[4 + 3] / made.open[4 + 2]
    np.testing.assert_allclose(labels_of(made, 1)[4 + 1], by_hand - 1)
    np.testing.assert_allclose(sure[4], made.open[8] / made.open[7] - 1)
    found = backtest(made, sure, Settings(rebalance=1, horizon=1, latency=3, costs=FREE))
    assert value(found, "total_return") > 5.0 and value(found, "rank_ic") == pytest.approx(1.0)
    late = backtest(made, labels_of(made, 1), Settings(rebalance=1, horizon=1, latency=3, costs=FREE))
    assert abs(value(late, "rank_ic")) < 0.1


def test_one_symbol_is_traded_over_time() -> None:
    made = market(symbols=4, rows=900)
    alone = made._replace(symbols=made.symbols[:1], **{name: getattr(made, name)[:, :1] for name in (*FIELDS, "funding", "listed")})
    found = backtest(alone, labels_of(alone, 1), Settings(rebalance=1, horizon=1, costs=FREE))
    assert found.settings.scheme == "time_zscore" and value(found, "total_return") > 5.0
    assert found.quantiles is not None and found.quantiles.evidence == "over_time"
    assert value(found, "rank_ic", "validate") == pytest.approx(1.0)


def test_settings_that_cannot_be_are_refused_by_name() -> None:
    for wrong, says in (
        ({"scheme": "best"}, "scheme is 'best'"), ({"latency": 0}, "latency is 0"), ({"share": 0.7}, "share is 0.7"),
        ({"shares": (0.5, 0.2, 0.2)}, "shares are"), ({"horizons": ()}, "horizons are"), ({"direction": "up"}, "direction is 'up'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            Settings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fee_bps is -1"):
        Costs(fee_bps=-1.0)
    with pytest.raises(ValueError, match="too few"):
        backtest(market(40), np.zeros((40, 12)), Settings())
    with pytest.raises(ValueError, match=r"values are float64\[900, 12\], one for each bar and symbol, not \[899, 12\]"):
        backtest(market(), np.zeros((899, 12)))
    with pytest.raises(ValueError, match="not both at once"):
        list(backtest_many(market(), [np.zeros((900, 12)), node("close")]))
    with pytest.raises(FactorError, match="mvrv"):
        backtest(market(), read("mvrv", timeframe=HOUR, fields=("mvrv",)).node)


def test_the_document_is_json_of_one_shape() -> None:
    found = document(backtest(market(), node("close / delay(close, 7) - 1"), Settings(test=True, draws=20)))
    read_back = msgspec.json.decode(msgspec.json.encode(found))
    assert list(read_back) == [
        "factor", "canonical", "direction", "symbols", "timeframe", "start", "stop", "bars", "settings", "metrics", "by_regime",
        "quantiles", "ic_decay", "walk_forward", "slices", "warnings",
    ]  # fmt: skip
    for name in ("total_return", "annual_return", "max_drawdown", "calmar", "profit_factor",
                 "ic", "rank_ic", "icir", "hit_rate", "autocorrelation", "coverage", "turnover", "break_even_bps", "sharpe", "sortino",
                 "volatility", "win_rate", "half_life", "monotonicity", "quantile_spread"):  # fmt: skip
        assert set(read_back["metrics"][name]) == {"value", "error", "t", "n"}, name
    for name in ("capacity_1pct", "capacity_5pct", "costs", "funding", "trades", "net", "exposure"):
        assert name in read_back["metrics"], name
    assert set(read_back["slices"]) == {"train", "validate", "test"}
    assert [row["quantile"] for row in read_back["quantiles"]] == [1, 2, 3, 4, 5]


def test_a_comparison_counts_tries_and_knows_which_are_alike() -> None:
    made = market()
    graph = "close / delay(close, 7) - 1"
    texts = [graph, f"-({graph})", f"2 * ({graph})", "ts_std(close, 9) / close", "volume / ts_mean(volume * close, 5)"]
    found = list(backtest_many(made, [node(text) for text in texts], names=texts))
    answer = comparison([entry(each, "rank_ic") for each in found], "rank_ic")
    assert answer["trials"] == 5 and answer["effective_trials"] <= 3
    scores = [row["slices"]["validate"].metrics["rank_ic"].value for row in answer["factors"]]
    assert scores == sorted(scores, reverse=True)
    for row in answer["factors"]:
        assert isinstance(row["slices"]["validate"].metrics["rank_ic"], Estimate) and 0 <= row["luck"].adjusted_p <= 1


def some(made: Market, count: int) -> Market:
    """Its symbols from the third on, so many: without the one that ends."""
    keep = slice(3, 3 + count)
    return made._replace(symbols=made.symbols[keep], **{name: getattr(made, name)[:, keep] for name in (*FIELDS, "funding", "listed")})


@pytest.mark.parametrize("count", [2, 4, 6, 9])
def test_the_sign_is_that_of_what_the_positions_see(count: int) -> None:
    """A factor that knows the market and is wrong about who beats it: few symbols or many, a neutral book goes against it."""
    made = some(market(symbols=13), count)
    sure = labels_of(made, 1)
    common = np.nan_to_num(sure).mean(axis=1, keepdims=True)
    both = 5.0 * common - (sure - common)
    neutral = backtest(made, both, Settings(rebalance=1, horizon=1, costs=FREE))
    assert neutral.settings.scheme == "rank" and neutral.direction == -1 and value(neutral, "total_return") > 1.0
    assert value(neutral, "rank_ic", "validate") > 0.5
    timed = backtest(made, both, Settings(scheme="time_sign", rebalance=1, horizon=1, costs=FREE))
    assert timed.direction == 1 and value(timed, "total_return") > 1.0
    assert (timed.settings.evidence, neutral.settings.evidence) == ("over_time", "over_time" if count < 5 else "across")
    assert neutral.quantiles is not None and neutral.quantiles.spread.value > 0
    assert neutral.ic_decay is not None and neutral.ic_decay.rank_ic[0].value > 0.5


def test_the_decay_is_that_of_the_executable_labels() -> None:
    made, graph = some(market(), 9), node("close / delay(close, 7) - 1")
    (values,) = factor_values(made, [graph])
    cut = made.until(backtest(made, graph).book.returns.size)
    found = backtest(made, graph, Settings(direction="+1", horizon=1)).ic_decay
    known = np.where(np.isnan(cut.close), np.nan, values[: cut.rows])
    assert found is not None
    assert found.rank_ic == decay(known, cut.open, found.horizons, evidence="across").rank_ic
    late = backtest(made, graph, Settings(direction="+1", horizon=1, latency=3)).ic_decay
    assert late is not None
    later = np.vstack([cut.open[2:], np.full((2, 9), np.nan)])
    assert late.rank_ic == decay(known, later, late.horizons, evidence="across").rank_ic


def test_a_coin_that_died_makes_its_buyer_poorer(shared_data: Path) -> None:
    """Three coins in equal parts through 2022, and the two of them that are still there."""
    file = shared_data / "candles/1d_spot_binance_2021_2023_incl_delisted.parquet"
    settings = Settings(scheme="time_sign", long_only=True, direction="+1", rebalance=1, test=True, folds=1)
    found = []
    for symbols in (["BTCUSDT", "ETHUSDT", "LUNAUSDT"], ["BTCUSDT", "ETHUSDT"]):
        made = open_market([file], symbols).market((), millis("2022-01-01"), millis("2022-12-31"))
        found.append(backtest(made, np.ones(made.close.shape), settings))
    assert (found[0].book.ended, found[1].book.ended) == (1, 0)
    assert value(found[0], "total_return") < -0.9 and -0.75 < value(found[1], "total_return") < -0.55
    assert [any("lives to the end" in said for said in each.warnings) for each in found] == [False, True]
    assert any("taken for another coin" in said for said in found[0].warnings)
