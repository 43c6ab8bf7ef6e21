"""What kernels do by other ways than the plain loop, against numpy; and how their machine code is kept."""

from pathlib import Path

import numpy as np
import pytest

from strategies.factors import Machine, compile_factors, kernels
from strategies.factors.kernels import code

FIELDS = ("close", "volume")


def run(block: np.ndarray, **factors: str) -> np.ndarray:
    return Machine(compile_factors(factors, timeframe=60_000, fields=FIELDS, units=False), block.shape[2]).run(block, 7)


def percentile(row: np.ndarray) -> np.ndarray:
    known = row[~np.isnan(row)]
    least, most = (known[None, :] < row[:, None]).sum(axis=1), (known[None, :] <= row[:, None]).sum(axis=1)
    return np.where(np.isnan(row), np.nan, (least + most + 1) / 2 / max(len(known), 1))


@pytest.mark.parametrize("symbols", [2, 5, 8, 15, 16, 17, 50, 64, 65, 130])
def test_ranks_across_symbols_see_what_single_precision_does_not(symbols: int) -> None:
    rng = np.random.default_rng(symbols)
    order = rng.permuted(np.tile(np.arange(symbols, dtype=float), (6, 1)), axis=1)
    close = np.stack([1.0 + order[0] * 1e-14, order[1] * 1e300, order[2] * 1e-310, np.round(order[3] / 3), order[4], -order[5]])
    close[4, rng.random(symbols) < 0.3] = np.nan
    close[5, 0], close[5, -1] = np.inf, -np.inf
    values = run(np.stack([close, close], axis=1), x="rank(close)")[:, 0]
    np.testing.assert_allclose(values, np.stack([percentile(row) for row in close]), rtol=1e-15)


@pytest.mark.parametrize("window", [2, 33, 64, 500])
def test_ranks_of_one_symbol_over_time_count_every_bar(window: int) -> None:
    rng = np.random.default_rng(window)
    close = rng.integers(0, 40, 4_000).astype(float)
    close[rng.random(4_000) < 0.001] = np.nan
    values = run(np.stack([close, close], axis=1)[:, :, None], x=f"ts_rank(close, {window})")[:, 0, 0]
    seen = np.lib.stride_tricks.sliding_window_view(close, window)
    wanted = ((seen < seen[:, -1:]).sum(axis=1) + (seen <= seen[:, -1:]).sum(axis=1) + 1) / 2 / window
    wanted[np.isnan(seen).any(axis=1)] = np.nan
    np.testing.assert_allclose(values[window - 1 :], wanted, rtol=1e-15)
    assert np.isnan(values[: window - 1]).all()


@pytest.mark.parametrize(("symbols", "bars"), [(50, 2_800), (51, 2_800), (1, 140_000), (2, 70_000)])
@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_a_large_result_is_written_as_a_small_one(symbols: int, bars: int, names: tuple[str, ...]) -> None:
    texts = {"a": "close", "b": "volume - close", "c": "delay(close, 3)"}
    block = np.random.default_rng(1).normal(0, 1, (bars, 2, symbols))
    out = np.zeros(bars * len(names) * symbols + 1)
    for start in (0, 1):  # on 16 bytes, and not
        program = compile_factors({name: texts[name] for name in names}, timeframe=60_000, fields=FIELDS, units=False)
        target = out[start : start + bars * len(names) * symbols].reshape(bars, len(names), symbols)
        assert Machine(program, symbols).run(block, 0, out=target) is target
        np.testing.assert_array_equal(target[:, 0], block[:, 0])
        np.testing.assert_array_equal(target[:, 1], block[:, 1] - block[:, 0])
        if "c" in names:
            np.testing.assert_array_equal(target[3:, 2], block[:-3, 0])


def test_a_result_of_another_shape_is_refused_and_nothing_moves() -> None:
    machine = Machine(compile_factors({"a": "close"}, timeframe=60_000, fields=FIELDS), 2)
    for wrong in (np.empty((3, 1, 2)), np.empty((4, 1, 2), np.float32), np.empty((4, 1, 4))[:, :, ::2]):
        with pytest.raises(ValueError, match="the result is"):
            machine.run(np.ones((4, 2, 2)), 0, out=wrong)
    assert machine.bar is None


def test_the_shares_of_the_work_are_all_of_it() -> None:
    families = kernels.families()
    assert set(kernels.names()) == {name for family in families for name in kernels.names([family])}
    assert {"interpreter.run", "windows.mean", "cross.rank"} <= set(kernels.names())


def test_code_is_kept_once_and_what_is_broken_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_folders", lambda: (tmp_path / "new" / "folder",))
    told: list[str] = []
    monkeypatch.setattr(code, "compiling", [told.append])
    for _ in range(2):
        code.keep("elementwise.neg")
    (kept,) = (tmp_path / "new" / "folder").iterdir()
    whole = kept.read_bytes()
    for broken in (b"", whole[:-1], whole[:40] + b"x" + whole[41:]):
        kept.write_bytes(broken)
        code.keep("elementwise.neg")
        assert code._kept("elementwise.neg") is not None
    assert told == ["elementwise.neg"] * 4
    code.keep("elementwise.sign")
    (other,) = (path for path in kept.parent.iterdir() if "sign" in path.name)
    kept.write_bytes(other.read_bytes())  # whole, and of another kernel
    assert code._kept("elementwise.neg") is None


def test_where_nothing_can_be_written_kernels_still_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(code, "_folders", lambda: (tmp_path / "file" / "below",))
    monkeypatch.setattr(code, "_addresses", {})
    values = run(np.full((3, 2, 2), 4.0), x="sqrt(close)")
    assert (values == 2.0).all()
