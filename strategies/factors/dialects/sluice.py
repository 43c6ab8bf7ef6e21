"""The canonical dialect: the operators by their own names and aliases, and other names that people and models write for them.

What a graph prints is written in it. In any case: SMA, STD, EMA, RSI. `RSI(14)` and its like are of the bar's own columns.
"""

from strategies.factors.dialects.dialect import Dialect, Table, define
from strategies.factors.operators import OPERATORS

MOST_ARGUMENTS = 8  # of min and max, which nest

_ALSO = define(
    """
    ifelse(c, x, y) = where(c, x, y)
    stdev(x, n) = ts_std(x, n)
    vari(x, n) = ts_var(x, n)
    highest(x, n) = ts_max(x, n)
    lowest(x, n) = ts_min(x, n)
    decay(x, n) = decay_linear(x, n)
    tsdecaylinear(x, n) = decay_linear(x, n)
    tslinregslope(x, n) = ts_slope(x, n)
    resid(y, x, n) = ts_resid_on(y, x, n)
    percentile(x, q, n) = ts_quantile(x, n, q)
    sma(x, n, m) = sma_recursive(x, n, m)
    ts_delay(x, n) = delay(x, n)
    ts_delta(x, n) = delta(x, n)
    ts_std_dev(x, n) = ts_std(x, n)
    ts_covariance(x, y, n) = ts_cov(x, y, n)
    ts_av_diff(x, n) = x - ts_mean(x, n)
    ts_returns(x, n) = pct_change(x, n)
    ts_arg_max(x, n) = bars_since_max(x, n)
    ts_arg_min(x, n) = bars_since_min(x, n)
    rolling_rank(x, n) = ts_rank(x, n)
    rolling_corr(x, y, n) = ts_corr(x, y, n)
    rolling_cov(x, y, n) = ts_cov(x, y, n)

    lag(x) = delay(x, 1)
    shift(x) = delay(x, 1)
    diff(x) = delta(x, 1)
    pct_change(x) = pct_change(x, 1)
    pct(x, n) = pct_change(x, n)
    returns(x, n) = pct_change(x, n)
    momentum(x, n) = pct_change(x, n)
    log_return(x, n) = log(x / delay(x, n))
    logreturn(x, n) = log(x / delay(x, n))
    volatility(x, n) = ts_std(pct_change(x, 1), n)

    cszscore(x) = zscore(x)
    csdemean(x) = demean(x)
    csscale(x) = scale(x)
    csquantile(x, n) = quantile_bucket(x, n)

    rsi(1 <= n) = rsi(close, n)
    atr(1 <= n) = atr(high, low, close, n)
    natr(1 <= n) = natr(high, low, close, n)
    adx(1 <= n) = adx(high, low, close, n)
    cci(1 <= n) = cci(high, low, close, n)
    mfi(1 <= n) = mfi(high, low, close, volume, n)
    stoch_k(1 <= n) = stoch_k(high, low, close, n)
    williams_r(1 <= n) = williams_r(high, low, close, n)
    """
)


def _table() -> Table:
    table: dict[tuple[str, int], str] = {}
    for row in OPERATORS.values():
        for name in (row.name, *row.aliases):
            for count in row.arities:
                assert table.get((name, count), row.name) == row.name, f"{name} with {count} arguments has two meanings"
                table[name, count] = row.name
    for name in ("min", "max", "and_", "or_", "add", "mul"):
        for count in range(3, MOST_ARGUMENTS + 1):
            table[name, count] = table[name, 2]
    return {**_ALSO, **table}


SLUICE = Dialect("sluice", "Sluice's own, in which canonical text is written", _table(), powers=False, units=True)
