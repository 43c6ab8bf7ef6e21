"""A curve in pieces: the same figures as the whole at once, wherever the pieces end."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bot.curve import Curve, days_of, fall_of, returns_of
from feeds import mapped
from feeds.times import DAY, HOUR

CURVES = arrays(np.float64, st.integers(1, 60), elements=st.integers(1, 12).map(float))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "PIECE", 7)


@given(CURVES)
@settings(max_examples=200, deadline=None)
def test_returns_have_the_moments_of_the_whole_curve(equity: np.ndarray) -> None:  # type: ignore[type-arg]
    returns = equity / np.concatenate([[5.0], equity[:-1]]) - 1.0
    found = returns_of(Curve(5.0, equity))
    assert found is not None
    centred = returns - returns.mean()
    assert found[:3] == (len(returns), np.sum(returns > 0), np.sum(returns < 0))
    expected = [
        returns[returns > 0].sum(), returns[returns < 0].sum(), returns.mean(), *(np.mean(centred**k) for k in (2, 3, 4)),
        np.mean(np.minimum(returns, 0.0) ** 2),
    ]  # fmt: skip
    assert found[3:] == pytest.approx(expected, abs=1e-12)


@given(CURVES)
@settings(max_examples=300, deadline=None)
def test_the_deepest_fall_is_that_of_the_whole_curve(equity: np.ndarray) -> None:  # type: ignore[type-arg]
    path = np.concatenate([[5.0], equity])
    peaks = np.maximum.accumulate(path)
    falls = path / peaks - 1.0
    end = int(falls.argmin())
    found = fall_of(Curve(5.0, equity))
    assert found is not None and found.depth == falls[end]
    if falls[end] < 0:
        begin = max(i for i in range(end) if path[i] == peaks[i])
        times = np.flatnonzero(path == peaks)
        longest = max([b - a for a, b in pairwise(times) if b - a > 1] + [len(path) - 1 - times[-1]])
        assert found[1:] == (begin - 1, end - 1, longest)
    else:
        assert found[1:] == (None, None, 0)


@given(CURVES, st.integers(0, 30), st.sampled_from([HOUR, 7 * HOUR, DAY, 3 * DAY]))
@settings(max_examples=200, deadline=None)
def test_days_end_at_midnight(equity: np.ndarray, hours: int, timeframe: int) -> None:  # type: ignore[type-arg]
    begin = 20_000 * DAY + hours * HOUR
    by_day: dict[int, list[float]] = {}
    for row, value in enumerate(equity):
        by_day.setdefault((begin + row * timeframe - 1) // DAY * DAY, []).append(value)
    starts, returns, bars = days_of(Curve(5.0, equity), timeframe, begin)
    assert starts.tolist() == list(by_day)
    assert bars.tolist() == [len(day) for day in by_day.values()]
    assert np.cumprod(1 + returns) * 5.0 == pytest.approx([day[-1] for day in by_day.values()])


def test_without_equity_there_are_no_returns() -> None:
    assert returns_of(Curve(5.0, np.array([1.0, 0.0, 2.0]))) is None
    assert returns_of(Curve(5.0, np.array([1.0, 2.0, -1.0]))) is not None  # the last bar lost more than there was
    assert fall_of(Curve(0.0, np.ones(3))) is None
