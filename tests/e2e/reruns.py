"""Replays of real bars, and the same a second time: what test_recompute.py compares.

Five cases that between them meet every kind of order, refusal and hole. The second time comes from recompute.py, retrade.py and
resettle.py over the raw files; the product is only run.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from bot.config import load
from bot.modes import replay
from bot.results import ReplayResult
from bot.store.reader import Reader
from feeds.bars import Block
from feeds.times import millis
from strategies.engine import StrategyEngine, View
from strategies.events import Decision
from tests.e2e.recompute import FACTORS, Raw, Views, views_of
from tests.e2e.resettle import Bar, Market
from tests.e2e.retrade import Account, Wish

HOUR, MINUTE = 3_600_000, 60_000
SPANS = {"h": HOUR, "d": 24 * HOUR}


class Case(NamedTuple):
    """A run: what is traded, from when to when, with which settings; bars since `read` are there to warm up.

    timeframe  of the run, which may be coarser than the files';  lost  bars of the second symbol that are taken out
    """

    candles: str
    symbols: tuple[str, ...]
    timeframe: int
    read: str
    start: str
    stop: str
    config: str
    lost: tuple[str, ...] = ()


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
metric = "{metric}"
[strategy.factors]
{factors}
[strategy.weights]
reversal = 0.25
"""

