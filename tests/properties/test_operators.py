"""Laws over the whole operator table: any cut, any universe, any company, gaps, restarts; and the values themselves."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from strategies.errors import BadWindow
from strategies.factors import Machine, Node, Program, call, compile_factors, field
from strategies.factors.check import distinct
from strategies.factors.operators import OPERATORS, Operator
from tests.strategies.factors.oracle import ORACLE, evaluate

Array = NDArray[np.float64]

FIELDS = ("open", "high", "low", "close", "volume")
SERIES = ("close", "volume", "open")
WINDOWS = (1, 2, 3, 7, 30)
BARS = 160
FIRST = 28_400_003
ROWS = [row for row in OPERATORS.values() if row.means is None]
FORGETTING = {row.name for row in ROWS if row.anchored or row.warm_up((20, 20, 1)) != row.look_back((20, 20, 1))}
LASTING = {row.name for row in ROWS if row.anchored}


NUMBERS = {
    "low": -0.004, "high": 0.003, "to": 2.0, "span": 5.5, "adjust": 1.0, "m": 1, "least": 0.004, "acceleration": 0.02, "maximum": 0.2,
    "std": 1.5, "early": 1.0,
}  # fmt: skip


SEVERAL: dict[str, tuple[Callable[[int], float], ...]] = {  # by the size of the window
    "known": (lambda w: (w + 1) // 2, lambda w: 1, lambda w: w),
    "ddof": (lambda w: 1, lambda w: 0),
    "q": (lambda w: 0.5, lambda w: 0.31, lambda w: 0.0, lambda w: 1.0),
    "side": (lambda w: 1.0, lambda w: -1.0),
    "lost": (lambda w: 0.0, lambda w: 1.0, lambda w: 1.0),
    "factor": (lambda w: 0.9, lambda w: 1.0),
    "limit": (lambda w: 0.004, lambda w: 0.0),
    "decimals": (lambda w: 0.0, lambda w: 3.0, lambda w: -1.0),
}
MOST = max(len(values) for values in SEVERAL.values())


def numbers(row: Operator, size: int, turn: int = 0) -> list[float]:
    """Params of an example: `size` for whole numbers of bars, its own for what is named above; `turn` picks among several."""
    made: list[float] = []
    for p in row.params:
        if p.name in SEVERAL:
            made.append(SEVERAL[p.name][turn % len(SEVERAL[p.name])](size))
        else:
            made.append(size if p.whole and p.name != "m" else NUMBERS.get(p.name, size))
    return made


def examples(row: Operator) -> dict[str, Node]:
    """Each operator over prices, over their changes and, where it has a window, over several; with several of its other params."""
    prices = tuple(field(name) for name in SERIES)
    changes = tuple(call("sub", call("div", p, call("delay", p, 1)), 1.0) for p in prices)
    if row.name == "pow":
        near_one = call("div", prices[0], 100.0)
        return {f"pow_{n}": call("pow", near_one, n) for n in (-4.0, -1.0, -0.5, 0.0, 0.3, 0.5, 2.0, 3.7)}
    if row.name == "power":
        return {"power": call("power", *changes[:2]), "power_10": call("power", call("div", prices[0], 100.0), 10.5)}
    whole = [p for p in row.params if p.whole]
    sizes = [w for w in WINDOWS if w >= whole[0].least] if whole else [0]
    made = {}
    for place, size in enumerate(sizes):
        turns = range(MOST) if size in (0, 7) else (place,)  # all of them once, one for each of the other windows
        for params in dict.fromkeys(tuple(numbers(row, size, turn)) for turn in turns):
            if fits(row, params):
                tag = "_".join(f"{p:g}" for p in params) or "0"
                for name, series in (("prices", prices), ("changes", changes)):
                    taken = (series[0], call("quantile_bucket", series[1], 3)) if row.name.startswith("group_") else series[: row.series]
                    made[f"{row.name}_{tag}_{name}"] = call(row.name, *taken, *params)
    assert made, f"{row.name} has no example"
    return made


def fits(row: Operator, params: Sequence[float]) -> bool:
    """Whether an operator takes these together: a skewness needs three bars."""
    try:
        call(row.name, *(field(name) for name in SERIES[: row.series]), *params)
    except BadWindow:
        return False
    return True


ALL = {name: node for row in ROWS for name, node in examples(row).items()}
CROSS = {name for name, node in ALL.items() if any(n.op in OPERATORS and OPERATORS[n.op].cross for n in distinct([node]))}


def market(symbols: int, bars: int = BARS, gaps: float = 0.02, seed: int = 1) -> Array:
    """float64[T, 5, S]: prices with ties and flat stretches, gaps, a symbol that lists late."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, (bars, symbols)), axis=0)), 1)
    close[bars // 2 : bars // 2 + 12] = close[bars // 2]
    open_ = np.round(close * np.exp(rng.normal(0, 0.003, close.shape)), 1)
    volume = np.round(np.exp(rng.normal(3, 1, close.shape)))
    block = np.stack([open_, np.maximum(open_, close), np.minimum(open_, close), close, volume], axis=1)
    block[np.broadcast_to(rng.random((bars, 1, symbols)) < gaps, block.shape)] = np.nan
    if symbols > 1:
        block[: bars // 5, :, -1] = np.nan
    return block


def compiled(factors: dict[str, Node] = ALL) -> Program:
    return compile_factors(factors, timeframe=60_000, fields=FIELDS)


def run(block: Array, cuts: tuple[int, ...] = (), factors: dict[str, Node] = ALL, first: int = FIRST) -> Array:
    machine = Machine(compiled(factors), block.shape[2])
    edges = [0, *cuts, len(block)]
    return np.concatenate([machine.run(block[a:b], first + a) for a, b in pairwise(edges)])


def same(a: Array, b: Array) -> bool:
    """Equal bits; one NaN is as good as another."""
    return bool(((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))).all())


def differing(a: Array, b: Array, names: list[str]) -> list[str]:
    return [name for i, name in enumerate(names) if not same(np.ascontiguousarray(a[:, i]), np.ascontiguousarray(b[:, i]))]


def test_every_operator_has_an_oracle() -> None:
    assert {row.name for row in ROWS} == set(ORACLE)


@pytest.mark.parametrize("row", [row for row in ROWS if row.look_back((20, 20, 20)) > 0], ids=lambda row: row.name)
def test_first_value_comes_after_look_back_and_not_before(row: Operator) -> None:
    block = market(3, gaps=0.0)[:, :, :2]
    block += np.random.default_rng(5).normal(0, 0.01, block.shape)  # no ties, no flat stretch
    for name, node in examples(row).items():
        values = run(block, factors={name: node})[:, 0]
        assert np.isnan(values[: node.look_back]).all(), name
        assert not np.isnan(values[node.look_back :]).any(), name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_values_agree_with_the_definition(row: Operator) -> None:
    block = market(9)
    data = {name: block[:, i] for i, name in enumerate(FIELDS)}
    factors = examples(row)
    result = run(block, factors=factors)
    for i, (name, node) in enumerate(factors.items()):
        expected = evaluate(node, data)
        assert (np.isnan(result[:, i]) == np.isnan(expected)).all(), name
        largest = np.max(np.abs(expected), where=np.isfinite(expected), initial=1e-30)
        np.testing.assert_allclose(result[:, i], expected, rtol=1e-9, atol=1e-9 * largest, err_msg=name)


@pytest.mark.parametrize("symbols", [1, 2, 9, 50])
def test_bar_by_bar_gives_the_bits_of_one_block(symbols: int) -> None:
    block = market(symbols)
    assert differing(run(block), run(block, tuple(range(1, len(block)))), list(ALL)) == []


@settings(max_examples=25)
@given(cuts=st.sets(st.integers(1, BARS - 1), max_size=12), symbols=st.sampled_from([1, 3]), seed=st.integers(0, 3))
def test_any_cut_into_blocks_gives_the_same_bits(cuts: set[int], symbols: int, seed: int) -> None:
    block = market(symbols, seed=seed, gaps=0.05)
    assert differing(run(block), run(block, tuple(sorted(cuts))), list(ALL)) == []


@pytest.mark.parametrize("symbols", [1, 9])
def test_a_restored_machine_continues_with_the_same_bits(symbols: int) -> None:
    block, program = market(symbols), compiled()
    whole = run(block)
    for cut in (1, 63, 64, 100):
        before = Machine(program, symbols)
        before.run(block[:cut], FIRST)
        after = Machine(program, symbols)
        after.restore(before.save())
        assert after.bar == FIRST + cut
        assert after.save() == before.save()
        assert differing(after.run(block[cut:], FIRST + cut), whole[cut:], list(ALL)) == []


@settings(max_examples=12)
@given(cut=st.integers(1, BARS - 1), poison=st.sampled_from([np.nan, 1e30, -1e30, np.inf, 0.0]))
def test_what_stands_after_a_bar_changes_nothing_at_it(cut: int, poison: float) -> None:
    block = market(2)
    poisoned = block.copy()
    poisoned[cut:] = poison
    assert differing(run(block)[:cut], run(poisoned)[:cut], list(ALL)) == []


@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e300])
def test_a_bad_bar_is_gone_when_it_leaves_the_window(poison: float) -> None:
    windowed = {name: node for name, node in ALL.items() if node.op not in FORGETTING}
    reach = max(node.look_back for node in windowed.values()) + 1
    block = market(2)
    bad = block.copy()
    bad[40] = poison
    assert differing(run(block, factors=windowed)[40 + reach :], run(bad, factors=windowed)[40 + reach :], list(windowed)) == []


