"""A factor back-test against a replay of the same wish: two programs, one market, one answer within what is documented.

docs/backtests.md says where they may differ: lots and ticks, orders below the least size, fees on the worsened price, and the last exit,
which a replay does not make.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from bot.cli import main
from bot.modes.markets import open_market
from bot.research.backtest import Backtest, backtest
from bot.research.settings import Costs, Settings
from feeds.times import HOUR, millis
from strategies.factors import read

STRATEGY = '''"""A wish that follows a factor."""

from strategies.strategy import Strategy


class Wish(Strategy):
    """The position of a factor back-test."""

    factors = {{"factor": "{factor}"}}
    target = "{target}"
    rebalance = {every}
    rules = {{"rebalance_band": {band}, "cool_down_bars": 0, "stop_loss": 0.0}}
'''
WIDE = (
    "risk.max_order_notional=100000000", "risk.max_position_share=1", "risk.max_gross=2", "risk.daily_loss=0.99", "risk.max_drawdown=0.99",
    "risk.orders_per_day=100000", "risk.orders_per_minute=10000", "risk.round_trips_per_hour=10000", "execution.latency_ms=0",
    "execution.volume_share=1", "replay.venue=binance", "account.cash=250000",
)  # fmt: skip
FACTOR = "close / delay(close, 48) - 1"
SCALED = "0.5 * clip((factor - roll_mean(factor, 240, 120)) / (2 * roll_std(factor, 240, 120)), -1, 1)"
CASES = {
    # name -> (scheme, target of the strategy, bars between decisions, band, how far the growth of half a year may be apart). Where there
    # is a band, a trade that one of the two just makes and the other just leaves moves what follows.
    "scaled, daily": ("time_zscore", SCALED, 24, 0.0, 1e-4),
    "by its sign, every 8 hours": ("time_sign", "0.5 * sign(factor)", 8, 0.0, 1e-4),
    "with a band, every hour": ("time_zscore", SCALED, 1, 0.05, 1.5e-3),
}


@pytest.mark.parametrize("name", list(CASES))
def test_a_back_test_and_a_replay_agree(name: str, tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scheme, target, every, band, apart = CASES[name]
    candles, funding = shared_data / "candles/1h_perp_binance/BTCUSDT.parquet", shared_data / "derivs/funding_rates.parquet"
    start, stop = millis("2024-02-01"), millis("2024-08-01")
    sources = open_market([candles], funding=[funding], venue="binance")
    node = read(FACTOR, timeframe=HOUR, fields=sources.fields).node
    settings = Settings(
        scheme=scheme, window=240, gross=0.5, rebalance=every, band=band, direction="+1", capital=250_000.0, test=True, costs=Costs(),
    )  # fmt: skip
    mine = backtest(sources.market((), start, stop - HOUR), node, settings)

    file = tmp_path / "wish.py"
    file.write_text(STRATEGY.format(factor=FACTOR, target=target, every=every, band=band))
    options = [word for rule in WIDE for word in ("--set", rule)]
    span = ["--from", "2024-02-01", "--to", "2024-08-01"]
    paths = ["--candles", str(candles), "--funding", str(funding)]
    assert main(["replay", *paths, *span, "--strategy", str(file), *options, "--json"]) == 0
    theirs = json.loads(capsys.readouterr().out)

    equity, leaving = grown(mine)
    assert theirs["equity_start"] == 250_000
    growth = float(theirs["equity_end"]) / 250_000 - 1
    assert growth == pytest.approx(equity - 1 + leaving, abs=apart)
    charged = float(theirs["fees"]) + float(theirs["slippage"])
    assert charged == pytest.approx(250_000 * paid(mine), rel=0.01)
    assert float(theirs["funding"]) == pytest.approx(250_000 * funded(mine), abs=250_000 * 5e-5)
    assert theirs["fills"] == pytest.approx(mine.book.trades - 1, rel=0.02)  # the last exit is ours alone, and a replay trades whole lots


def grown(found: Backtest) -> tuple[float, float]:
    """Equity at the end, of 1 at the beginning, and what the last exit cost of it."""
    path = np.cumprod(1.0 + found.book.returns)
    units = found.book.gross[-1] * path[-2]
    return float(path[-1]), float(units * Costs().rate)


def paid(found: Backtest) -> float:
    """Costs without those of the last exit, of the equity at the beginning."""
    before = np.concatenate([[1.0], np.cumprod(1.0 + found.book.returns)])[:-1]
    return float((found.book.costs * before).sum()) - grown(found)[1]


def funded(found: Backtest) -> float:
    before = np.concatenate([[1.0], np.cumprod(1.0 + found.book.returns)])[:-1]
    return float((found.book.funding * before).sum())
