"""Probes of causality run over factors, and what they found as a document.

The rule: a finding says how many values it is about, so that a probe that had nothing to look at never passes for one that saw nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bot.compiling import announce
from bot.research import probes
from bot.research.probes import Array, Drift, Rows, Tally
from strategies.factors import Machine, Node, Program, compile_factors
from strategies.factors.check import distinct
from strategies.factors.operators import OPERATORS

PASS, FAIL, NOTE, SKIPPED = "pass", "fail", "note", "skipped"
LENGTHS = (199, 399, 499, 999, 1_999)  # bars of history that users know from other engines' drift analysis
PRICES = ("open", "high", "low", "close", "vwap", "turnover")
AMOUNTS = ("volume", "turnover")
UNIT = 1024.0  # a power of two: to scale by it rounds nothing
TOGETHER = 32  # factors of one program


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe found of one output.

    result     pass, fail, note (worth knowing, and no fault), skipped
    values     how many were compared;  differing: of them
    worst      largest difference relative to the value; None where one of the two is not known
    first      where the first difference is: row of the data, symbol, and the row from which on nothing was known
    """

    probe: str
    result: str
    values: int = 0
    differing: int = 0
    worst: float | None = 0.0
    first: dict[str, Any] | None = None
    detail: str = ""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A factor, a signal or a score under all probes. drift: by bars of history, the worst relative difference (None: not known)."""

    id: str | int
    ok: bool
    canonical: str
    warm_up: int
    bars: int
    symbols: tuple[str, ...]
    known: int
    probes: tuple[Finding, ...]
    drift: tuple[dict[str, Any], ...]


class Settings(NamedTuple):
    """cuts  places at which history is cut;  lengths: of history, for drift ((): those that suit the warm-up)"""

    cuts: int = 40
    seed: int = 0
    lengths: tuple[int, ...] = ()


class Sheet(NamedTuple):
    """What factors are checked on. times  of the rows, by their index in `rows`."""

    rows: Rows
    fields: tuple[str, ...]
    symbols: tuple[str, ...]
    timeframe: int


def check_factors(
    nodes: Mapping[str | int, Node], sheet: Sheet, settings: Settings, say: Callable[[int, int], None] = lambda done, total: None
) -> list[Checked]:
    """Every factor under every probe, in order. `say` hears of (factors done, factors in all)."""
    announce()
    names, checked = list(nodes), []
    for start in range(0, len(names), TOGETHER):
        part = names[start : start + TOGETHER]
        checked += _Part({name: nodes[name] for name in part}, sheet, settings).checked()
        say(len(checked), len(names))
    return checked


class _Part:
    """Factors that are computed together."""

    def __init__(self, nodes: Mapping[str | int, Node], sheet: Sheet, settings: Settings) -> None:
        self.nodes, self.sheet, self.settings = nodes, sheet, settings
        self.program: Program = compile_factors(
            {str(i): node for i, node in enumerate(nodes.values())}, timeframe=sheet.timeframe, fields=sheet.fields
        )
        self.rng = np.random.default_rng(settings.seed)
        used = [sheet.fields.index(name) for name in self.program.fields]
        self.data = Rows(np.ascontiguousarray(sheet.rows.values[:, used]), sheet.rows.first)
        self.whole = self.evaluate(self.data)

    def evaluate(self, data: Rows) -> Array:
        return Machine(self.program, data.values.shape[2]).run(data.values, data.first)

    def stream(self, parts: Sequence[Rows]) -> Array:
        machine = Machine(self.program, self.data.values.shape[2])
        return np.concatenate([machine.run(part.values, part.first) for part in parts])

    def resumed(self, before: Rows, after: Rows) -> Array:
        first, second = (Machine(self.program, self.data.values.shape[2]) for _ in range(2))
        first.run(before.values, before.first)
        second.restore(first.save())
        return second.run(after.values, after.first)

    def checked(self) -> list[Checked]:
        data, whole, rng = self.data, self.whole, self.rng
        cuts = probes.places(whole, self.settings.cuts, rng, data.holes())
        inner = [cut for cut in cuts if cut < data.rows][:: max(1, len(cuts) // 8)]
        tallies = {
            "truncation": probes.truncation(self.evaluate, data, whole, cuts),
            "future poisoned": probes.poisoning(self.evaluate, data, whole, cuts, rng),
            "bar by bar and any cut": probes.cutting(self.stream, data, whole, rng),
            "saved and restored": probes.restoring(self.resumed, data, whole, inner),
        }
        order = probes.reordering(self.evaluate, data, whole, rng) if len(self.sheet.symbols) > 1 else None
        width = probes.narrowing(self.evaluate, data, whole) if len(self.sheet.symbols) > 1 else None
        warm = max(node.warm_up for node in self.nodes.values())
        drift = probes.drift(self.evaluate, data, whole, self.settings.lengths or lengths(warm, data.rows))
        starts = [start for start in (data.rows // 10, data.rows // 3) if start]
        settled = probes.settling(self.evaluate, data, whole, starts)
        scales = {word: self._scaled(fields) for word, fields in (("price", PRICES), ("volume", AMOUNTS))}
        return [
            self._one(i, name, node, tallies, order, width, drift, settled, scales, data.rows - max(starts, default=0))
            for i, (name, node) in enumerate(self.nodes.items())
        ]

    def _scaled(self, fields: Sequence[str]) -> list[str]:
        places = [i for i, name in enumerate(self.program.fields) if name in fields]
        return probes.scaling(self.whole, self.evaluate(self.data.scaled(places, UNIT)), UNIT)

    def _one(
        self, i: int, name: str | int, node: Node, tallies: dict[str, Tally], order: Tally | None, width: Tally | None, drift: Drift,
        settled: Any, scales: dict[str, list[str]], room: int,
    ) -> Checked:  # fmt: skip
        known = int((~np.isnan(self.whole[:, i])).sum())
        symbols = self.sheet.symbols
        found = [finding(probe, tally, i, symbols) for probe, tally in tallies.items()]
        if known:
            found += [_started(int(settled[i]), node, room), *_universe(i, node, order, width, symbols)]
            found.append(_drifted(i, node, drift))
            found += [Finding(probe=f"unit of {word}", result=NOTE, values=known, detail=said[i]) for word, said in scales.items()]
        return Checked(
            id=name, ok=all(one.result != FAIL for one in found), canonical=node.text, warm_up=node.warm_up, bars=self.data.rows,
            symbols=symbols, known=known, probes=tuple(found), drift=tuple(drift_rows(drift, i)),
        )  # fmt: skip


def lengths(warm_up: int, rows: int) -> list[int]:
    """Bars of history that say how much a value depends on it: the warm-up and multiples, and what users know from elsewhere."""
    wanted = {*LENGTHS, *(warm_up * times for times in (1, 2, 4) if warm_up)}
    return sorted(length for length in wanted if length + 1 < rows)


def finding(probe: str, tally: Tally, output: int, symbols: Sequence[str]) -> Finding:
    """A tally of an output as a finding: any difference is a fault."""
    compared, differing = int(tally.compared[output]), int(tally.differing[output])
    if not compared:
        return Finding(probe=probe, result=SKIPPED, detail="no value is known where it could be compared")
    first, at = None, tally.first[output]
    if at is not None:
        row, symbol, cut = at
        first = {"row": row, "symbol": symbols[symbol] if symbol < len(symbols) else str(symbol), "cut": cut}
    worst = float(tally.worst[output])
    return Finding(
        probe=probe, result=FAIL if differing else PASS, values=compared, differing=differing, first=first,
        worst=worst if np.isfinite(worst) else None, detail=f"{tally.trials} trials",
    )  # fmt: skip


def drift_rows(drift: Drift, output: int) -> list[dict[str, Any]]:
    """The table of an output, a row a length; worst None: it is not known with so little history."""
    rows = []
    for length, places, worst in zip(drift.lengths, drift.places, drift.worst[:, output].tolist(), strict=True):
        there = worst == worst  # NaN: nothing was known at these places, whatever the history
        rows.append({"bars": length, "places": places if there else 0, "worst": worst if np.isfinite(worst) else None})
    return rows


def _traits(node: Node) -> tuple[bool, bool, bool]:
    """Whether it works across symbols, since the beginning, and with a memory that fades."""
    rows = [OPERATORS[each.op] for each in distinct([node]) if each.op in OPERATORS]
    return any(row.cross for row in rows), any(row.anchored for row in rows), node.warm_up != node.look_back


def _started(settled: int, node: Node, room: int) -> Finding:
    """Begun late, a factor must be what it always was once its warm-up is over."""
    _, anchored, recursive = _traits(node)
    if anchored:
        said = "never" if settled < 0 else f"after {settled:,} bars here"
        return Finding(probe="late start", result=NOTE, detail=f"depends on where history begins: the same again {said}")
    if node.warm_up >= room:
        return Finding(probe="late start", result=SKIPPED, detail=f"its warm-up of {node.warm_up:,} bars is longer than the data")
    late = settled < 0 or settled > node.warm_up
    said = "never the same again" if settled < 0 else f"the same after {settled:,} bars"
    result = (NOTE if recursive else FAIL) if late else PASS
    return Finding(probe="late start", result=result, values=room, detail=f"{said}, declares {node.warm_up:,}")


def _drifted(i: int, node: Node, drift: Drift) -> Finding:
    """With its warm-up before it, a value must be that of the whole history."""
    _, anchored, recursive = _traits(node)
    told = [(length, worst) for length, worst in zip(drift.lengths, drift.worst[:, i].tolist(), strict=True) if length >= node.warm_up]
    known = [(length, worst) for length, worst in told if worst == worst]
    if not known:
        return Finding(probe="drift by warm-up", result=SKIPPED, detail="the data are too short for its warm-up")
    length, worst = known[0]
    off = worst > probes.NEAR
    result = PASS if not off else NOTE if anchored or recursive else FAIL
    said = "depends on where history begins" if anchored else f"at {length:,} bars of history"
    return Finding(
        probe="drift by warm-up", result=result, values=sum(drift.places), worst=worst if np.isfinite(worst) else None, detail=said
    )


def _universe(i: int, node: Node, order: Tally | None, width: Tally | None, symbols: Sequence[str]) -> list[Finding]:
    if order is None or width is None:
        return [Finding(probe="order of symbols", result=SKIPPED, detail="one symbol")]
    found = [finding("order of symbols", order, i, symbols)]
    if _traits(node)[0]:
        found.append(Finding(probe="width of universe", result=NOTE, detail="works across symbols: its values depend on who else is there"))
    else:
        found.append(finding("width of universe", width, i, symbols))
    return found
