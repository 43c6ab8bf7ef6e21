"""The notation of AlphaGen (KDD 2023) and its successors AlphaForge and AlphaQCM, with and without `Ts` before a name.

`20d` is twenty days, as many bars as those have; a plain 20 is bars. What differs from names that sound alike: `Rank(x, n)` is over
time and *descending* (the largest has the least), `Rank(x)` and `CSRank(x)` are across symbols, here in (0, 1] with ties averaged; `WMA`
weighs from 0, so that the oldest value of its window need only be known; `EMA` is over the window alone, with weights
(1 - 2 / (n + 1)) to the age; `Med` of an even number is the lower of the two; `Skew` is not corrected for bias, nor is the fourth
moment in `Kurt`; `TsPctChange(x, n)` compares the ends of the window, n - 1 bars apart. `Div` by 0 and `Log` at 0 are NaN, and `Corr`
of a constant is NaN, where AlphaGen has 0.
"""

from strategies.factors.dialects.dialect import Dialect, Table, define

_ONE = define(
    """
    abs(x) = abs(x)
    sign(x) = sign(x)
    log(x) = log(x)
    slog1p(x) = sign(x) * log1p(abs(x))
    s_log1p(x) = sign(x) * log1p(abs(x))
    inv(x) = inv(x)
    constant(x) = x
    rank(x) = rank(x)
    csrank(x) = rank(x)
    add(x, y) = x + y
    sub(x, y) = x - y
    mul(x, y) = x * y
    div(x, y) = x / y
    pow(x, y) = x ** y
    greater(x, y) = max(x, y)
    less(x, y) = min(x, y)
    getgreater(x, y) = max(x, y)
    getless(x, y) = min(x, y)
    ref(x, n) = delay(x, n)
    """
)
_WINDOWS = """
    mean(x, n) = ts_mean(x, n)
    sum(x, n) = ts_sum(x, n)
    std(x, n) = ts_std(x, n)
    var(x, n) = ts_var(x, n)
    max(x, n) = ts_max(x, n)
    min(x, n) = ts_min(x, n)
    skew(x, n) = ts_skew(x, n) * ((n - 2) / (n * (n - 1)) ** 0.5)
    kurt(x, n) = ((ts_kurt(x, n) * ((n - 2) * (n - 3) / (n - 1)) - 6) / (n + 1) + 3) * ((n - 1) / n) ** 2 - 3
    med(x, 1) = x
    med(x, n) = ts_quantile(x, n, (n - 1) // 2 / (n - 1))
    mad(x, n) = ts_mad(x, n)
    rank(x, n) = ts_rank(-x, n)
    delta(x, n) = delta(x, n)
    wma(x, n) = decay_linear(x, n - 1) + 0 * delay(x, n - 1)
    ema(x, n) = decay_exp(x, n, 1 - 2 / (1 + n))
    cov(x, y, n) = ts_cov(x, y, n)
    corr(x, y, n) = ts_corr(x, y, n)
    ir(x, n) = ts_ir(x, n)
    div(x, n) = x / ts_mean(x, n)
    minmaxdiff(x, n) = ts_range(x, n)
    maxdiff(x, n) = x - ts_max(x, n)
    mindiff(x, n) = x - ts_min(x, n)
    pctchange(x, n) = pct_change(x, n - 1)
    """


def _with_ts() -> Table:
    """Every window operator as `Mean` and as `TsMean`; `Div` and `Rank` alone keep their other meaning without it."""
    windows = define(_WINDOWS)
    named = {(f"ts{name}", count): rules for (name, count), rules in windows.items()}
    return {**windows, **named, **_ONE}


ALPHAGEN = Dialect(
    "alphagen",
    "AlphaGen's: every operation is a call, fields are written $close, windows 20d or 20",
    _with_ts(),
    fields={"amount": "turnover"},
    marked=True,
)
