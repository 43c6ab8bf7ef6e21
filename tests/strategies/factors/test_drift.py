"""A window is as exact after a long history, and after a bad tick in it, as if it had been computed from its bars alone."""

import numpy as np
import pytest

from strategies.factors import Machine, compile_factors

BARS, BAD = 200_000, 120_000
TEXTS = {
    "mean": "ts_mean(close, {n})", "std": "ts_std(close, {n})", "var": "ts_var(close, {n})", "zscore": "ts_zscore(close, {n})",
    "corr": "ts_corr(close, volume, {n})", "skew": "ts_skew(close, {n})", "slope": "ts_slope(close, {n})",
}  # fmt: skip


def exact(x: np.ndarray, y: np.ndarray) -> dict[str, np.longdouble]:
    """Two passes over one window, in long double."""
    n, k = len(x), np.arange(len(x), dtype=np.longdouble)
    d, e, k = x - x.mean(), y - y.mean(), k - k.mean()
    var = (d * d).sum() / (n - 1)
    skew = np.sqrt(np.longdouble(n) * (n - 1)) / (n - 2) * ((d**3).sum() / n) / ((d * d).sum() / n) ** 1.5
    return {
        "mean": x.mean(), "std": np.sqrt(var), "var": var, "zscore": d[-1] / np.sqrt(var),
        "corr": (d * e).sum() / np.sqrt((d * d).sum() * (e * e).sum()), "skew": skew, "slope": (x * k).sum() / (k * k).sum(),
    }  # fmt: skip


@pytest.mark.parametrize("window", [20, 500])
@pytest.mark.parametrize("bad", [1e9, np.nan, np.inf])
def test_no_digit_is_lost_to_what_has_left_the_window(window: int, bad: float) -> None:
    rng = np.random.default_rng(5)
    price = 60_000 + np.cumsum(rng.integers(-40, 41, BARS)) / 100
    volume = np.exp(rng.normal(3, 1, BARS))
    price[BAD] = bad
    block = np.stack([price, volume], axis=1)[:, :, None]
    texts = {name: text.format(n=window) for name, text in TEXTS.items()}
    values = Machine(compile_factors(texts, timeframe=60_000, fields=["close", "volume"], units=False), 1).run(block, 0)[:, :, 0]
    assert not np.isnan(values[BAD + window :]).any()
    for bar in (*range(BAD + window, BAD + window + 40), *range(BARS - 40, BARS)):
        x, y = (block[bar - window + 1 : bar + 1, c, 0].astype(np.longdouble) for c in (0, 1))
        wanted = exact(x, y)
        for i, name in enumerate(texts):
            size = max(abs(float(wanted[name])), 1.0 if name in ("zscore", "corr", "skew") else 0.0)
            assert abs(values[bar, i] - float(wanted[name])) <= 1e-9 * size, (name, bar)
