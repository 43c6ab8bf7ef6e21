"""The notation of Kakushadze's 101 Formulaic Alphas (2016, arXiv 1601.00991, appendix A), and the common names of WorldQuant BRAIN.

Names are in any case; the windows of the paper are rounded down where they have a fraction; `max(x, d)` and `min(x, d)` are over time
where d is a number of days, 2 or more, and element by element otherwise; `^` takes any exponent. `rank` is across symbols, `ts_rank` over
time, both in (0, 1]. The day of `ts_argmax` counts from 1, the oldest; BRAIN's `ts_arg_max` counts bars back from the newest.
`SignedPower(x, a)` is sign(x) |x|^a. `adv20` is the mean volume, not the mean dollar volume that the paper's list of inputs says: its
formulas compare it with `volume`. `IndNeutralize(x, IndClass.sector)` takes the mean of x in each sector away, and needs a field
`sector` of whole numbers.
"""

from strategies.factors.dialects.dialect import Dialect, define

_PAPER = define(
    """
    abs(x) = abs(x)
    log(x) = log(x)
    exp(x) = exp(x)
    sqrt(x) = sqrt(x)
    sign(x) = sign(x)
    tanh(x) = tanh(x)
    sigmoid(x) = sigmoid(x)
    signedpower(x, y) = signed_power(x, y)
    signed_power(x, y) = signed_power(x, y)
    power(x, y) = power(x, y)
    add(x, y) = x + y
    subtract(x, y) = x - y
    multiply(x, y) = x * y
    divide(x, y) = x / y
    reverse(x) = -x
    inverse(x) = inv(x)
    where(c, x, y) = where(c, x, y)
    if_else(c, x, y) = where(c, x, y)
    and_(x, y) = x and y
    or_(x, y) = x or y
    is_nan(x) = is_nan(x)
    max(x, 2 <= d) = ts_max(x, d)
    max(x, y) = max(x, y)
    min(x, 2 <= d) = ts_min(x, d)
    min(x, y) = min(x, y)

    rank(x) = rank(x)
    scale(x) = scale(x, 1)
    scale(x, to) = scale(x, to)
    zscore(x) = zscore(x)
    normalize(x) = demean(x)
    winsorize(x) = winsorize(x, 4)
    winsorize(x, std) = winsorize(x, std)
    indneutralize(x, g) = group_demean(x, g)
    group_neutralize(x, g) = group_demean(x, g)
    group_rank(x, g) = group_rank(x, g)
    group_zscore(x, g) = group_zscore(x, g)

    delay(x, d) = delay(x, d)
    delta(x, d) = delta(x, d)
    sum(x, d) = ts_sum(x, d)
    product(x, d) = ts_product(x, d)
    stddev(x, d) = ts_std(x, d)
    correlation(x, y, d) = ts_corr(x, y, d)
    covariance(x, y, d) = ts_cov(x, y, d)
    decay_linear(x, d) = decay_linear(x, d)
    ts_min(x, d) = ts_min(x, d)
    ts_max(x, d) = ts_max(x, d)
    ts_argmin(x, d) = ts_argmin(x, d)
    ts_argmax(x, d) = ts_argmax(x, d)
    ts_rank(x, d) = ts_rank(x, d)
    ts_sum(x, d) = ts_sum(x, d)
    ts_product(x, d) = ts_product(x, d)
    ts_stddev(x, d) = ts_std(x, d)
    """,
    floors=True,
)
_BRAIN = define(
    """
    ts_delay(x, d) = delay(x, d)
    ts_delta(x, d) = delta(x, d)
    ts_mean(x, d) = ts_mean(x, d)
    ts_std_dev(x, d) = ts_std(x, d)
    ts_zscore(x, d) = ts_zscore(x, d)
    ts_corr(x, y, d) = ts_corr(x, y, d)
    ts_covariance(x, y, d) = ts_cov(x, y, d)
    ts_decay_linear(x, d) = decay_linear(x, d)
    ts_decay_exp_window(x, d, factor) = decay_exp(x, d, factor)
    ts_av_diff(x, d) = x - ts_mean(x, d)
    ts_max_diff(x, d) = x - ts_max(x, d)
    ts_min_diff(x, d) = x - ts_min(x, d)
    ts_scale(x, d) = ts_minmax(x, d)
    ts_returns(x, d) = pct_change(x, d)
    ts_median(x, d) = ts_median(x, d)
    ts_skewness(x, d) = ts_skew(x, d)
    ts_kurtosis(x, d) = ts_kurt(x, d)
    ts_ir(x, d) = ts_ir(x, d)
    ts_arg_max(x, d) = bars_since_max(x, d)
    ts_arg_min(x, d) = bars_since_min(x, d)
    ts_count_nans(x, d) = d - ts_count_known(x, d)
    ts_regression(y, x, d) = ts_resid_on(y, x, d)
    """
)

WORLDQUANT = Dialect(
    "worldquant",
    "the 101 Formulaic Alphas and the common names of BRAIN: any case, fractional windows rounded down",
    {**_PAPER, **_BRAIN},
    fields={"indclass_sector": "sector", "indclass_industry": "industry", "indclass_subindustry": "subindustry"},
)
