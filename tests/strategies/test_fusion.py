import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from strategies.factors import Machine, compile_factors, parse
from strategies.fusion import Weighted
from strategies.signals import from_factor

WEIGHTS = (0.25, 0.20, 0.20, 0.15, 0.20)
NUMBERS = st.one_of(st.floats(-1, 1), st.just(float("nan")))


def column(*values: float) -> np.ndarray:
    return np.array(values).reshape(1, -1, 1)


def test_five_signals_that_agree_fully_give_full_confidence() -> None:
    fused = Weighted(WEIGHTS).fuse(column(1, 1, 1, 1, 1), column(1, 1, 1, 1, 1))
    assert fused.score[0, 0] == 1.0
    assert fused.confidence[0, 0] == 1.0


def test_a_signal_that_is_not_known_takes_no_part() -> None:
    fused = Weighted(WEIGHTS).fuse(column(0.5, np.nan, np.nan, np.nan, -0.5), column(1, 1, 1, 1, 0.5))
    assert np.isclose(fused.score[0, 0], (0.5 * 0.25 - 0.5 * 0.20 * 0.5) / (0.25 + 0.10))
    assert np.isclose(fused.confidence[0, 0], (0.25 + 0.10) / 0.45)
    assert np.isnan(fused.contributions[0, 1:4, 0]).all()


def test_no_signal_known_means_no_score_and_no_confidence() -> None:
    fused = Weighted((0.5,)).fuse(column(np.nan), column(1))
    assert np.isnan(fused.score[0, 0])
    assert fused.confidence[0, 0] == 0.0


def test_known_signals_without_confidence_score_zero() -> None:
    fused = Weighted((0.5,)).fuse(column(0.9), column(0))
    assert fused.score[0, 0] == 0.0
    assert fused.confidence[0, 0] == 0.0


@given(st.lists(NUMBERS, min_size=5, max_size=5), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_contributions_add_up_to_the_score(values: list[float], confidences: list[float]) -> None:
    fused = Weighted(WEIGHTS).fuse(column(*values), column(*confidences))
    if not np.isnan(fused.score[0, 0]):
        assert abs(np.nansum(fused.contributions) - fused.score[0, 0]) <= 1e-9
        assert -1.0 <= fused.score[0, 0] <= 1.0
        assert 0.0 <= fused.confidence[0, 0] <= 1.0 + 1e-12


def test_a_factor_that_is_a_signal_already_is_only_cut() -> None:
    node = from_factor("side", parse("close - open", timeframe=60_000, fields=("open", "close")), 1.0, "none", 1440).value
    block = np.array([[[0.0], [0.25]], [[0.0], [-3.0]], [[0.0], [7.0]], [[0.0], [np.nan]]])
    machine = Machine(compile_factors({"side": node}, timeframe=60_000, fields=("open", "close")), 1)
    assert np.array_equal(machine.run(block, 0)[:, 0, 0], [0.25, -1.0, 1.0, np.nan], equal_nan=True)
