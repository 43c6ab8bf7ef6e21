"""Values of factors over a market, by the machine that trades: the only place where research computes a formula.

The rule: neither what else is computed in the same pass nor how bars are cut into blocks changes a value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bot.compiling import announce
from bot.research.market import Market
from feeds.bars import Array
from strategies.factors import Machine, Node, compile_factors, field

BLOCK_VALUES = 1 << 22  # values that one call of the machine reads and writes
GROUP_BYTES = 64 << 20  # of the values of factors that are held at once
Progress = Callable[[int, int], None]


def batches(market: Market, count: int, copies: int = 1) -> Iterator[tuple[int, int]]:
    """Which of `count` factors are computed together, [first, end): as many as memory allows; what they share is computed once.

    copies  of the values that are held at once
    """
    size = max(1, GROUP_BYTES // (8 * market.rows * len(market.symbols) * copies))
    for first in range(0, count, size):
        yield first, min(count, first + size)


def factor_values(market: Market, nodes: Sequence[Node], say: Progress | None = None) -> Array:
    """float64[F, T, S]: each factor at each close, NaN where it is not known.

    Raises FactorError naming the factor that reads what the market lacks.
    """
    program = compile_factors({str(i): node for i, node in enumerate(nodes)}, timeframe=market.timeframe, fields=market.columns)
    announce()
    machine = Machine(program, len(market.symbols))
    out = np.empty((len(nodes), market.rows, len(market.symbols)))
    names = program.fields
    block = max(64, BLOCK_VALUES // (len(market.symbols) * (len(names) + len(nodes))))
    with ThreadPoolExecutor(1) as pool:
        for start in range(0, market.rows, block):
            stop = min(start + block, market.rows)
            inputs = market.inputs(names, start, stop) if names else np.empty((stop - start, 0, len(market.symbols)))
            out[:, start:stop] = machine.run(inputs, market.first + start, pool=pool).transpose(1, 0, 2)
            if say is not None:
                say(stop, market.rows)
    return out


def over_time(values: Array, formulas: Mapping[str, Node], timeframe: int, first: int = 0) -> dict[str, Array]:
    """Formulas of the one field `x`, over panels side by side.

    values  float64[T, ...]: every column is a series of its own
    Returns float64[T, ...] for each formula.
    """
    program = compile_factors(formulas, timeframe=timeframe, fields=("x",))
    rows = values.shape[0]
    flat = np.ascontiguousarray(values).reshape(rows, 1, -1)
    announce()
    machine = Machine(program, flat.shape[2])
    result = machine.run(flat, first)
    return {name: np.ascontiguousarray(result[:, i]).reshape(values.shape) for i, name in enumerate(formulas)}


X = field("x")
