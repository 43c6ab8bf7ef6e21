"""A replay of real bars agrees with a second computation from the definitions: scores, decisions, orders, fills, books, metrics.

Everything on the other side stands in recompute.py, retrade.py, resettle.py and remeasure.py: pandas, numpy and Decimal over the
raw files, no line of the product.
"""

import tomllib
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pytest

from bot.config import load
from bot.modes import replay
from bot.results import ReplayResult
from bot.store.journal import Journal
from bot.store.reader import Reader
from feeds.events import Event
from feeds.times import millis
from strategies.events import Decision
from tests.e2e import remeasure
from tests.e2e.recompute import FACTORS, Raw, Views, views_of
from tests.e2e.resettle import ZERO, Bar, Fill, Market
from tests.e2e.retrade import Account, Asked, View

HOUR, MINUTE = 3_600_000, 60_000
SPANS = {"h": HOUR, "d": 24 * HOUR}
NEAR = 1e-9


class Case(NamedTuple):
    """A run: what is traded, from when to when, with which settings. `warm` bars before `start` are read too."""

    candles: str
    symbols: tuple[str, ...]
    timeframe: int
    read: str
    start: str
    stop: str
    config: str
    venue: str = "binance"


COMMON = """
[strategy]
entry_threshold = {entry}
exit_threshold = {exit}
min_confidence = 0.3
normalise = "{normalise}"
normalise_window = {window}
[strategy.windows]
momentum = {momentum}
volume = {volume}
scale = {scale}
volatility = {scale}
story = "{story}"
[strategy.factors]
{factors}
[strategy.weights]
reversal = 0.25
"""

CASES = {
    # large enough to take several bars for an order; stops and targets close enough to be met; funding settles as it ends
    "minutes": Case(
        "1m_spot_binance", ("BTCUSDT",), MINUTE, "2023-10-01", "2023-10-01", "2023-10-22T16:00",
        COMMON.format(entry=0.12, exit=0, normalise="absmax", window=720, momentum=240, volume=60, scale=1440, story="12h", factors=(
            "reversal trend bands strength carry")) + """
[trading]
stop_loss = 0.004
take_profit = 0.008
[account]
cash = 1000000
[risk]
max_order_notional = 300000
max_drawdown = 0.5
""",
    ),
    # several symbols that compete for what may be held, sized by volatility, flat first, funding
    "hours": Case(
        "1h_perp_binance", ("ETHUSDT", "BTCUSDT", "XRPUSDT", "LTCUSDT", "ADAUSDT"), HOUR, "2023-03-01", "2023-07-01", "2023-12-15",
        COMMON.format(entry=0.2, exit=0.05, normalise="zscore", window=168, momentum=24, volume=24, scale=240, story="2d", factors=(
            "reversal trend bands strength carry weighted average together")) + """
[trading]
sizing = "volatility"
share = 0.18
target_volatility = 0.06
reversal = "flat"
stop_loss = 0.03
cool_down_bars = 3
max_bars = 60
[risk]
daily_loss = 0.008
max_drawdown = 0.2
[execution]
latency_ms = 0
""",
    ),
    # limit entries that rest, fill through, or are taken back; targets; the drawdown's halt
    "limits": Case(
        "5m_perp_bybit", ("BTCUSDT", "ETHUSDT"), 5 * MINUTE, "2025-04-03", "2025-04-20", "2025-05-20",
        COMMON.format(entry=0.2, exit=0.05, normalise="rank", window=288, momentum=48, volume=48, scale=576, story="1d", factors=(
            "reversal trend bands strength weighted")) + """
[trading]
order_type = "limit"
limit_offset_bps = 4
limit_bars = 3
stop_loss = 0.006
take_profit = 0.009
share = 0.2
[account]
cash = 400000
[risk]
max_order_notional = 100000
max_drawdown = 0.04
[execution]
latency_ms = 1500
volume_share = 0.02
""",
    ),
}  # fmt: skip
STEPS = {
    "BTCUSDT": ("0.10", "0.001"), "ETHUSDT": ("0.01", "0.01"), "XRPUSDT": ("0.0001", "0.1"), "LTCUSDT": ("0.01", "0.1"),
    "ADAUSDT": ("0.0001", "1"),
}  # fmt: skip
INSTRUMENTS = {symbol: {"tick": Decimal(tick), "lot": Decimal(lot), "least_notional": Decimal(5)} for symbol, (tick, lot) in STEPS.items()}
NAMED = {"BTCUSDT": "bitcoin|btc", "ETHUSDT": "ethereum|eth", "XRPUSDT": "xrp|ripple", "LTCUSDT": "litecoin", "ADAUSDT": "cardano"}


