"""Two runs side by side, as one value: what differs in what they were given, in what they decided, did and earned.

The rule: only what both could have done is compared: symbols that both trade, in the time that both cover. The rest is named.
Differences are B less A, and a positive difference of a price means that B had the worse one. Rates are fractions, times milliseconds.
"""

import msgspec


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs. store: the file that it is in;  costs, equity: quote currency."""

    run: str
    store: str
    mode: str
    state: str
    symbols: tuple[str, ...]
    timeframe: int
    start_ms: int
    end_ms: int
    digest: str
    equity_start: float
    equity_end: float
    synthetic: bool = False


class View(msgspec.Struct, frozen=True):
    """What a run made of a bar; seq: the number of the decision, or of the stretch of equal ones that it lies in."""

    seq: int
    side: str
    reason: str
    score: float | None
    digest: str


class Parting(msgspec.Struct, frozen=True):
    """A bar at which the two differ, and how to see why."""

    symbol: str
    bar_ms: int
    a: View
    b: View
    explain_a: str
    explain_b: str


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """Bar closes times symbols of the common span.

    compared    both decided;  same  with the same side and reason;  only_a, only_b  one of them did not decide
    digests     decisions of which both kept the digest;  same_digests  those that are equal to the last bit
    score_gap   largest difference of their scores, where both kept them
    first_view, first_digest  the first bar at which side or reason, and at which the digest differs
    changes     (A's view, B's view, how often), the most frequent first
    """

    compared: int = 0
    same: int = 0
    only_a: int = 0
    only_b: int = 0
    digests: int = 0
    same_digests: int = 0
    score_gap: float | None = None
    first_view: Parting | None = None
    first_digest: Parting | None = None
    changes: tuple[tuple[str, str, int], ...] = ()


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What was filled of an order. price: mean;  slippage, fee: quote currency, positive is paid.

    bar_ms    close of the bar whose decision it follows (0: none);  asked_ms  when it was asked for (None: by nobody)
    first_ms  its first trade;  known_ms  when we knew of it
    """

    order: str
    symbol: str
    side: str
    purpose: str
    bar_ms: int
    asked_ms: int | None
    first_ms: int
    known_ms: int
    quantity: float
    price: float
    fee: float
    slippage: float


class Pair(msgspec.Struct, frozen=True):
    """The same order in both runs. worse_bps: by how much B's price was worse than A's."""

    a: Filled
    b: Filled
    worse_bps: float


class Execution(msgspec.Struct, frozen=True):
    """How a run's own part of the matched orders was executed. Basis points of what was traded.

    latency_ms, latency_95_ms  from asking to the first trade, median and 95th percentile; stops and targets, which wait, left out
    news_ms  from there until we knew, median
    """

    traded: float = 0.0
    fee_bps: float | None = None
    slippage_bps: float | None = None
    latency_ms: float | None = None
    latency_95_ms: float | None = None
    news_ms: float | None = None


class Fills(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that were filled within the common span, matched by symbol, decision and purpose, else by time.

    matched  pairs;  equal  those with the same price, quantity, fee and first trade
    worse_bps  mean over them by notional, median_bps  median;  size_gap  mean |B / A - 1| of quantities
    widest   the pairs with the widest difference of prices;  only_a, only_b  counts, and some of them
    """

    matched: int = 0
    equal: int = 0
    only_a: int = 0
    only_b: int = 0
    worse_bps: float | None = None
    median_bps: float | None = None
    size_gap: float | None = None
    a: Execution = Execution()
    b: Execution = Execution()
    widest: tuple[Pair, ...] = ()
    alone_a: tuple[Filled, ...] = ()
    alone_b: tuple[Filled, ...] = ()


class Held(msgspec.Struct, frozen=True):
    """Positions of a symbol over the common span: shares of the time."""

    symbol: str
    same_side: float
    held_a: float
    held_b: float


class Returns(msgspec.Struct, frozen=True, kw_only=True):
    """Returns of both accounts on the same steps, and the test of their difference.

    step         length of a return;  count  how many
    difference   mean of B less A a year, error of it, its 95 % bounds, t and two-sided p: stationary block bootstrap
    sharpe_gap   B's Sharpe ratio less A's, with its 95 % bounds from the same resamples
    correlation  of the returns;  tracking  deviation of the difference a year;  widest_gap  of the accounts, both begun at 1
    """

    step: int
    count: int
    difference: float | None = None
    error: float | None = None
    low: float | None = None
    high: float | None = None
    t: float | None = None
    p: float | None = None
    sharpe_gap: float | None = None
    sharpe_low: float | None = None
    sharpe_high: float | None = None
    correlation: float | None = None
    tracking: float | None = None
    widest_gap: float | None = None
    at_ms: tuple[int, ...] = ()
    grown_a: tuple[float, ...] = ()
    grown_b: tuple[float, ...] = ()


class Figure(msgspec.Struct, frozen=True):
    """A figure of both runs; None where it cannot be had."""

    name: str
    a: float | None
    b: float | None

    @property
    def difference(self) -> float | None:
        return None if self.a is None or self.b is None else self.b - self.a


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `sluice compare` shows.

    obstacles  what could not be compared, and why, and who was stopped before its end
    start_ms, end_ms  the common span (0, 0: there is none)
    identical  the digests of the whole runs are equal: every decision and fill is the same
    given      (what, A's, B's) of data, versions, seed;  settings  those that differ
    """

    a: Party
    b: Party
    start_ms: int = 0
    end_ms: int = 0
    symbols: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    identical: bool = False
    given: tuple[tuple[str, str, str], ...] = ()
    settings: tuple[tuple[str, str, str], ...] = ()
    decisions: Decisions | None = None
    fills: Fills | None = None
    held: tuple[Held, ...] = ()
    returns: Returns | None = None
    metrics: tuple[Figure, ...] = ()
    costs: tuple[Figure, ...] = ()

    @property
    def comparable(self) -> bool:
        """Whether there is anything that both could have done."""
        return bool(self.symbols) and self.end_ms > self.start_ms

    @property
    def alike(self) -> bool:
        """Whether both did the same in the common span, as far as both kept it: decisions, digests, fills."""
        told, fills = self.decisions, self.fills
        if told is None or fills is None or not told.compared:
            return False
        decided = told.same == told.compared and not (told.only_a or told.only_b) and told.same_digests == told.digests
        return decided and fills.equal == fills.matched and not (fills.only_a or fills.only_b)