@pytest.mark.parametrize("start", [1, 29, 30, 31])
def test_a_late_start_gives_the_same_bits_after_its_warm_up(start: int) -> None:
    windowed = {name: node for name, node in ALL.items() if node.op not in FORGETTING}
    warm = max(node.warm_up for node in windowed.values())
    block = market(2)
    late = run(block[start:], factors=windowed, first=FIRST + start)
    assert differing(late[warm:], run(block, factors=windowed)[start + warm :], list(windowed)) == []


@pytest.mark.parametrize("name", sorted(FORGETTING - LASTING))
def test_recursive_operators_forget_where_they_began_within_their_warm_up(name: str) -> None:
    row = OPERATORS[name]
    for size in (1, 2, 14):
        node = call(name, *(field(name) for name in SERIES[: row.series]), *numbers(row, size))
        block = market(2, bars=node.warm_up + 60)
        late = run(block[40:], factors={"x": node}, first=FIRST + 40)[node.warm_up :]
        np.testing.assert_allclose(late, run(block, factors={"x": node})[40 + node.warm_up :], rtol=1e-11)


def test_a_symbol_has_the_same_bits_in_any_universe() -> None:
    own = {name: node for name, node in ALL.items() if name not in CROSS}
    block = market(50)
    whole = run(block, factors=own)
    for symbol in (0, 7, 49):
        alone = run(np.ascontiguousarray(block[:, :, symbol : symbol + 1]), factors=own)
        assert differing(alone, whole[:, :, symbol : symbol + 1], list(own)) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_factor_has_the_same_bits_alone_and_in_company(row: Operator) -> None:
    block, names = market(9), list(ALL)
    whole = run(block)
    for name, node in examples(row).items():
        assert same(np.ascontiguousarray(run(block, factors={name: node})[:, 0]), np.ascontiguousarray(whole[:, names.index(name)])), name