class Ran(NamedTuple):
    """A run and the same again: what the product said, and what came out here."""

    case: Case
    settings: dict[str, Any]
    result: ReplayResult
    reader: Reader
    decisions: dict[str, list[Decision]]
    raw: Raw
    views: dict[str, Views]
    account: Account
    curve: pd.DataFrame
    paid: list[tuple[int, str, float, Decimal, Decimal, Decimal]]


@pytest.fixture(scope="module", params=CASES)
def ran(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    raw = _read(case, shared_data, folder)
    text = _config_text(case)
    (folder / "config.toml").write_text(text)
    config = load(folder / "config.toml", {}).config
    given: dict[str, Any] = {
        "candles": [folder / "candles"], "funding": [shared_data / "derivs/funding_rates.parquet"],
        "metrics": [shared_data / "onchain/coinmetrics_daily.parquet"], "news": [folder / "news.parquet"],
        "symbols": case.symbols, "timeframe": case.timeframe, "start": millis(case.start), "stop": millis(case.stop),
    }  # fmt: skip
    result = replay(config, **given, store=folder / "run.db")
    decisions = _all_decisions(config, given, result)
    settings = _settings(text)
    views = {symbol: views_of(raw, symbol, settings["strategy"]) for symbol in case.symbols}
    with Reader.open(folder / "run.db") as reader:
        yield Ran(case, settings, result, reader, decisions, raw, views, *_trade(case, settings, raw, decisions))


def _config_text(case: Case) -> str:
    """The factors' names become their texts; rules of each instrument are added."""
    lines = ["[exchange]", f"symbols = {list(case.symbols)}"]
    for line in case.config.splitlines():
        names = line.split()
        lines += [f'{name} = "{FACTORS[name][0]}"' for name in names] if names and set(names) <= set(FACTORS) else [line]
    for symbol in case.symbols:
        tick, lot = STEPS[symbol]
        lines += [f"[instruments.{symbol}]", f"tick = {tick}", f"lot = {lot}", f"least_quantity = {lot}", "least_notional = 5"]
    return "\n".join(lines)


def _settings(text: str) -> dict[str, Any]:
    """config.toml's defaults, as they are documented, under what the case says."""
    said = tomllib.loads(text, parse_float=Decimal)
    plain = tomllib.loads((Path(__file__).parents[2] / "config.toml").read_text(), parse_float=Decimal)
    merged = {name: {**plain.get(name, {}), **said.get(name, {})} for name in ("trading", "risk", "costs", "execution", "account")}
    strategy = {**plain["strategy"], **said["strategy"]}
    windows = {**plain["strategy"]["windows"], **said["strategy"]["windows"]}
    for name in ("metric", "story"):
        windows[name] = SPANS[windows[name][-1]] * int(windows[name][:-1])
    weights = {**plain["strategy"]["signals"], **said["strategy"]["weights"]}
    strategy |= {"windows": windows, "weights": {name: float(weight) for name, weight in weights.items()}}
    strategy |= {name: float(strategy[name]) for name in ("entry_threshold", "min_confidence", "exit_threshold")}
    merged["trading"]["exit_threshold"] = strategy["exit_threshold"]
    merged["costs"] = {name: Decimal(value) for name, value in merged["costs"].items()}
    return {**merged, "strategy": strategy}


def _read(case: Case, data: Path, folder: Path) -> Raw:
    """Raw files of the span; headlines get the coins that they are about as a column, by name alone."""
    start, stop = millis(case.read), millis(case.stop)
    (folder / "candles").mkdir()
    grid = np.arange(start, stop, case.timeframe)
    bars = {}
    for symbol in case.symbols:
        frame = pd.read_parquet(data / "candles" / case.candles / f"{symbol}.parquet")
        frame = frame[(frame.ts_ms >= start) & (frame.ts_ms < stop)]
        frame.to_parquet(folder / "candles" / f"{symbol}.parquet")
        bars[symbol] = frame.set_index("ts_ms")
    grid = grid[grid >= min(frame.index[0] for frame in bars.values())]
    bars = {symbol: frame.reindex(grid) for symbol, frame in bars.items()}
    paid = pd.read_parquet(data / "derivs/funding_rates.parquet")
    funding = {s: paid[(paid.symbol == s) & (paid.venue == case.venue)].sort_values("ts_ms") for s in case.symbols}
    chain = pd.read_parquet(data / "onchain/coinmetrics_daily.parquet")
    chain = chain[(chain.asset == "btc") & chain.FlowInExNtv.notna() & chain.FlowOutExNtv.notna()]
    flow = chain.assign(value=chain.FlowInExNtv - chain.FlowOutExNtv).sort_values(["available_ms", "ts_ms"])
    news = pd.read_parquet(data / "news/gdelt_crypto_titles.parquet")
    news = news[(news.available_ms > start - 3 * SPANS["d"]) & (news.available_ms < stop + SPANS["d"])]
    about = pd.DataFrame({symbol: news.title.str.lower().str.contains(rf"\b(?:{words})\b") for symbol, words in NAMED.items()})
    news = news.assign(
        symbols=[",".join(about.columns[row]) for row in about.to_numpy()],
        title=np.where(about.any(axis=1), news.title, "What markets did today"),
    )
    news.to_parquet(folder / "news.parquet")
    told = news[news.finbert_score.notna()].sort_values("available_ms", kind="stable")
    nobody = ~about[list(case.symbols)].any(axis=1)  # then it is about the market
    stories = {s: told[(about[s] | nobody).loc[told.index]] for s in case.symbols}
    return Raw(case.timeframe, bars, funding, {"BTCUSDT": flow}, stories)


def _all_decisions(config: Any, given: dict[str, Any], result: ReplayResult) -> dict[str, list[Decision]]:
    """Every decision of the same run, which a store keeps only where they change: the run is gone through bar by bar."""
    told: dict[str, list[Decision]] = defaultdict(list)
    write = Journal.write

    def listen(journal: Journal, event: Event, cause: int) -> int:
        if isinstance(event, Decision):
            told[event.symbol].append(event)
        return write(journal, event, cause)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", listen)
        again = replay(config, **given, step=True)
    assert again.digest == result.digest
    return told


def _trade(
    case: Case, settings: dict[str, Any], raw: Raw, decisions: dict[str, list[Decision]]
) -> tuple[Account, pd.DataFrame, list[tuple[int, str, float, Decimal, Decimal, Decimal]]]:
    """Go through the bars with the run's views (which are checked on their own): the account, its curve, its funding."""
    costs, execution = settings["costs"], settings["execution"]
    markets = {
        symbol: Market(
            symbol, {**INSTRUMENTS[symbol], "least_notional": Decimal(5)}, costs, execution["latency_ms"], execution["volume_share"]
        )
        for symbol in case.symbols
    }
    account = Account(markets, Decimal(settings["account"]["cash"]), settings["trading"], settings["risk"], case.timeframe)
    rows = {s: [Bar(ms, ms + case.timeframe, *map(float, row)) for ms, *row in raw.bars[s][COLUMNS].itertuples()] for s in case.symbols}
    rates = {(s, at): rate for s in case.symbols for at, rate in zip(raw.funding[s].ts_ms, raw.funding[s].funding_rate, strict=True)}
    views = {(d.symbol, d.bar_ms): View(SIDES[d.side.value], d.score, d.price, d.volatility) for told in decisions.values() for d in told}
    curve, paid = [], []
    first = millis(case.start)
    for place, close in enumerate(raw.closes.tolist()):
        if close <= first:
            continue
        there = [s for s in case.symbols if rows[s][place].close == rows[s][place].close]
        for symbol in there:
            markets[symbol].meet(rows[symbol][place])
        if there:
            curve.append((close, float(account.equity()), float(account.booked()), *account.exposure()))
            account.close(close, {symbol: views[symbol, close] for symbol in there})
        for symbol in sorted(case.symbols):
            charged = markets[symbol].charge(close, rates[symbol, close]) if (symbol, close) in rates else None
            if charged is not None:
                paid.append((close, symbol, rates[symbol, close], charged[0], Decimal(repr(markets[symbol].mark)), charged[1]))
    curve[-1] = (curve[-1][0], float(account.equity()), float(account.booked()), *curve[-1][3:])  # what settled at the last close is paid
    return account, pd.DataFrame(curve, columns=["bar_ms", "equity", "cash", "gross", "net"]).set_index("bar_ms"), paid


COLUMNS = ["open", "high", "low", "close", "volume"]
SIDES = {"LONG": 1, "SHORT": -1, "HOLD": 0, "BUY": 1, "SELL": -1}


def _from(ran: Ran, symbol: str) -> slice:
    """The rows of the whole grid at which the run decided."""
    return slice(int(np.searchsorted(ran.raw.closes, millis(ran.case.start), side="right")), None)


def _close(mine: Any, theirs: Any) -> bool:
    return bool(np.allclose(mine, theirs, rtol=NEAR, atol=NEAR, equal_nan=True))


def test_every_score_confidence_and_volatility_of_every_bar(ran: Ran) -> None:
    for symbol, told in ran.decisions.items():
        rows, mine = _from(ran, symbol), ran.views[symbol]
        assert [d.bar_ms for d in told] == ran.raw.closes[rows].tolist()
        for name in ("score", "confidence", "volatility"):
            theirs = np.array([getattr(d, name) for d in told])
            np.testing.assert_allclose(getattr(mine, name)[rows], theirs, rtol=NEAR, atol=NEAR, err_msg=f"{symbol} {name}")
        assert [d.price for d in told] == ran.raw.bars[symbol].close.iloc[rows].tolist()
        assert all(d.newest_ms <= d.bar_ms == d.at for d in told)
        assert np.isfinite(mine.score[rows]).mean() > 0.9


def test_every_signal_of_every_bar_and_contributions_that_add_up(ran: Ran) -> None:
    for symbol, told in ran.decisions.items():
        rows, mine = _from(ran, symbol), ran.views[symbol]
        names = [part.name for part in told[0].contributions]
        assert names == list(mine.values)
        theirs = np.array([[(p.value, p.confidence, p.contribution) for p in d.contributions] for d in told])
        for place, name in enumerate(names):
            known = np.isfinite(mine.parts[name][rows])
            np.testing.assert_array_equal(known, np.isfinite(theirs[:, place, 2]), err_msg=f"{symbol} {name}")
            for column, of in enumerate((mine.values, mine.confidences, mine.parts)):
                np.testing.assert_allclose(
                    of[name][rows][known], theirs[known, place, column], rtol=NEAR, atol=NEAR, err_msg=f"{symbol} {name} {column}"
                )
        score = np.array([d.score for d in told])
        whole = np.nansum(theirs[:, :, 2], axis=1)
        assert _close(whole[np.isfinite(score)], score[np.isfinite(score)])
        heard = {name for name in names if np.isfinite(mine.parts[name][rows]).any()}
        assert {"price_momentum", "volume_breakout", "sentiment_news"} < heard
        assert ("onchain_flow" in heard) is (symbol == "BTCUSDT")


def test_every_side_and_reason(ran: Ran) -> None:
    entry, least = ran.settings["strategy"]["entry_threshold"], ran.settings["strategy"]["min_confidence"]
    sides: set[str] = set()
    for symbol, told in ran.decisions.items():
        rows, mine = _from(ran, symbol), ran.views[symbol]
        for place, decision in enumerate(told, rows.start):
            at_the_edge = abs(abs(mine.score[place]) - entry) < NEAR or abs(mine.confidence[place] - least) < NEAR
            same = (SIDES[decision.side.value], decision.reason.value) == (mine.side[place], mine.reason[place])
            assert same or at_the_edge, (symbol, decision, mine.side[place], mine.reason[place])
            sides.add(decision.side.value)
    assert sides == {"LONG", "SHORT", "HOLD"}


def test_the_stored_rows_are_every_decision_and_nothing_else(ran: Ran) -> None:
    every = {(d.symbol, d.bar_ms): d for told in ran.decisions.values() for d in told}
    covered = 0
    for row in ran.reader.decisions(ran.result.run):
        first = every[row.first.symbol, row.first.bar_ms]
        assert msgspec.json.encode(first) == msgspec.json.encode(row.first)
        closes = range(row.first.bar_ms, row.until_ms + 1, ran.case.timeframe)
        part = [every[row.first.symbol, close] for close in closes]
        assert len(part) == row.bars
        assert {(d.side, d.reason) for d in part} == {(first.side, first.reason)}
        assert _close(part[-1].score, row.last_score)
        covered += row.bars
    assert covered == len(every) == ran.result.decisions


def test_every_order_and_every_refusal(ran: Ran) -> None:
    rows = [row for row in ran.reader.orders(ran.result.run) if row.purpose.value not in ("stop_loss", "take_profit")]
    theirs = [
        Asked(row.at, row.symbol, row.bar_ms, row.purpose.value, SIDES[row.side.value], row.type.value, row.quantity, row.reference,
              row.price, row.stop, row.take)
        for row in rows
    ]  # fmt: skip
    for mine, told in zip(ran.account.asked, theirs, strict=False):
        assert mine == told
    assert len(theirs) == len(ran.account.asked) == ran.result.orders
    refused = [(r.refusal.bar_ms, r.refusal.symbol, r.refusal.purpose.value, r.refusal.code.value)
               for r in ran.reader.refusals(ran.result.run)]  # fmt: skip
    assert refused == ran.account.refused
    assert len(refused) == ran.result.refusals
    states = [(row.at, row.state.value, row.by) for row in ran.reader.states(ran.result.run)]
    assert states == ran.account.states


def test_every_fill_to_the_last_digit(ran: Ran) -> None:
    orders = {row.id: (row.bar_ms, row.purpose.value) for row in ran.reader.orders(ran.result.run)}
    theirs = [
        Fill(f.symbol, orders[f.order_id], f.at, SIDES[f.side.value], f.price, f.quantity, f.fee, f.maker, f.filled_ms, f.slippage)
        for f in (row.fill for row in ran.reader.fills(ran.result.run))
    ]
    assert len({row.fill.exec_id for row in ran.reader.fills(ran.result.run)}) == len(theirs) == ran.result.fills
    for symbol, market in ran.account.markets.items():
        told = [fill for fill in theirs if fill.symbol == symbol]
        for mine, fill in zip(market.fills, told, strict=False):
            assert mine == fill
        assert len(told) == len(market.fills) > 20


def test_funding_fees_and_every_position(ran: Ran) -> None:
    theirs = [(p.at, p.symbol, p.rate, p.quantity, p.mark, p.payment) for p in (row.paid for row in ran.reader.funding(ran.result.run))]
    assert theirs == ran.paid
    assert len(theirs) > 5
    assert (theirs[-1][0] == millis(ran.case.stop)) is (ran.case is CASES["minutes"])
    for row in ran.reader.positions(ran.result.run):
        market = ran.account.markets[row.symbol]
        assert (row.quantity, row.fees, row.funding) == (market.position, market.fees, market.funding)
        assert _close(float(row.realised), float(market.realised))
    for name in ("fees", "funding", "slippage"):
        assert getattr(ran.result, name) == sum(getattr(market, name) for market in ran.account.markets.values()), name


def test_the_account_at_every_stored_close(ran: Ran) -> None:
    points = list(ran.reader.equity(ran.result.run))
    mine = ran.curve.loc[[point.bar_ms for point in points]]
    assert len(points) == min(20_000, len(ran.curve))
    for name in ("equity", "gross", "net", "cash"):
        theirs = np.array([getattr(point, name) for point in points])
        np.testing.assert_allclose(mine[name], theirs, rtol=NEAR, atol=1e-6 * NEAR, err_msg=name)


def test_the_document_adds_up(ran: Ran) -> None:
    result, markets = ran.result, ran.account.markets.values()
    realised = sum(row.realised for row in ran.reader.positions(result.run))
    unrealised = sum((m.position * Decimal(repr(m.mark)) - m.cost for m in markets if m.position), ZERO)
    gained = result.equity_end - result.equity_start
    assert abs(gained - (realised + unrealised - result.fees - result.funding)) < Decimal("1e-15") * result.equity_start
    assert result.equity_end == ran.account.equity()
    assert _close(result.metrics["total_return"], float(result.equity_end / result.equity_start - 1))
    last = list(ran.reader.equity(result.run))[-1]
    assert _close(
        [last.equity, last.cash], [float(result.equity_end), float(result.equity_start + realised - result.fees - result.funding)]
    )
    bars = sum(int(frame.close.iloc[_from(ran, symbol)].notna().sum()) for symbol, frame in ran.raw.bars.items())
    closes = int(pd.concat([frame.close for frame in ran.raw.bars.values()], axis=1).iloc[_from(ran, "")].notna().any(axis=1).sum())
    assert (result.bars, result.decisions) == (bars, closes * len(ran.case.symbols))
    assert result.metrics["num_periods"] == closes


def test_every_metric(ran: Ran) -> None:
    curve, case, result = ran.curve, ran.case, ran.result
    fills = [fill for market in ran.account.markets.values() for fill in market.fills]
    traded = pd.Series(0.0, curve.index)
    for fill in fills:
        traded[fill.at] += float(fill.price * fill.quantity)
    path = remeasure.Path(
        float(ran.account.cash), curve.index.to_numpy(), curve.equity.to_numpy(), curve.gross.to_numpy(), traded.to_numpy(),
        {symbol: ran.views[symbol].score[_from(ran, symbol)] for symbol in case.symbols},
        {symbol: ran.raw.bars[symbol].open.to_numpy()[_from(ran, symbol)] for symbol in case.symbols},
    )  # fmt: skip
    trips = remeasure.trips_of(fills, [(row[0], row[1], row[5]) for row in ran.paid], case.timeframe)
    mine = remeasure.metrics_of(path, case.timeframe, trips, float(result.fees + result.funding + result.slippage))
    theirs = dict(result.metrics)
    assert set(mine) == set(theirs)
    for mine_of, told in zip(mine.pop("ic_by_symbol"), theirs.pop("ic_by_symbol"), strict=True):
        mine |= {f"{mine_of['symbol']} {name}": value for name, value in mine_of.items()}
        theirs |= {f"{mine_of['symbol']} {name}": value for name, value in told.items()}
    wrong = {name: (value, theirs[name]) for name, value in mine.items() if not _same(value, theirs[name])}
    assert not wrong
    assert result.metrics["trades"] > 20


def _same(mine: Any, theirs: Any) -> bool:
    if mine is None or theirs is None or isinstance(mine, str):
        return bool(mine == theirs)
    return abs(float(mine) - float(theirs)) <= NEAR * max(1.0, abs(float(theirs)))
