"""The notation of Qlib's expression engine (qlib/data/ops.py), in which Alpha158 and Alpha360 are written.

Qlib fills a window that is not full yet from the values there are (min_periods = 1) and lets a comparison with NaN be false; here, as
everywhere in the language, a window is NaN until it is full of known values, and what compares with NaN is NaN. A window of 0 is all of
history, and one between 0 and 1 an exponential mean with that alpha, as in Qlib. `Ref(x, 0)` is x. `Rank(x, n)` is over time, `Greater`
and `Less` are element by element, `Max` and `Min` are over time, `WMA` is the weighted mean divided once more by n.
"""

from strategies.factors.dialects.dialect import Dialect, define

QLIB = Dialect(
    "qlib",
    "Qlib's expressions: fields are written $close",
    define(
        """
        abs(x) = abs(x)
        sign(x) = sign(x)
        log(x) = log(x)
        power(x, y) = power(x, y)
        add(x, y) = x + y
        sub(x, y) = x - y
        mul(x, y) = x * y
        div(x, y) = x / y
        greater(x, y) = max(x, y)
        less(x, y) = min(x, y)
        gt(x, y) = x > y
        ge(x, y) = x >= y
        lt(x, y) = x < y
        le(x, y) = x <= y
        eq(x, y) = x == y
        ne(x, y) = x != y
        and_(x, y) = x and y
        or_(x, y) = x or y
        where(c, x, y) = where(c, x, y)
        isnull(x) = is_nan(x)
        isinf(x) = is_nan(finite(x)) - is_nan(x)
        ffillnan(x) = ffill(x)

        ref(x, 0) = x
        ref(x, n) = delay(x, n)
        delta(x, n) = delta(x, n)
        mean(x, 0) = expanding_mean(x)
        mean(x, 0 < n < 1) = ewm_mean(x, 2 / n - 1, 1, 1)
        mean(x, n) = ts_mean(x, n)
        sum(x, 0) = expanding_sum(x)
        sum(x, n) = ts_sum(x, n)
        std(x, 0) = expanding_std(x)
        std(x, n) = ts_std(x, n)
        var(x, 0) = expanding_var(x)
        var(x, n) = ts_var(x, n)
        max(x, 0) = expanding_max(x)
        max(x, n) = ts_max(x, n)
        min(x, 0) = expanding_min(x)
        min(x, n) = ts_min(x, n)
        count(x, 0) = expanding_count(x)
        count(x, n) = ts_count_known(x, n)
        skew(x, n) = ts_skew(x, n)
        kurt(x, n) = ts_kurt(x, n)
        idxmax(x, n) = ts_argmax(x, n)
        idxmin(x, n) = ts_argmin(x, n)
        quantile(x, n, q) = ts_quantile(x, n, q)
        med(x, n) = ts_median(x, n)
        mad(x, n) = ts_mad(x, n)
        rank(x, n) = ts_rank(x, n)
        slope(x, n) = ts_slope(x, n)
        rsquare(x, n) = ts_rsquare(x, n)
        resi(x, n) = ts_resid(x, n)
        wma(x, n) = decay_linear(x, n) / n
        ema(x, 0 < n < 1) = ewm_mean(x, 2 / n - 1, 1, 1)
        ema(x, n) = ewm_mean(x, n, 1, 1)
        corr(x, y, n) = ts_corr(x, y, n)
        cov(x, y, n) = ts_cov(x, y, n)
        """
    ),
    fields={"change": "returns", "amount": "turnover", "money": "turnover"},
    marked=True,
)
