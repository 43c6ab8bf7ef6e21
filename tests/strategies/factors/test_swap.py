"""A new program at a bar boundary: what stays goes on bit for bit, what is new has its value at the next bar."""

import numpy as np
import pytest
from numpy.typing import NDArray

from strategies.factors import Machine, Node, Program, call, compile_factors, field
from strategies.factors.check import distinct
from strategies.factors.operators import OPERATORS
from strategies.factors.swap import swapped
from tests.properties.test_operators import ALL, FIELDS, FIRST, FORGETTING, differing, market

Array = NDArray[np.float64]
CUT = 90
NAMES = list(ALL)
LASTING = [name for name in NAMES if not any(_.op in FORGETTING for _ in distinct([ALL[name]]))]


def program(names: list[str], fields: tuple[str, ...] = FIELDS) -> Program:
    return compile_factors({name: ALL[name] for name in names}, timeframe=60_000, fields=fields)


def swap_at(block: Array, before: list[str], after: list[str], cut: int = CUT, history: int | None = None) -> Array:
    """The bars from `cut` on of a machine that ran `before` and goes on with `after`."""
    running = Machine(program(before), block.shape[2])
    running.run(block[:cut], FIRST)
    start = 0 if history is None else cut - history
    return swapped(running, program(after), block[start:cut]).run(block[cut:], FIRST + cut)


def unbroken(block: Array, names: list[str]) -> Array:
    return Machine(program(names), block.shape[2]).run(block, FIRST)


@pytest.mark.parametrize("symbols", [1, 9])
@pytest.mark.parametrize("cut", [1, 64, 90])
def test_factors_that_stay_go_on_as_if_nothing_had_happened(symbols: int, cut: int) -> None:
    block = market(symbols)
    before, after = NAMES[: 2 * len(NAMES) // 3], NAMES[len(NAMES) // 3 :]
    kept = [name for name in after if name in before]
    values = swap_at(block, before, after, cut)
    whole = unbroken(block, after)[cut:]
    places = [after.index(name) for name in kept]
    assert len(kept) > 30
    assert differing(np.ascontiguousarray(values[:, places]), np.ascontiguousarray(whole[:, places]), kept) == []


def test_new_factors_have_the_bits_of_a_machine_that_had_always_run_them() -> None:
    block = market(3)
    new = [name for name in LASTING if name not in NAMES[::2]]
    values = swap_at(block, NAMES[::2], new, history=max(ALL[name].warm_up for name in new))
    assert differing(values, np.ascontiguousarray(unbroken(block, new)[CUT:]), new) == []


def test_a_new_recursive_factor_is_as_exact_as_its_warm_up_says() -> None:
    names = [name for name in NAMES if name in {f"{op}_7_prices" for op in ("ema", "rsi")}]
    warm = max(ALL[name].warm_up for name in names)
    block = market(2, bars=2 * warm + 50)
    values = swap_at(block, LASTING[:3], names, cut=2 * warm, history=warm)
    np.testing.assert_allclose(values, unbroken(block, names)[2 * warm :], rtol=1e-11)


def test_a_recursive_factor_that_stays_keeps_its_memory_however_short_the_archive() -> None:
    block = market(2, gaps=0.0)
    ema = [name for name in NAMES if name.startswith("ema_30_prices")]
    values = swap_at(block, ema, [*ema, LASTING[0]], history=1)
    whole = unbroken(block, ema)[CUT:]
    assert differing(np.ascontiguousarray(values[:, :1]), np.ascontiguousarray(whole), ema) == []


def test_without_enough_history_a_new_factor_is_unknown_for_longer_and_never_wrong() -> None:
    block = market(2, gaps=0.0)
    name = "ts_mean_30_prices"
    values, whole = swap_at(block, [LASTING[0]], [name], history=10), unbroken(block, [name])[CUT:]
    assert np.isnan(values[:19]).all()
    assert differing(np.ascontiguousarray(values[19:]), np.ascontiguousarray(whole[19:]), [name]) == []


def test_a_new_factor_may_read_a_field_that_the_old_ones_did_not() -> None:
    rng = np.random.default_rng(4)
    block = rng.normal(100, 1, (60, 2, 3))
    old = compile_factors({"a": "ts_mean(close, 5)"}, timeframe=60_000, fields=("close", "tvl"))
    new = compile_factors({"b": "ts_mean(close, 5) / ts_mean(tvl, 9)"}, timeframe=60_000, fields=("close", "tvl"))
    running = Machine(old, 3)
    running.run(block[:40], 7)
    values = swapped(running, new, block[20:40]).run(block[40:], 47)
    np.testing.assert_array_equal(values, Machine(new, 3).run(block, 7)[40:])


def test_the_running_machine_is_left_alone() -> None:
    block = market(2)
    names = NAMES[:40]
    running = Machine(program(names), 2)
    running.run(block[:CUT], FIRST)
    state = running.save()
    swapped(running, program(NAMES[20:60]), block[:CUT])
    assert running.save() == state


def test_a_machine_that_has_not_begun_swaps_to_one_that_has_not() -> None:
    machine = swapped(Machine(program(NAMES[:2]), 2), program(NAMES[:3]), market(2)[:0])
    assert machine.bar is None


def test_history_cannot_begin_before_time() -> None:
    running = Machine(program(NAMES[:2]), 2)
    running.run(market(2)[:3], 0)
    with pytest.raises(ValueError, match="at most that many"):
        swapped(running, program(NAMES[:2]), market(2)[:5])


def test_swapping_twice_at_one_bar_changes_nothing_more() -> None:
    block = market(9)
    running = Machine(program(NAMES[:50]), 9)
    running.run(block[:CUT], FIRST)
    once = swapped(running, program(NAMES[25:]), block[:CUT])
    twice = swapped(once, program(NAMES[25:]), block[:CUT])
    assert differing(once.run(block[CUT:], FIRST + CUT), twice.run(block[CUT:], FIRST + CUT), NAMES[25:]) == []


def test_anchored_values_are_carried_on_too() -> None:
    anchored: list[Node] = [call(row.name, *[field("close")] * row.series) for row in OPERATORS.values() if row.anchored and not row.params]
    graphs = {node.text: node for node in anchored}
    block = market(2)
    running = Machine(compile_factors(graphs, timeframe=60_000, fields=FIELDS), 2)
    whole = Machine(running.program, 2).run(block, FIRST)
    running.run(block[:CUT], FIRST)
    more = compile_factors({**graphs, "new": ALL[LASTING[0]]}, timeframe=60_000, fields=FIELDS)
    values = swapped(running, more, block[CUT - 5 : CUT]).run(block[CUT:], FIRST + CUT)
    assert differing(np.ascontiguousarray(values[:, :-1]), np.ascontiguousarray(whole[CUT:]), list(graphs)) == []