CASES = {
    # large enough to take several bars for an order; stops and targets close enough to be met; funding settles as it ends
    "minutes": Case(
        "1m_spot_binance", ("BTCUSDT",), MINUTE, "2023-10-01", "2023-10-01", "2023-10-22T16:00",
        COMMON.format(entry=0.12, exit=0, normalise="absmax", window=720, momentum=240, volume=60, scale=1440, story="12h", metric="3d",
            factors="reversal trend bands strength carry") + """
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
        COMMON.format(entry=0.2, exit=0.05, normalise="zscore", window=168, momentum=24, volume=24, scale=240, story="2d", metric="6h",
            factors="reversal trend bands strength carry weighted average together") + """
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
        "5m_perp_bybit", ("BTCUSDT", "ETHUSDT"), 15 * MINUTE, "2025-04-03", "2025-04-20", "2025-06-20",
        COMMON.format(entry=0.2, exit=0.05, normalise="rank", window=288, momentum=48, volume=48, scale=576, story="1d", metric="30h",
            factors="reversal trend bands strength weighted") + """
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
    # bars that are not there, for one symbol and for both, and a bar without volume; decimals of the venue's own
    "holes": Case(
        "1h_spot_binance_flow", ("BTCUSDT", "ETHUSDT"), HOUR, "2023-01-01", "2023-02-10", "2023-05-10T16:00",
        COMMON.format(entry=0.15, exit=0.05, normalise="absmax", window=72, momentum=24, volume=24, scale=96, story="2d", metric="3d",
            factors="reversal trend bands strength average typical") + """
[trading]
cool_down_bars = 2
[strategy.signals]
sentiment_news = 0
factors = 0.15
""",
        ("2023-02-20T03:00", "2023-03-01T10:00", "2023-03-01T11:00", "2023-03-24T15:00"),
    ),
    # bars longer than the funding interval: settlements inside them
    "halves": Case(
        "1h_perp_binance", ("BTCUSDT", "LTCUSDT"), 12 * HOUR, "2021-01-01", "2021-08-01", "2024-08-01T12:00",
        COMMON.format(entry=0.15, exit=0.05, normalise="absmax", window=60, momentum=14, volume=20, scale=60, story="3d", metric="3d",
            factors="reversal bands strength carry weighted") + """
[trading]
cool_down_bars = 1
stop_loss = 0.03
[execution]
latency_ms = 60000
""",
    ),
}  # fmt: skip
STEPS = {
    "BTCUSDT": ("0.10", "0.001"), "ETHUSDT": ("0.01", "0.01"), "XRPUSDT": ("0.0001", "0.1"), "LTCUSDT": ("0.01", "0.1"),
    "ADAUSDT": ("0.0001", "1"),
}  # fmt: skip
INSTRUMENTS = {symbol: {"tick": Decimal(tick), "lot": Decimal(lot), "least_notional": Decimal(5)} for symbol, (tick, lot) in STEPS.items()}
NAMED = {"BTCUSDT": "bitcoin|btc", "ETHUSDT": "ethereum|eth", "XRPUSDT": "xrp|ripple", "LTCUSDT": "litecoin", "ADAUSDT": "cardano"}


Paid = tuple[int, str, float, Decimal, Decimal, Decimal, int]  # charged at, symbol, rate, position, mark, payment, settled at


class Ran(NamedTuple):
    """A run and the same again: what the product said, and what came out here."""

    case: Case
    folder: Path
    settings: dict[str, Any]
    result: ReplayResult
    reader: Reader
    decisions: dict[str, list[Decision]]
    raw: Raw
    views: dict[str, Views]
    account: Account
    curve: pd.DataFrame
    paid: list[Paid]


@contextmanager
def rerun(name: str, shared_data: Path, folder: Path) -> Iterator[Ran]:
    """Run a case into a store in `folder`, and do it again by hand."""
    case = CASES[name]
    raw = _read(case, shared_data, folder)
    text = _config_text(case)
    (folder / "config.toml").write_text(text)
    config = load(folder / "config.toml", {}).config
    given: dict[str, Any] = {
        "candles": [folder / "candles"], "funding": [shared_data / "derivs/funding_rates.parquet"],
        "metrics": [shared_data / "onchain/coinmetrics_daily.parquet"], "news": [folder / "news.parquet"],
        "symbols": case.symbols, "timeframe": case.timeframe, "start": millis(case.start), "stop": millis(case.stop),
    }  # fmt: skip
    seen: list[View] = []
    look = StrategyEngine.look

    def listen(engine: StrategyEngine, block: Block) -> View:
        seen.append(look(engine, block))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StrategyEngine, "look", listen)
        result = replay(config, **given, store=folder / "run.db")
    decisions = _decisions(seen, given["start"])
    settings = _settings(text)
    views = {symbol: views_of(raw, symbol, settings["strategy"]) for symbol in case.symbols}
    with Reader.open(folder / "run.db") as reader:
        yield Ran(case, folder, settings, result, reader, decisions, raw, views, *_trade(case, settings, raw, decisions))


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
    weights = plain["strategy"]["signals"] | said["strategy"].get("signals", {}) | said["strategy"]["weights"]
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
        if symbol == case.symbols[-1]:
            frame = frame[~frame.ts_ms.isin([millis(hour) for hour in case.lost])]
        frame.to_parquet(folder / "candles" / f"{symbol}.parquet")
        bars[symbol] = frame.groupby(frame.ts_ms // case.timeframe * case.timeframe).agg(
            {name: how for name, how in BUILT.items() if name in frame}
        )
    grid = grid[grid >= min(frame.index[0] for frame in bars.values())]
    bars = {symbol: frame.reindex(grid) for symbol, frame in bars.items()}
    paid = pd.read_parquet(data / "derivs/funding_rates.parquet")
    funding = {s: paid[(paid.symbol == s) & (paid.venue == "binance")].sort_values("ts_ms") for s in case.symbols}
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


def _decisions(engine_views: Sequence[View], since: int) -> dict[str, list[Decision]]:
    """Every decision of a run, which its store keeps only where they change: out of what the engine saw, block by block."""
    told: dict[str, list[Decision]] = defaultdict(list)
    for view in engine_views:
        for row in np.flatnonzero(view.present.any(axis=1)).tolist():
            if view.bars.close_ms(row) > since:
                for place, symbol in enumerate(view.bars.symbols):
                    told[symbol].append(view.decision(row, place))
    return told


def _trade(
    case: Case, settings: dict[str, Any], raw: Raw, decisions: dict[str, list[Decision]]
) -> tuple[Account, pd.DataFrame, list[Paid]]:
    """Go through the bars with the run's views (which are checked on their own): the account, its curve, its funding."""
    costs, execution = settings["costs"], settings["execution"]
    markets = {
        symbol: Market(
            symbol, {**INSTRUMENTS[symbol], "least_notional": Decimal(5)}, costs, execution["latency_ms"], execution["volume_share"]
        )
        for symbol in case.symbols
    }
    account = Account(markets, Decimal(settings["account"]["cash"]), settings["trading"], settings["risk"], case.timeframe)
    rows = {s: [Bar(ms, ms + case.timeframe, *map(float, row[:5])) for ms, *row in raw.bars[s].itertuples()] for s in case.symbols}
    rates: dict[str, dict[int, list[tuple[int, float]]]] = {s: defaultdict(list) for s in case.symbols}
    for s in case.symbols:
        for at, rate in zip(raw.funding[s].ts_ms.tolist(), raw.funding[s].funding_rate.tolist(), strict=True):
            rates[s][-(-at // case.timeframe) * case.timeframe].append((at, rate))

    def settle(symbol: str, close: int, *, inside: bool) -> None:
        market, place = markets[symbol], int((close - raw.closes[0]) // case.timeframe)
        for at, rate in rates[symbol][close]:
            mark = rows[symbol][place].open if inside else market.mark
            charged = market.charge(at, rate, mark) if (at < close) is inside else None
            if charged is not None:
                paid.append((close, symbol, rate, charged[0], Decimal(repr(mark)), charged[1], at))

    views = {(d.symbol, d.bar_ms): Wish(SIDES[d.side.value], d.score, d.price, d.volatility) for told in decisions.values() for d in told}
    curve: list[tuple[int, float, float, float, float]] = []
    paid: list[Paid] = []
    first = millis(case.start)
    for place, close in enumerate(raw.closes.tolist()):
        if close <= first:
            continue
        there = [s for s in case.symbols if rows[s][place].close == rows[s][place].close]
        for symbol in there:
            markets[symbol].meet(rows[symbol][place])
            settle(symbol, close, inside=True)
        if there:
            curve.append((close, float(account.equity()), float(account.booked()), *account.exposure()))
            account.close(close, {symbol: views[symbol, close] for symbol in there})
        for symbol in sorted(case.symbols):
            settle(symbol, close, inside=False)
    curve[-1] = (curve[-1][0], float(account.equity()), float(account.booked()), *curve[-1][3:])  # what settled at the last close is paid
    return account, pd.DataFrame(curve, columns=["bar_ms", "equity", "cash", "gross", "net"]).set_index("bar_ms"), paid


BUILT = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "quote_volume": "sum"}
SIDES = {"LONG": 1, "SHORT": -1, "HOLD": 0, "BUY": 1, "SELL": -1}
