"""The notation of the 191 short-period price and volume factors of Guotai Junan (2017), in strategies/library/alpha191.jsonl.

Names, signs and meanings are those of the report's table of functions: MAX and MIN take the larger and the smaller of two, also where the
second is a number; SUMAC, like SUM, adds up the window; FILTER is 0 where its condition fails. SMEAN, DELAT and HGIH are its misprints.
"""

from strategies.factors.dialects.dialect import Dialect, define

GTJA = Dialect(
    "gtja",
    "Guotai Junan's 191",
    define(
        """
        abs(x) = abs(x)
        log(x) = log(x)
        sign(x) = sign(x)
        max(x, y) = max(x, y)
        min(x, y) = min(x, y)
        filter(x, c) = where(c, x, 0)
        rank(x) = rank(x)

        delay(x) = delay(x, 1)
        delay(x, n) = delay(x, n)
        delta(x, n) = x - delay(x, n)
        delat(x, n) = x - delay(x, n)
        sum(x, n) = ts_sum(x, n)
        sumac(x, n) = ts_sum(x, n)
        mean(x, n) = ts_mean(x, n)
        ma(x, n) = ts_mean(x, n)
        std(x, n) = ts_std(x, n)
        prod(x, n) = ts_product(x, n)
        count(c, n) = ts_count(c, n)
        sumif(x, n, c) = ts_sum_if(x, c, n)
        tsmax(x, n) = ts_max(x, n)
        tsmin(x, n) = ts_min(x, n)
        tsrank(x, n) = ts_rank(x, n)
        highday(x, n) = bars_since_max(x, n)
        lowday(x, n) = bars_since_min(x, n)

        corr(x, y, n) = ts_corr(x, y, n)
        coviance(x, y, n) = ts_cov(x, y, n)
        cov(x, y, n) = ts_cov(x, y, n)
        regbeta(x, sequence(n)) = ts_slope(x, n)
        regbeta(x, sequence(n), n) = ts_slope(x, n)
        regbeta(x, SEQUENCE, n) = ts_slope(x, n)
        regbeta(y, x, n) = ts_beta(y, x, n)
        regresi(x, sequence(n)) = ts_resid(x, n)
        regresi(x, sequence(n), n) = ts_resid(x, n)
        regresi(x, SEQUENCE, n) = ts_resid(x, n)
        regresi(y, x, n) = ts_resid_on(y, x, n)

        sma(x, n, m) = sma_recursive(x, n, m)
        smean(x, n, m) = sma_recursive(x, n, m)
        wma(x, n) = decay_exp(x, n, 0.9)
        decaylinear(x, n) = decay_linear(x, n)
        """
    ),
    fields={
        "amount": "turnover",
        "vol": "volume",
        "l": "low",
        "hgih": "high",
        "ret": "returns",
        "banchmarkindexclose": "benchmark_close",
        "banchmarkindexopen": "benchmark_open",
        "benchmarkindexclose": "benchmark_close",
        "benchmarkindexopen": "benchmark_open",
        "dtm": "where(open <= delay(open, 1), 0, max(high - open, open - delay(open, 1)))",
        "dbm": "where(open >= delay(open, 1), 0, max(open - low, open - delay(open, 1)))",
        "tr": "max(max(high - low, abs(high - delay(close, 1))), abs(low - delay(close, 1)))",
        "hd": "high - delay(high, 1)",
        "ld": "delay(low, 1) - low",
    },
    signs={"=": "==", "&": "and", "|": "or", ".*": "*", "./": "/"},
)
