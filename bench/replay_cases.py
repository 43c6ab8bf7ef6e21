"""What bench/replay.py runs: the workloads, and the settings that make them.

Three workloads are shared with the engines that replay.py compares with. R1: one symbol, 525,600 minutes, the averages of 20 and of
100 closes cross, always long or short. R2: the same bars, long at two deviations below the mean of 120 closes, short at two above. R3:
R1 on ten symbols with 129,600 minutes each and one account. Everywhere: decided at the close, filled at the next open, a position of
10,000 at the deciding close, one million in cash, a fee of 10 bps and 5 bps of slippage on every fill.
"""

import json
from decimal import Decimal
from typing import Any, NamedTuple

MINUTE = 60_000
BEGIN = 1_704_067_200_000  # 2024-01-01T00:00:00Z
SEED = 20240101
FEE, SLIPPAGE = 0.0010, 0.0005
CASH, NOTIONAL = 1_000_000.0, 10_000.0
FAST, SLOW = 20, 100
STEP = Decimal("0.000001")  # of prices and quantities


class Workload(NamedTuple):
    """text: the wanted side as a factor, +1, -1, or 0 to keep what is held; peer: its name in the peers' adapters."""

    peer: str
    symbols: int
    bars: int
    text: str


CROSS = f"sign(ts_mean(close, {FAST}) - ts_mean(close, {SLOW}))"
# deviations as of a whole population, as the peers have them
STRETCHED = "(close - ts_mean(close, 120)) / (ts_std(close, 120) * sqrt(119 / 120))"
REVERT = f"where({STRETCHED} <= -2, 1, where({STRETCHED} >= 2, -1, 0))"
WORKLOADS = {
    "R1": Workload("R1", 1, 525_600, CROSS), "R2": Workload("R2", 1, 525_600, REVERT), "R3": Workload("R3", 10, 129_600, CROSS),
}  # fmt: skip

BUILT_IN = ("price_momentum", "volume_breakout", "sentiment_news", "sentiment_social", "onchain_flow", "whale_accumulation")
TWENTY_FIVE = {
    "cross": f"ts_mean(close, {FAST}) / ts_mean(close, {SLOW}) - 1", "momentum_20": "close / delay(close, 20) - 1",
    "momentum_240": "close / delay(close, 240) - 1", "reversal_5": "-(close / delay(close, 5) - 1)", "z_20": "-zscore(close, 20)",
    "z_60": "-zscore(close, 60)", "rsi_14": "(rsi_14 - 50) / 50", "macd": "(ema(close, 12) - ema(close, 26)) / close",
    "macd_signal": "(ema(close, 12) - ema(close, 26) - ema(ema(close, 12) - ema(close, 26), 9)) / close",
    "trend": "ema(close, 60) / ema(close, 240) - 1", "slope": "ts_mean(returns, 120)",
    "volatility": "ts_std(returns, 10) / ts_std(returns, 60) - 1", "volume_z": "zscore(volume, 60) * sign(returns)",
    "volume_pull": "ts_corr(close, volume, 120)", "return_pull": "-ts_corr(returns, delta(volume, 1), 60)",
    "decay": "decay_linear(returns, 30)", "rank": "ts_rank(close, 120) - 0.5", "volume_rank": "0.5 - ts_rank(volume, 60)",
    "highest": "ts_argmax(high, 60) - ts_argmin(low, 60)",
    "channel": "(close - ts_min(low, 120)) / (ts_max(high, 120) - ts_min(low, 120)) - 0.5",
    "body": "(close - open) / (high - low + 0.001)", "wick": "(2 * close - high - low) / (high - low + 0.001)",
    "push": "sign(delta(volume, 1)) * -delta(close, 1)", "gap": "close / ts_mean((high + low) / 2, 30) - 1",
    "skew": "-ts_skew(returns, 120)",
}  # fmt: skip
WIDE_OPEN = {
    "risk.max_drawdown": 1, "risk.daily_loss": 1, "risk.max_order_notional": 10_000_000, "risk.max_order_share": 10,
    "risk.max_position_share": 10, "risk.max_gross": 10, "risk.max_leverage": 100, "risk.orders_per_minute": 10_000,
    "risk.orders_per_day": 1_000_000, "risk.round_trips_per_hour": 10_000, "risk.collar": 0.5,
}  # fmt: skip
ALONE = {f"strategy.signals.{name}": 0 for name in BUILT_IN}


def costs() -> dict[str, Any]:
    """Costs and account of the shared workloads."""
    return {
        "account.cash": int(CASH), "trading.stop_loss": 0, "trading.cool_down_bars": 0, "trading.sizing": "notional",
        "trading.notional": int(NOTIONAL), "strategy.exit_threshold": 0, "costs.taker_bps": 10, "costs.slippage_bps": 5,
        "costs.spread_bps": 0, "costs.impact": 0, "execution.latency_ms": 0, "execution.volume_share": 1,
    }  # fmt: skip


def settings(work: Workload, factors: int = 0) -> dict[str, Any]:
    """The configuration of a workload; with `factors` its strategy gives way to so many of the twenty-five, fused."""
    steps = {symbol: {"tick": STEP, "lot": STEP, "least_quantity": STEP} for symbol in symbols(work.symbols)}
    shared = ALONE | WIDE_OPEN | costs() | {"instruments": steps, "exchange.symbols": list(steps)}
    if factors:
        chosen = dict(list(TWENTY_FIVE.items())[:factors])
        return shared | {"strategy.factors": chosen, "strategy.min_confidence": 0}
    return shared | {"strategy.factors": {"side": work.text}, "strategy.normalise": "none", "strategy.windows": {"volatility": 2}}


def toml(given: dict[str, Any]) -> str:
    """Settings as the text of a configuration file."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in given.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value) if isinstance(value, str | list) else str(value)


def symbols(count: int) -> list[str]:
    return [f"S{place:02d}" for place in range(count)]