def test_an_unknown_symbol_leaves_the_others_as_they_are() -> None:
    block = market(9)
    more = np.concatenate([block, np.full((BARS, len(FIELDS), 3), np.nan)], axis=2)
    names = [name for name in ALL if not name.startswith("is_nan")]
    factors = {name: ALL[name] for name in names}
    assert differing(run(block, factors=factors), np.ascontiguousarray(run(more, factors=factors)[:, :, :9]), names) == []


def test_one_symbol_over_many_chunks_gives_the_same_bits_in_any_cut() -> None:
    block = market(1, bars=2_700)
    whole = run(block)
    assert differing(whole, run(block, (1, 2, 1_023, 1_024, 1_500, 2_048, 2_500)), list(ALL)) == []
    assert differing(whole, run(block, tuple(range(400, 2_700, 37)), first=FIRST), list(ALL)) == []


def test_history_may_begin_at_the_first_bar_of_all() -> None:
    block = market(3)
    assert differing(run(block, first=0), run(block, (1, 5, 90), first=0), list(ALL)) == []


@st.composite
def graphs(draw: st.DrawFn, depth: int = 4) -> Node:
    """Any operator over any others."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return field(draw(st.sampled_from(FIELDS)))
    row = draw(st.sampled_from(ROWS))
    series = [draw(graphs(depth - 1)) for _ in range(row.series)]
    size = draw(st.integers(int(max((p.least for p in row.params if p.whole), default=1)), 24))
    params = numbers(row, size, draw(st.integers(0, MOST - 1)))
    return call(row.name, *series, *(params if fits(row, params) else numbers(row, 24)))


@settings(max_examples=60)
@given(
    factors=st.lists(graphs(), min_size=1, max_size=6, unique=True),
    cuts=st.sets(st.integers(1, 219), max_size=5),
    symbols=st.sampled_from([1, 2, 9]),
)
def test_nested_operators_keep_the_laws_too(factors: list[Node], cuts: set[int], symbols: int) -> None:
    named = {f"f{i}": node for i, node in enumerate(factors)}
    block = market(symbols, bars=220, seed=len(cuts))
    whole = run(block, factors=named)
    assert differing(whole, run(block, tuple(sorted(cuts)), factors=named), list(named)) == []
    poisoned = block.copy()
    poisoned[150:] = 1e30
    assert differing(whole[:150], run(poisoned, factors=named)[:150], list(named)) == []
    lasting = {name: node for name, node in named.items() if not any(n.op in FORGETTING for n in distinct([node]))}
    late = max((node.warm_up for node in lasting.values()), default=0) + 30
    assert (
        differing(run(block[30:], factors=lasting, first=FIRST + 30)[late:], run(block, factors=lasting)[late + 30 :], list(lasting)) == []
    )
