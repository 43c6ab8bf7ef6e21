"""Each line of the corpus judged: does it look ahead when executed, is it read, does the machine give what pandas gives."""

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strategies.errors import FactorError
from strategies.factors import Machine, Node, compile_factors
from tests.corpus.execute import values
from tests.corpus.frames import FIELDS, FIRST_MS, HOUR, block, frames, replaced_after, whole_frames
from tests.corpus.places import RECORDED, SAMPLE
from tests.corpus.two_pass import two_pass

Array = NDArray[np.float64]
CUTS = (400, 10, 137, 401, 403, 510)  # where the prefix law is tried: amid full windows, in the warm-up, in a hole
RELATIVE = 1e-9
ROUNDING = 1e-12  # of the largest value in the column: what is left where a difference of two prices comes near zero


class Line(NamedTuple):
    """One function. `needs` is a library that it calls; `why` says how it looks ahead; `static`: this pandas does not run it any more."""

    id: str
    code: str
    note: str = ""
    needs: str = ""
    why: str = ""
    static: bool = False


class Verdict(NamedTuple):
    """`outcome` is equal, two-pass (equal where pandas' sums had lost digits), differs, or the code of the refusal."""

    id: str
    outcome: str
    detail: str = ""

    @property
    def good(self) -> bool:
        return self.outcome in {"equal", "two-pass"}


def lines(place: Path) -> list[Line]:
    return [Line(**json.loads(text)) for text in place.read_text(encoding="utf-8").splitlines()]


@cache
def tables(data: Path | None) -> dict[str, pd.DataFrame]:
    return frames(data)


def can_run(line: Line) -> bool:
    return not line.static and (not line.needs or importlib.util.find_spec(line.needs) is not None)


def looks_ahead(line: Line, cuts: Sequence[int] = CUTS, over: Sequence[str] = ("gaps", "flat")) -> str:
    """Where values before a cut change with what comes after it, as text; empty where they never do."""
    for name in over:
        table = tables(None)[name]
        whole = values(line.code, table)
        for cut in cuts:
            for what, other in (("cut off", table.iloc[:cut]), ("replaced", replaced_after(table, cut))):
                changed = np.flatnonzero(~_close(values(line.code, other)[:cut], whole[:cut], _largest(whole[:cut])))
                if len(changed):
                    return f"{name}: bar {changed[-1]} changes where the future from {cut} on is {what}"
    return ""


def refusal(line: Line) -> FactorError | None:
    try:
        read(line)
    except FactorError as error:
        return error
    return None


def read(line: Line) -> Node:
    from strategies.factors.pandas_code import parse_code

    return parse_code(line.code, timeframe=HOUR, fields=FIELDS)


def verdicts(chosen: list[Line], data: Path | None) -> Iterator[Verdict]:
    for line in chosen:
        try:
            node = read(line)
        except FactorError as error:
            yield Verdict(line.id, error.code, f"{error.line}:{error.column} {error.message}")
        except Exception as error:
            yield Verdict(line.id, "crash", f"{type(error).__name__}: {error}")
        else:
            yield compared(line, node, data)


def compared(line: Line, node: Node, data: Path | None) -> Verdict:
    """The machine's values beside those of pandas, on every frame; beside recorded ones where the function needs a library."""
    if line.needs:
        return _beside_recorded(line, node)
    given = machine(node, tables(data))
    plain = {name: values(line.code, table) for name, table in tables(data).items()}
    widest, lost = max(_largest(column) for column in plain.values()), False
    for i, (name, table) in enumerate(tables(data).items()):
        expected = plain[name]
        if equal(given[:, i], expected, widest):
            continue
        try:
            with two_pass():
                again = values(line.code, table)
        except AssertionError:
            again = expected
        if not equal(given[:, i], again, widest):
            return Verdict(line.id, "differs", difference(name, given[:, i], again, expected))
        lost = True
    return Verdict(line.id, "two-pass" if lost else "equal")


def _beside_recorded(line: Line, node: Node) -> Verdict:
    over = whole_frames()
    given = machine(node, over)
    with np.load(RECORDED) as recorded:
        for i, (name, table) in enumerate(over.items()):
            assert equal(table["close"].to_numpy()[SAMPLE], recorded[f"{name}/close"]), "the frames are not those that were recorded"
            if not equal(given[SAMPLE, i], recorded[f"{name}/{line.id}"]):
                expected = recorded[f"{name}/{line.id}"]
                return Verdict(line.id, "differs", difference(f"{name}, each {SAMPLE.step}th bar", given[SAMPLE, i], expected, expected))
    return Verdict(line.id, "equal")


def machine(node: Node, over: Mapping[str, pd.DataFrame]) -> Array:
    """float64[bar, symbol]"""
    program = compile_factors({"factor": node}, timeframe=HOUR, fields=FIELDS)
    return Machine(program, len(over)).run(block(dict(over)), FIRST_MS // HOUR)[:, 0]


def equal(given: Array, expected: Array, widest: float = 0.0) -> bool:
    """`widest`: the largest value on any frame. A column that never comes near it is rounding alone, and held to its size."""
    largest = _largest(expected)
    return bool(_close(given, expected, largest if largest > RELATIVE * widest else widest).all())


def difference(name: str, given: Array, expected: Array, pandas: Array) -> str:
    wrong = np.flatnonzero(~_close(given, expected, _largest(expected)))
    t = wrong[0]
    unknown = f"NaN {np.isnan(given).sum()} for {np.isnan(expected).sum()}"
    return f"{name}: {len(wrong)} bars, first {t}: {given[t]!r} for {expected[t]!r} (pandas {pandas[t]!r}); {unknown}"


def _largest(x: Array) -> float:
    return float(np.abs(x[np.isfinite(x)]).max(initial=0.0))


def _close(a: Array, b: Array, scale: float) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):
        return (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= RELATIVE * np.abs(b) + ROUNDING * scale)
