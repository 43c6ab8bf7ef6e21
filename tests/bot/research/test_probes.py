"""Probes find what looks ahead, in subjects that do it on purpose, and accuse none that does not."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bot.research import probes
from bot.research.probes import Rows
from strategies.factors import Machine, compile_factors, parse

Array = NDArray[np.float64]
FIELDS = ("open", "high", "low", "close", "volume")
BARS, SYMBOLS = 420, 3
CUTS = 40


def market(scale: float = 1.0, seed: int = 4) -> Rows:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (BARS, SYMBOLS)), axis=0)) * scale
    open_ = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    volume = rng.lognormal(3, 1, close.shape)
    values = np.stack([open_, high, low, close, volume], axis=1)
    values[rng.random(BARS) < 0.01] = np.nan
    return Rows(values, 28_400_003)


def of_frame(function: Callable[[pd.DataFrame], pd.DataFrame | pd.Series], column: int = 3) -> Callable[[Rows], Array]:
    """A function of closes, a column a symbol, as a subject with one output."""

    def evaluate(data: Rows) -> Array:
        with np.errstate(all="ignore"):
            found = function(pd.DataFrame(data.values[:, column].copy()))
        return np.asarray(found, float).reshape(data.rows, 1, -1)

    return evaluate


def _resampled(close: pd.DataFrame) -> pd.DataFrame:
    """The mean of each ten bars, shown at the first of them: a coarser bar by the name of its opening."""
    return close.groupby(np.arange(len(close)) // 10).transform("mean")


def _now_and_then(close: pd.DataFrame) -> pd.DataFrame:
    """Reads the next bar after the largest moves alone, one bar in fifty."""
    move = (close / close.shift(1) - 1).abs()
    return close.where(~(move > 0.022), close.shift(-1))


def _peaks(close: pd.DataFrame) -> pd.DataFrame:
    """A pivot is known two bars after it; here it is marked where it stands."""
    return ((close == close.rolling(5, center=True).max()) & close.notna()).astype(float)


def _smooth(close: pd.DataFrame) -> np.ndarray:
    """A low-pass filter over the whole sample."""
    spectrum = np.fft.rfft(close.ffill().bfill().fillna(0.0).to_numpy(), axis=0)
    spectrum[len(spectrum) // 8 :] = 0
    return np.fft.irfft(spectrum, len(close), axis=0)


def _without_trend(close: pd.DataFrame) -> pd.DataFrame:
    """The line through the whole sample taken out."""
    time = pd.Series(np.arange(len(close)) - (len(close) - 1) / 2)
    return close - close.mean() - np.outer(time, (close.mul(time, axis=0)).sum() / (time**2).sum())


LEAKS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "the next close": lambda c: c.shift(-1),
    "the close a day ahead": lambda c: c.shift(-96),
    "the return to come, in a hundred-millionth part": lambda c: c + 1e-8 * (c.shift(-1) - c),
    "the sign of the return to come": lambda c: np.sign(c.shift(-1) - c),
    "a centred mean": lambda c: c.rolling(11, center=True).mean(),
    "a rank over the whole sample": lambda c: c.rank(pct=True),
    "a z-score over the whole sample": lambda c: (c - c.mean()) / c.std(),
    "scaled by the smallest and largest of all": lambda c: (c - c.min()) / (c.max() - c.min()),
    "cut at quantiles of the whole sample": lambda c: c.clip(c.quantile(0.05), c.quantile(0.95), axis=1),
    "filled from behind": lambda c: c.bfill(),
    "interpolated": lambda c: c.interpolate(),
    "a coarser bar before it has closed": _resampled,
    "the next bar, now and then": _now_and_then,
    "a peak where it stands": _peaks,
    "smoothed over everything": _smooth,
    "the trend of the whole sample taken out": _without_trend,
    "backwards in time": lambda c: c[::-1].ewm(span=20).mean()[::-1],
    "the first symbol knows the next bar of the last": lambda c: c.assign(**{"0": 0}).drop(columns="0").iloc[:, [0, 1, 2]].add(
        pd.DataFrame({0: c[2].shift(-1), 1: 0.0, 2: 0.0})),
    "how long the sample is": lambda c: c * len(c),
    "the largest close to come": lambda c: c[::-1].cummax()[::-1],
    "known only where the next bar rises": lambda c: c.where(c.shift(-1) > c),
}  # fmt: skip

HONEST: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "the close": lambda c: c,
    "the last close": lambda c: c.shift(1),
    "a mean": lambda c: c.rolling(20).mean(),
    "a deviation": lambda c: c.rolling(20).std() / c,
    "a mean that forgets": lambda c: c.ewm(span=20).mean(),
    "a rank among the past": lambda c: c.rolling(50).rank(pct=True),
    "a rank among everything so far": lambda c: c.expanding().rank(pct=True),
    "a rank across symbols": lambda c: c.rank(axis=1, pct=True),
    "filled from before": lambda c: c.ffill(),
    "a sum since the beginning": lambda c: c.fillna(0.0).cumsum(),
    "a peak when it is known": lambda c: ((c.shift(2) == c.rolling(5).max()) & c.notna()).astype(float),
}


def found(evaluate: Callable[[Rows], Array], data: Rows, tolerance: float) -> tuple[probes.Tally, probes.Tally]:
    rng = np.random.default_rng(1)
    whole = evaluate(data)
    cuts = probes.places(whole, CUTS, rng, data.holes())
    assert len(cuts) <= CUTS * 5 / 4
    return (
        probes.truncation(evaluate, data, whole, cuts, tolerance),
        probes.poisoning(evaluate, data, whole, cuts, rng, tolerance=tolerance),
    )


@pytest.mark.parametrize("scale", [1e-5, 1e6])
@pytest.mark.parametrize("name", LEAKS)
def test_a_subject_that_looks_ahead_is_found_out_at_any_price(name: str, scale: float) -> None:
    short, poisoned = found(of_frame(LEAKS[name]), market(scale), 1e-9)
    assert short.differing[0] or poisoned.differing[0]
    assert poisoned.differing[0] or name == "how long the sample is"
    first = (poisoned if poisoned.differing[0] else short).first[0]
    assert first is not None
    row, symbol, cut = first
    assert 0 <= row < cut <= BARS
    assert 0 <= symbol < SYMBOLS


@pytest.mark.parametrize("scale", [1e-5, 1e6])
@pytest.mark.parametrize("name", HONEST)
def test_a_subject_that_does_not_is_not_accused(name: str, scale: float) -> None:
    short, poisoned = found(of_frame(HONEST[name]), market(scale), 1e-9)
    assert not short.differing[0]
    assert not poisoned.differing[0]
    assert short.compared[0] > 600


def compiled(texts: Sequence[str]) -> Callable[[], Machine]:
    nodes = {str(i): parse(text, timeframe=60_000, fields=FIELDS) for i, text in enumerate(texts)}
    program = compile_factors(nodes, timeframe=60_000, fields=FIELDS)
    return lambda: Machine(program, SYMBOLS)


TEXTS = ("close / ts_mean(close, 20) - 1", "ema(close, 30)", "rank(volume)", "ts_rank(close, 40)", "cumsum(volume)")


class Ahead(Machine):
    """A machine that reads one bar too far: of each block that it is given, the last column stands a bar early."""

    def run(self, block: Array, first: int, out: Array | None = None, pool: object = None) -> Array:
        shifted = block.copy()
        shifted[:-1, -1] = block[1:, -1]
        return super().run(shifted, first)


def test_a_machine_is_blind_to_the_future_and_to_the_cut() -> None:
    fresh, data = compiled(TEXTS), market()
    whole = fresh().run(data.values, data.first)
    short, poisoned = found(lambda d: fresh().run(d.values, d.first), data, 0.0)
    rng = np.random.default_rng(2)
    cut = probes.cutting(lambda parts: np.concatenate(list(map(ran(fresh()), parts))), data, whole, rng)
    kept = probes.restoring(lambda a, b: resumed(fresh, a, b), data, whole, [1, 63, 64, 350])
    for tally in (short, poisoned, cut, kept):
        assert not tally.differing.any()
        assert (tally.compared > 1_000).all()


def test_a_machine_that_reads_the_next_bar_is_found_by_every_probe() -> None:
    good, data = compiled(TEXTS), market()
    program = good().program
    fresh = lambda: Ahead(program, SYMBOLS)  # noqa: E731
    whole = fresh().run(data.values, data.first)
    short, poisoned = found(lambda d: fresh().run(d.values, d.first), data, 0.0)
    cut = probes.cutting(lambda parts: np.concatenate(list(map(ran(fresh()), parts))), data, whole, np.random.default_rng(2))
    reads = np.array(["volume" in text for text in TEXTS])
    for tally in (short, poisoned, cut):
        assert (tally.differing > 0).tolist() == reads.tolist()


def ran(machine: Machine) -> Callable[[Rows], Array]:
    return lambda data: machine.run(data.values, data.first)


def resumed(fresh: Callable[[], Machine], before: Rows, after: Rows) -> Array:
    first, second = fresh(), fresh()
    first.run(before.values, before.first)
    second.restore(first.save())
    return second.run(after.values, after.first)


def test_drift_is_that_of_the_definition() -> None:
    """An exponential mean begun k bars late is wrong by what its first value weighs, (1 - alpha) ** k; a window by nothing."""
    span = 30
    data = Rows(market().values[:, :, :1].copy())
    data.values[np.isnan(data.values)] = 100.0
    evaluate = of_frame(lambda c: pd.concat([c.ewm(span=span, adjust=False).mean(), c.rolling(25).mean(), c.cumsum()], axis=1))
    both = lambda d: evaluate(d).reshape(d.rows, 3, 1)  # noqa: E731
    whole = both(data)
    table = probes.drift(both, data, whole, (10, 24, 60, 200, 10_000))
    assert table.lengths == (10, 24, 60, 200)
    closes = data.values[:, 3, 0]
    keep = 1 - 2 / (span + 1)
    at = np.unique(np.linspace(61, BARS - 1, 8).astype(int))
    both_means = [(_recursive(closes[t - 60 : t + 1], keep), _recursive(closes[: t + 1], keep)) for t in at.tolist()]
    expected = max(abs(late - full) / max(late, full) for late, full in both_means)
    assert table.worst[2, 0] == pytest.approx(expected, rel=1e-6)
    assert table.worst[0, 1] == np.inf
    assert table.worst[1:, 1].max() < 1e-12
    assert table.worst[3, 2] > 0.05
    settled = probes.settling(both, data, whole, (20, 60))
    assert settled[1] == 24
    assert settled[2] == -1
    assert 150 < settled[0] < 360


def _recursive(closes: Array, keep: float) -> float:
    mean = closes[0]
    for close in closes[1:]:
        mean = keep * mean + (1 - keep) * close
    return float(mean)


def test_order_and_width_of_the_universe() -> None:
    fresh, data = compiled(TEXTS), market()
    program = fresh().program
    evaluate = lambda d: Machine(program, d.values.shape[2]).run(d.values, d.first)  # noqa: E731
    whole = evaluate(data)
    assert not probes.reordering(evaluate, data, whole, np.random.default_rng(0)).differing.any()
    assert (probes.narrowing(evaluate, data, whole).differing > 0).tolist() == ["rank(" in t and "ts_" not in t for t in TEXTS]
    favoured = lambda d: evaluate(d) * np.arange(1, d.values.shape[2] + 1)  # noqa: E731
    assert probes.reordering(favoured, data, favoured(data), np.random.default_rng(0)).differing.all()


def test_scale_says_what_a_value_is_measured_in() -> None:
    data = market()
    subject = of_frame(lambda c: pd.concat([c / c.shift(1) - 1, c, c**2, c + 1, c * np.nan], axis=1))
    evaluate = lambda d: subject(d).reshape(d.rows, 5, SYMBOLS)  # noqa: E731
    whole = evaluate(data)
    other = evaluate(data.scaled(range(4), 1024.0))
    assert probes.scaling(whole, other, 1024.0) == ["unit free", "~unit^1", "~unit^2", "mixed", "unknown"]


def test_differences_have_no_unit_and_unknown_is_a_value() -> None:
    a = np.array([1.0, 1e-9, np.nan, np.nan, 0.0, 1e300, np.inf])
    b = np.array([1.1, 1.1e-9, np.nan, 1.0, -0.0, -1e300, 1e300])
    np.testing.assert_allclose(probes.difference(a, b), [1 / 11, 1 / 11, 0, np.inf, 0, 2, np.inf])


def test_cuts_are_where_things_happen_and_all_of_them_where_they_are_few() -> None:
    rng = np.random.default_rng(0)
    values = np.full((50, 1, 1), np.nan)
    values[10:, 0, 0] = np.arange(40.0)
    assert probes.places(values, 100, rng) == list(range(11, 50))
    long = np.ones((5_000, 1, 1)) * np.arange(5_000)[:, None, None]
    long[3_000:] += 1e6
    chosen = probes.places(long, 40, rng)
    assert len(chosen) <= 45
    assert {3_000, 3_001} <= set(chosen)
