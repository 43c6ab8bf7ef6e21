"""KunQuant, where it is installed with a C++ compiler: our graphs in its operators, over blocks and bar by bar."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategies.factors import Node
from strategies.factors.graph import CONST, FIELD

Array = NDArray[np.float64]
Engine = Callable[[Mapping[str, Array]], dict[str, Array]]  # float64[T, S] by field -> float64[T, S] by factor


def usable() -> bool:
    return shutil.which("g++") is not None


def engines(sets: Mapping[str, Mapping[str, Node]]) -> dict[str, Engine]:
    """One engine for each set of factors that it has all operators of; its modules are compiled here, together."""
    made = {}
    for name, factors in sets.items():
        try:
            made[name] = _module(name, factors, "TS")
        except KeyError:
            continue
    library = _compiled(list(made.values()))
    from KunQuant.runner import KunRunner

    executor = KunRunner.createSingleThreadExecutor()

    def engine(name: str) -> Engine:
        module, results = library.getModule(name), {}

        def run(data: Mapping[str, Array]) -> dict[str, Array]:
            shape = next(iter(data.values())).shape
            for factor in sets[name]:
                if factor not in results or results[factor].shape != shape:
                    results[factor] = np.empty(shape)
            KunRunner.runGraph(executor, module, dict(data), 0, shape[0], results)
            return results

        run.library = library  # type: ignore[attr-defined]
        return run

    return {name: engine(name) for name in made}


def stream(factors: Mapping[str, Node], symbols: int) -> Callable[[Mapping[str, Array]], Array]:
    """A step: one row a field -> float64[factor, S]. `symbols` must be divisible by 8."""
    library = _compiled([_module("stream", factors, "STREAM")])
    from KunQuant.runner import KunRunner

    context = KunRunner.StreamContext(KunRunner.createSingleThreadExecutor(), library.getModule("stream"), symbols)
    fields = sorted({node.text for root in factors.values() for node in _all(root) if node.op == FIELD})
    inputs = {name: context.queryBufferHandle(name) for name in fields}
    outputs = [context.queryBufferHandle(name) for name in factors]
    result = np.empty((len(factors), symbols))

    def step(bar: Mapping[str, Array]) -> Array:
        for name, handle in inputs.items():
            context.pushData(handle, bar[name])
        context.run()
        for i, handle in enumerate(outputs):
            result[i] = context.getCurrentBuffer(handle)
        return result

    step.library = library  # type: ignore[attr-defined]
    return step


def _all(node: Node) -> list[Node]:
    return [node, *(part for argument in node.args for part in _all(argument))]


def _compiled(modules: list[Any]) -> Any:
    from KunQuant.jit import cfake

    return cfake.compileit(modules, "bench", cfake.CppCompilerConfig(), tempdir=tempfile.mkdtemp())


def _module(name: str, factors: Mapping[str, Node], layout: str) -> Any:
    """(name, function, options) as its compiler wants it; KeyError for an operator that it lacks."""
    from KunQuant.Driver import KunCompilerConfig
    from KunQuant.Op import Builder, Output
    from KunQuant.Stage import Function

    builder, done = Builder(), {}
    with builder:
        for factor, graph in factors.items():
            Output(_translated(graph, done), factor)
    whole = layout != "STREAM"
    options = {"opt_reduce": whole, "fast_log": True} | ({"no_fast_stat": "no_warn"} if whole else {})
    config = KunCompilerConfig(
        dtype="double", input_layout=layout, output_layout=layout, partition_factor=3 if whole else 8,
        allow_unaligned=True if whole else None, options=options,
    )  # fmt: skip
    return name, Function(builder.ops), config


def _translated(node: Node, done: dict[Node, Any]) -> Any:
    from KunQuant import ops
    from KunQuant.Op import ConstantOp, Input, Rank

    if node not in done:
        if node.op == FIELD:
            done[node] = Input(node.text)
        elif node.op == CONST:
            done[node] = ConstantOp(node.params[0])
        elif node.op == "rsi":
            done[node] = _rsi(_translated(node.args[0], done), node.params[0])
        elif node.op == "rank":
            done[node] = Rank(_translated(node.args[0], done))
        else:
            arguments = [_translated(a, done) for a in node.args]
            done[node] = _operators(ops)[node.op](*arguments, *node.params)
    return done[node]


def _operators(k: Any) -> dict[str, Callable[..., Any]]:
    from KunQuant.Op import ConstantOp

    return {
        "add": k.Add, "sub": k.Sub, "mul": k.Mul, "div": k.Div, "neg": lambda a: k.Sub(ConstantOp(0), a), "abs": k.Abs, "log": k.Log,
        "sign": k.Sign, "gt": k.GreaterThan, "lt": k.LessThan, "where": k.Select, "max": k.Max, "min": k.Min, "delay": k.BackRef,
        "ts_sum": k.WindowedSum, "ts_mean": k.WindowedAvg, "ts_std": k.WindowedStddev, "ts_min": k.WindowedMin, "ts_max": k.WindowedMax,
        "ts_argmin": k.TsArgMin, "ts_argmax": k.TsArgMax, "ts_corr": lambda x, y, n: k.WindowedCorrelation(x, n, y),
        "ts_cov": lambda x, y, n: k.WindowedCovariance(x, n, y), "ts_rank": lambda x, n: k.Div(k.TsRank(x, n), ConstantOp(n)),
        "decay_linear": k.DecayLinear, "ema": k.ExpMovingAvg, "ts_skew": k.WindowedSkew,
    }  # fmt: skip


def _rsi(x: Any, n: float) -> Any:
    from KunQuant import ops as k
    from KunQuant.Op import ConstantOp

    change = k.Sub(x, k.BackRef(x, 1))
    rise, fall = k.Max(change, ConstantOp(0)), k.Max(k.Sub(ConstantOp(0), change), ConstantOp(0))
    ratio = k.Div(k.ExpMovingAvg(rise, 2 * n - 1), k.ExpMovingAvg(fall, 2 * n - 1))
    return k.Sub(ConstantOp(100), k.Div(ConstantOp(100), k.Add(ConstantOp(1), ratio)))
