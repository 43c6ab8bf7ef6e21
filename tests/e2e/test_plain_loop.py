"""A replay of the workload that other engines are measured on, against a plain loop over the same bars that knows nothing of Sluice.

Two averages cross: long when the mean of 20 closes is above that of 100, else short. A position is worth 10,000 at the deciding close,
cut to the lot; it is filled at the next open, 5 bps worse, on the tick beyond; a fee of 10 bps is rounded up to 1e-8.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.replay_cases import WORKLOADS, settings
from bot.config import load
from bot.events import Fill
from bot.modes import replay
from bot.session import Session

BARS, BEGIN, MINUTE = 20_000, 1_704_067_200_000, 60_000
LOT = TICK = Decimal("0.000001")
CASH = Decimal(1_000_000)
Trade = tuple[int, Decimal, Decimal, Decimal]  # time, signed quantity, price, fee


def minutes(seed: int) -> pd.DataFrame:
    """A walk to the cent, with gaps between bars."""
    rng = np.random.default_rng(seed)
    close = np.round(30_000 * np.exp(np.cumsum(rng.standard_t(5, BARS) * 5e-4)), 2)
    open_ = np.round(np.concatenate([[30_000.0], close[:-1]]) * (1 + rng.normal(0, 1e-4, BARS)), 2)
    reach = np.abs(rng.normal(0, 2e-4, (2, BARS)))
    high, low = np.round(np.maximum(open_, close) * (1 + reach[0]), 2), np.round(np.minimum(open_, close) * (1 - reach[1]), 2)
    return pd.DataFrame(
        {
            "ts_ms": BEGIN + MINUTE * np.arange(BARS), "open": open_, "high": np.maximum(high, np.maximum(open_, close)),
            "low": np.minimum(low, np.minimum(open_, close)), "close": close, "volume": rng.exponential(50.0, BARS) + 10,
        }
    )  # fmt: skip


def reference(bars: pd.DataFrame) -> tuple[list[Trade], list[Decimal]]:
    """Every fill, and the account at each close, in cents and integers all the way."""
    cents = [round(close * 100) for close in bars["close"]]
    opens = [Decimal(str(open_)) for open_ in bars["open"]]
    trades: list[Trade] = []
    account: list[Decimal] = []
    cash, held, side, wanted = CASH, Decimal(0), 0, Decimal(0)
    for i, cent in enumerate(cents):
        quantity = wanted - held
        if quantity:
            worse = opens[i] * (1 + (Decimal("0.0005") if quantity > 0 else -Decimal("0.0005")))
            price = worse.quantize(TICK, ROUND_CEILING if quantity > 0 else ROUND_FLOOR)
            fee = (abs(quantity) * price * Decimal("0.001")).quantize(Decimal("1e-8"), ROUND_CEILING)
            cash -= quantity * price + fee
            held = wanted
            trades.append((BEGIN + MINUTE * i, quantity, price, fee))
        account.append(cash + held * cent / 100)
        if i >= 99:
            apart = 5 * sum(cents[i - 19 : i + 1]) - sum(cents[i - 99 : i + 1])
            now = (apart > 0) - (apart < 0)
            if now and now != side:
                side = now
                wanted = now * (Decimal(10_000) / (Decimal(cent) / 100)).quantize(LOT, ROUND_DOWN)
    return trades, account


@pytest.mark.parametrize("step", [False, True], ids=["blocks", "every bar"])
def test_fills_and_equity_are_those_of_a_plain_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: bool) -> None:
    sessions: list[Session] = []
    begin = Session.begin
    monkeypatch.setattr(Session, "begin", lambda session, since: (sessions.append(session), begin(session, since))[1])
    bars = minutes(3)
    bars.to_parquet(tmp_path / "S00.parquet", index=False)
    config = load(None, {}, settings(WORKLOADS["R1"])).config
    result = replay(config, candles=[tmp_path], step=step)
    trades, account = reference(bars)
    fills = [event for event in sessions[0].money if isinstance(event, Fill)]
    mine = [(f.filled_ms, f.quantity if f.side == "BUY" else -f.quantity, f.price, f.fee) for f in fills]
    assert len(trades) > 200
    assert mine == trades
    assert result.equity_end == account[-1]
    told = sessions[0].tape.record(MINUTE).equity
    assert np.abs(told - np.array([float(value) for value in account[-len(told) :]])).max() < 1e-6
