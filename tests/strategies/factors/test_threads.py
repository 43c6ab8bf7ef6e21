"""Two threads over one block: the same bits as one, whatever remembers and whatever crosses symbols."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from strategies.factors import Machine, Program, vm
from strategies.factors.graph import call, field
from tests.properties.test_operators import ALL, FIRST, compiled, differing, market

BARS = 900


@pytest.fixture(autouse=True)
def any_block_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm, "ENOUGH", 0)


@pytest.fixture(scope="module")
def program() -> Program:
    return compiled({node.op: node for node in ALL.values()})  # the last example of each operator: its longest window


@pytest.mark.parametrize("symbols", [1, 2, 9, 50])
def test_two_threads_give_the_bits_of_one(program: Program, symbols: int) -> None:
    block = market(symbols, bars=BARS)
    alone, shared = Machine(program, symbols), Machine(program, symbols)
    with ThreadPoolExecutor(1) as pool:
        assert vm.Halves.of(shared, BARS) is not None
        assert differing(alone.run(block, FIRST), shared.run(block, FIRST, pool=pool), list(program.names)) == []
        more = market(symbols, bars=60, seed=5)
        for i in range(len(more)):  # and they go on alike
            step = more[i : i + 1], FIRST + BARS + i
            assert differing(alone.run(*step), shared.run(*step), list(program.names)) == []


def test_a_machine_that_has_run_goes_on_in_two_threads(program: Program) -> None:
    block = market(3, bars=BARS + 101)
    alone, shared = Machine(program, 3), Machine(program, 3)
    whole = alone.run(block, FIRST)
    shared.run(block[:101], FIRST)
    out = np.empty((BARS, len(program.names), 3))
    with ThreadPoolExecutor(1) as pool:
        assert shared.run(block[101:], FIRST + 101, out=out, pool=pool) is out
    assert differing(whole[101:], out, list(program.names)) == []


def test_what_fades_before_its_first_value_is_brought_along_too() -> None:
    x, late = field("close"), {"known": call("ewm_mean", field("close"), 2, 1, 50), "m": call("sma_recursive", field("close"), 127, 64)}
    faded = compiled({**late, "of it": call("ts_mean", call("sub", x, late["known"]), 9)})
    block = market(2, bars=BARS)
    with ThreadPoolExecutor(1) as pool:
        shared = Machine(faded, 2).run(block, FIRST, pool=pool)
    assert differing(Machine(faded, 2).run(block, FIRST), shared, list(faded.names)) == []
    assert (faded.spans[:2] == -1).all()


def test_what_fails_beside_is_raised(program: Program) -> None:
    class Broken(ThreadPoolExecutor):
        def submit(self, *_: object) -> object:  # type: ignore[override]
            return super().submit(lambda: 1 // 0)

    with Broken(1) as pool, pytest.raises(ZeroDivisionError):
        Machine(program, 3).run(market(3, bars=BARS), FIRST, pool=pool)


def test_little_work_is_not_shared(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm, "ENOUGH", 10**12)
    assert vm.Halves.of(Machine(program, 3), BARS) is None
    monkeypatch.setattr(vm, "ENOUGH", 0)
    assert vm.Halves.of(Machine(program, 3), 60) is None
