"""What a factor back-test is told: how values become positions, what trading costs, how time is cut.

The rule: every setting is obeyed or refused, and every default is one that a careful person would have chosen.
"""

import math

import msgspec

from feeds.times import DAY

CROSS = ("rank", "quantile", "top", "zscore")
TIME = ("time_sign", "time_side", "time_zscore", "time_rank")
SCHEMES = ("auto", *CROSS, *TIME)
DIRECTIONS = ("train", "+1", "-1")
EVIDENCE = ("auto", "across", "over_time")
FEW = 5  # symbols below which a coefficient across them says nothing
MOST_WINDOW = 2_000  # bars of a trailing window where nobody says how many


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Basis points of the traded notional; the defaults are those of `[costs]`, and on the pessimistic side.

    fee_bps       of every trade: all of them take
    spread_bps    between bid and ask; half of it is paid
    slippage_bps  beyond the spread, always
    impact_bps    for a trade as large as the volume of its bar; one of q pays impact_bps x sqrt(q / volume)
    haircut_bps   of the last known price, lost when a coin's prices end while it is held, on either side
    """

    fee_bps: float = 5.5
    spread_bps: float = 1.0
    slippage_bps: float = 1.0
    impact_bps: float = 100.0
    haircut_bps: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0.0 <= getattr(self, name) <= 10_000.0:
                raise ValueError(f"{name} is {getattr(self, name)}; give basis points between 0 and 10000")

    @property
    def rate(self) -> float:
        """Fee, half the spread and slippage, as a fraction of the traded notional."""
        return (self.fee_bps + self.spread_bps / 2 + self.slippage_bps) / 1e4


FREE = Costs(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0, impact_bps=0.0)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a factor is traded and judged.

    scheme       how values become weights, docs/backtests.md; auto: rank with two symbols or more, time_zscore with one
    long_only    no weight below zero
    direction    the sign that the factor is used with: train (that of its rank IC on the train slice), +1 or -1
    rebalance    bars between decisions, counted from 1970 so that the same bars decide whatever the history (0: a day, a bar at least)
    latency      bars from the close that decides to the open that trades, at least 1
    share        of the symbols held on each side, for quantile;  top  how many, for top
    gross        sum of the absolute weights, at most;  max_weight  absolute weight of one symbol, at most
    window       bars of trailing z, rank and volatility (0: 30 days, 60 bars at least, 2,000 at most)
    vol_target   annual volatility that a time-series position is scaled to (0: not scaled); across symbols any value above zero
                 makes weights inversely proportional to volatility
    band         a position closer than this to its wish is left alone, as a fraction of equity
    capital      quote currency at the start: what impact and capacity are measured by
    funding      whether it is paid and earned
    horizon      bars of the label that the IC is measured by (0: the bars between decisions);  horizons  of the decay
    evidence     of the coefficients: across symbols, or over_time for each (auto: over time for schemes in time, and below 5 symbols);
                 over time beside a scheme across symbols, values and labels are taken relative to their mean at each bar
    quantiles    groups of the returns by quantile
    shares       of the bars in train, validate and test;  test  whether the last is opened
    purge        bars left out before a boundary (-1: horizon + latency);  embargo  and after it (-1: a hundredth of the bars)
    folds        of the walk forward;  anchored  whether its training begins at the first bar, or rolls
    draws, seed  of the block bootstrap (0 draws: none)
    """

    scheme: str = "auto"
    long_only: bool = False
    direction: str = "train"
    rebalance: int = 0
    latency: int = 1
    share: float = 0.2
    top: int = 3
    gross: float = 1.0
    max_weight: float = 1.0
    window: int = 0
    vol_target: float = 0.0
    band: float = 0.0
    capital: float = 100_000.0
    funding: bool = True
    costs: Costs = Costs()
    horizon: int = 0
    horizons: tuple[int, ...] = (1, 2, 4, 8, 12, 24, 48)
    evidence: str = "auto"
    quantiles: int = 5
    shares: tuple[float, float, float] = (0.70, 0.15, 0.15)
    test: bool = False
    purge: int = -1
    embargo: int = -1
    folds: int = 5
    anchored: bool = True
    draws: int = 0
    seed: int = 7

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; it lies between {low:g} and {high:g}")
        for name, known in (("scheme", SCHEMES), ("direction", DIRECTIONS), ("evidence", EVIDENCE)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; there is {', '.join(known)}")
        if not self.horizons or not all(1 <= h <= 100_000 for h in self.horizons):
            raise ValueError(f"horizons are {self.horizons}; give bars between 1 and 100000")
        if len(self.shares) != 3 or min(self.shares) < 0 or not math.isclose(sum(self.shares), 1.0) or not self.shares[0]:
            raise ValueError(f"shares are {self.shares}; train, validate and test are three that add up to 1, and train is not 0")

    def resolved(self, timeframe: int, symbols: int) -> "Settings":
        """With everything that stands for a default made plain."""
        scheme = self.scheme if self.scheme != "auto" else "rank" if symbols > 1 else "time_zscore"
        rebalance = self.rebalance or max(1, DAY // timeframe)
        horizon = self.horizon or rebalance
        evidence = "over_time" if scheme in TIME or symbols < FEW else "across"
        return msgspec.structs.replace(
            self,
            scheme=scheme,
            rebalance=rebalance,
            horizon=horizon,
            evidence=evidence if self.evidence == "auto" else self.evidence,
            window=self.window or min(MOST_WINDOW, max(60, 30 * DAY // timeframe)),
            purge=horizon + self.latency if self.purge < 0 else self.purge,
            horizons=tuple(sorted({*self.horizons, horizon})),
        )


LIMITS: dict[str, tuple[float, float]] = {
    "rebalance": (0, 1_000_000), "latency": (1, 10_000), "share": (1e-6, 0.5), "top": (1, 100_000), "gross": (1e-6, 100),
    "max_weight": (1e-6, 100), "window": (0, 1_000_000), "vol_target": (0, 10), "band": (0, 1), "capital": (1e-6, 1e15),
    "horizon": (0, 100_000), "quantiles": (2, 100), "purge": (-1, 1_000_000), "embargo": (-1, 1_000_000), "folds": (1, 100),
    "draws": (0, 100_000), "seed": (0, 2**63 - 1),
}  # fmt: skip
