"""Sets of published factors beside the oracle that works their texts out: the same real candles for both sides."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import strategies
from strategies.factors import Machine, Node, compile_factors, parse
from tests.strategies.factors.oracle_gtja import Array, Tree
from tests.strategies.factors.oracle_published import DISCERNING, Published, read

DAY = 86_400_000
START = 1_612_137_600_000  # 2021-02-01; three of the symbols are listed later
SYMBOLS = (
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "LTCUSDT", "LINKUSDT", "DOGEUSDT", "DOTUSDT", "BCHUSDT", "ETCUSDT", "XLMUSDT",
    "TRXUSDT", "XMRUSDT", "ATOMUSDT", "UNIUSDT", "YFIUSDT", "ZECUSDT", "SFPUSDT", "ALICEUSDT", "1000SHIBUSDT",
)  # fmt: skip
CANDLES = ("open", "high", "low", "close", "volume", "turnover")
PANEL = ("cap", "sector", "industry", "subindustry")


class Row(NamedTuple):
    text: str
    dialect: str
    needs: tuple[str, ...]


def library(name: str) -> dict[str, Row]:
    lines = (Path(strategies.__file__).parent / "library" / f"{name}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: Row(row["text"], row["dialect"], tuple(row.get("needs", ()))) for row in rows}


def candles(shared_data: Path, bars: int) -> dict[str, Array]:
    """float64[T, S] by field. Prices begin at 100, so that ranks across symbols move; the money of a bar is what its volume costs at the
    mean of the four prices; sizes and classes are made up."""
    table = pd.read_parquet(shared_data / "candles/1d_perp_binance.parquet")
    table = table[table["symbol"].isin(SYMBOLS) & (table["ts_ms"] >= START) & (table["ts_ms"] < START + bars * DAY)]
    columns = {name: table.pivot(index="ts_ms", columns="symbol", values=name).to_numpy() for name in CANDLES[:5]}
    assert columns["close"].shape == (bars, len(SYMBOLS))
    scale = 100 / pd.DataFrame(columns["open"]).bfill().to_numpy()[0]
    columns = {name: column / scale if name == "volume" else column * scale for name, column in columns.items()}
    columns["turnover"] = columns["volume"] * (columns["open"] + columns["high"] + columns["low"] + columns["close"]) / 4
    columns["vwap"] = columns["turnover"] / columns["volume"]
    columns["cap"] = columns["close"] * np.linspace(1e6, 9e6, len(SYMBOLS))
    for groups, name in ((2, "sector"), (3, "industry"), (4, "subindustry")):
        columns[name] = np.tile(np.arange(len(SYMBOLS)) % groups, (bars, 1)).astype(float)
    return columns


def run(factors: Mapping[str, Node], columns: dict[str, Array]) -> dict[str, Array]:
    fields = [name for name in columns if name != "vwap"]
    block = np.stack([columns[name] for name in fields], axis=1)
    program = compile_factors(factors, timeframe=DAY, fields=fields)
    result = Machine(program, block.shape[2]).run(block, START // DAY)
    return {name: result[:, i] for i, name in enumerate(factors)}


def node(text: str, dialect: str) -> Node:
    return parse(text, dialect=dialect, timeframe=DAY, fields=(*CANDLES, *PANEL))


def apart(ours: Array, theirs: Array) -> int:
    """How many values differ by more than 1e-9 of themselves; of one that has all but cancelled, by more than 1e-12 of the largest."""
    largest = float(np.max(np.abs(theirs), initial=0.0, where=np.isfinite(theirs)))
    return int((~np.isclose(ours, theirs, rtol=1e-9, atol=1e-12 * largest, equal_nan=True)).sum())


class Compared:
    """Both sides of a set. `apart` differ; `settled` works them out once more, with what a rank orders as the machine has it."""

    def __init__(self, rows: dict[str, Row], calls: Mapping[str, Callable[..., Array]], columns: dict[str, Array]) -> None:
        self.rows, self.calls, self.columns = rows, calls, columns
        self.ours = run({name: node(row.text, row.dialect) for name, row in rows.items()}, columns)
        oracle = Published(calls, columns)
        self.theirs = {name: oracle.value(read(row.text)) for name, row in rows.items()}
        self.apart = [name for name in rows if apart(self.ours[name], self.theirs[name])]

    def agree(self) -> int:
        """How many agree at once. The others must once both sides rank the same numbers, which themselves must agree to 1e-11.

        A rank of two numbers that are equal up to rounding is another rank, however they were worked out."""
        for name in self.apart:
            assert DISCERNING & {t.what for t in read(self.rows[name].text).every()}, name
            assert not apart(self.ours[name], self.settled(name)), name
        return len(self.rows) - len(self.apart)

    def settled(self, name: str) -> Array:
        tree, dialect = read(self.rows[name].text), self.rows[name].dialect
        parts = {t.text(): t for t in tree.every() if t.kind != "number" and not t.what.startswith("indclass") and _reads(t)}
        machine = run({text: node(text, dialect) for text in parts}, self.columns)

        def settle(argument: Tree, value: Array) -> Array:
            found = machine.get(argument.text(), value)
            scale = float(np.max(np.abs(value), initial=0.0, where=np.isfinite(value)))
            np.testing.assert_allclose(found, value, rtol=1e-11, atol=1e-11 * scale, err_msg=f"{name}: {argument.text()}")
            return found

        return Published(self.calls, self.columns, settle).value(tree)


def _reads(tree: Tree) -> bool:
    return any(t.kind == "name" for t in tree.every())
