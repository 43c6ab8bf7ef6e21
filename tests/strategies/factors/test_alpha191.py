"""Guotai Junan's 191 factors as printed: read by the dialect, and worked out by the machine as the printed text itself says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import strategies
from strategies.errors import FactorError
from strategies.factors import Machine, Node, compile_factors, parse
from tests.strategies.factors.oracle_gtja import DISCERNING, Oracle, Tree, read

Array = NDArray[np.float64]

DAY = 86_400_000
START = 1_612_137_600_000  # 2021-02-01; two of the symbols are listed within the six weeks after it
BARS = 480
FIELDS = ("open", "high", "low", "close", "volume", "turnover", "benchmark_open", "benchmark_close")
PRINTED = {"turnover": "AMOUNT", "benchmark_open": "BANCHMARKINDEXOPEN", "benchmark_close": "BANCHMARKINDEXCLOSE"}
LIBRARY = Path(strategies.__file__).parent / "library" / "alpha191.jsonl"
ROWS = {row["id"]: row for row in map(json.loads, LIBRARY.read_text().splitlines())}
READABLE = {name: row["text"] for name, row in ROWS.items() if "refused" not in row}


def gtja(text: str) -> Node:
    return parse(text, dialect="gtja", timeframe=DAY, fields=FIELDS)


def sluice(text: str) -> Node:
    return parse(text, timeframe=DAY, fields=FIELDS, units=False)


@pytest.fixture(scope="module")
def columns(shared_data: Path) -> dict[str, Array]:
    """float64[T, S] by printed name. Prices begin at 100, so that ranks across symbols move; Bitcoin is the benchmark; the money of a bar
    is what its volume costs at the mean of the four prices."""
    table = pd.read_parquet(shared_data / "candles/1d_perp_binance.parquet")
    listed = table.groupby("symbol")["ts_ms"].min()
    table = table[table["symbol"].isin(listed.index[listed < START + 42 * DAY]) & (table["ts_ms"] >= START)]
    wide = {name: table.pivot(index="ts_ms", columns="symbol", values=name).iloc[:BARS] for name in FIELDS[:5]}
    assert list(wide["close"].index) == [START + DAY * n for n in range(BARS)]
    scale = 100 / wide["open"].bfill().iloc[0]
    prices = {name: wide[name] * scale for name in FIELDS[:4]}
    fields = {name: frame.to_numpy() for name, frame in (prices | {"volume": wide["volume"] / scale}).items()}
    fields["turnover"] = fields["volume"] * (fields["open"] + fields["high"] + fields["low"] + fields["close"]) / 4
    for name in ("open", "close"):
        fields[f"benchmark_{name}"] = np.repeat(prices[name][["BTCUSDT"]].to_numpy(), len(scale), axis=1)
    return {PRINTED.get(name, name.upper()): fields[name] for name in FIELDS} | {"VWAP": fields["turnover"] / fields["volume"]}


def run(factors: dict[str, Node], columns: dict[str, Array]) -> dict[str, Array]:
    block = np.stack([columns[PRINTED.get(name, name.upper())] for name in FIELDS], axis=1)
    program = compile_factors(factors, timeframe=DAY, fields=FIELDS)
    result = Machine(program, block.shape[2]).run(block, START // DAY)
    return {name: result[:, i] for i, name in enumerate(factors)}


def largest(values: Array) -> float:
    return float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))


def differing(ours: Array, theirs: Array) -> int:
    """How many values differ by more than 1e-9 of themselves; of one that has all but cancelled, by more than 1e-12 of the largest."""
    near = np.isclose(ours, theirs, rtol=1e-9, atol=1e-12 * largest(theirs), equal_nan=True)
    return int((~near).sum())


def test_191_texts_are_there_and_all_but_two_are_read() -> None:
    assert list(ROWS) == [f"gtja_{n:03}" for n in range(1, 192)]
    assert {row["dialect"] for row in ROWS.values()} == {"gtja"}
    for text in READABLE.values():
        assert gtja(text).look_back > 0 or "DELAY" not in text
    assert sorted(set(ROWS) - set(READABLE)) == ["gtja_030", "gtja_143"]


@pytest.mark.parametrize(("name", "code", "word"), [("gtja_030", "arity", "regresi"), ("gtja_143", "unknown_name", "self")])
def test_what_needs_other_data_or_itself_is_refused_by_name(name: str, code: str, word: str) -> None:
    with pytest.raises(FactorError, match=word) as refusal:
        gtja(ROWS[name]["text"])
    assert refusal.value.code == code
    assert ROWS[name]["text"].lower().find(word) == refusal.value.column - 1


def test_a_row_says_which_fields_it_needs_beyond_candles() -> None:
    for name, text in READABLE.items():
        assert set(ROWS[name].get("needs", ())) == {f for f in gtja(text).inputs() if f.startswith("benchmark")}, name


class Compared:
    """Both sides of every readable text. Those in `apart` differ; `settled` says what remains once both order the same numbers."""

    def __init__(self, columns: dict[str, Array]) -> None:
        self.columns = columns
        self.ours = run({name: gtja(text) for name, text in READABLE.items()}, columns)
        oracle = Oracle(columns)
        self.theirs = {name: oracle.value(read(text)) for name, text in READABLE.items()}
        self.apart = [name for name in READABLE if differing(self.ours[name], self.theirs[name])]

    def settled(self, name: str) -> Array:
        """The oracle's value where what each rank and comparison orders is the machine's own number; that number must agree to 1e-11."""
        tree = read(READABLE[name])
        machine = run({t.text(): gtja(t.text()) for t in tree.every() if reads_a_field(t)}, self.columns)

        def settle(argument: Tree, value: Array) -> Array:
            found = machine.get(argument.text(), value)
            np.testing.assert_allclose(found, value, rtol=1e-11, atol=1e-11 * largest(value), err_msg=argument.text())
            return found

        return Oracle(self.columns, settle).value(tree)


def reads_a_field(tree: Tree) -> bool:
    return any(t.kind == "name" and t.what != "SEQUENCE" for t in tree.every())


@pytest.fixture(scope="module")
def compared(columns: dict[str, Array]) -> Compared:
    return Compared(columns)


def test_values_agree_with_the_printed_text(compared: Compared) -> None:
    """A rank of numbers that are equal up to rounding is another rank: such texts agree once both sides rank the same numbers."""
    for name in compared.apart:
        assert DISCERNING & {t.what for t in read(READABLE[name]).every()}, name
        assert not differing(compared.ours[name], compared.settled(name)), name
    assert len(READABLE) - len(compared.apart) >= 170
    assert len(READABLE) >= 185


def test_every_text_says_something_on_real_candles(compared: Compared) -> None:
    assert [name for name, value in compared.ours.items() if np.isnan(value).all()] == []


@pytest.mark.parametrize(
    ("printed", "canonical"),
    [
        ("CLOSE=DELAY(CLOSE,1)?0:1", "where(close == delay(close, 1), 0, 1)"),
        ("COUNT(CLOSE>OPEN & HIGH>=LOW | VOLUME==0,5)", "ts_count(close > open and high >= low or volume == 0, 5)"),
        ("COUNT((CLOSE>OPEN)OR(CLOSE<LOW),5)", "ts_count(close > open or close < low, 5)"),
        ("MAX(VWAP-CLOSE,3)", "max(vwap - close, 3)"),
        ("MIN(CLOSE,OPEN)", "min(close, open)"),
        ("SMA(CLOSE,13,2)", "sma_recursive(close, 13, 2)"),
        ("WMA(CLOSE,12)", "decay_exp(close, 12, 0.9)"),
        ("DECAYLINEAR(CLOSE,12)", "decay_linear(close, 12)"),
        ("REGBETA(CLOSE,SEQUENCE(20))", "ts_slope(close, 20)"),
        ("REGBETA(CLOSE,SEQUENCE,20)", "ts_slope(close, 20)"),
        ("REGBETA(CLOSE,SEQUENCE(20),20)", "ts_slope(close, 20)"),
        ("REGBETA(CLOSE,OPEN,20)", "ts_beta(close, open, 20)"),
        ("REGRESI(CLOSE,OPEN,20)", "ts_resid_on(close, open, 20)"),
        ("REGRESI(CLOSE,SEQUENCE(20))", "ts_resid(close, 20)"),
        ("SUMIF(CLOSE,9,OPEN>LOW)", "ts_sum_if(close, open > low, 9)"),
        ("SUMAC(CLOSE,9)", "ts_sum(close, 9)"),
        ("FILTER(CLOSE,OPEN>LOW)", "where(open > low, close, 0)"),
        ("HIGHDAY(HIGH,20)-LOWDAY(LOW,20)", "bars_since_max(high, 20) - bars_since_min(low, 20)"),
        ("COVIANCE(RANK(HIGH),RANK(VOLUME),5)", "ts_cov(rank(high), rank(volume), 5)"),
        ("RANK(CLOSE)^DELAT(CLOSE,5)", "power(rank(close), delta(close, 5))"),
        ("(CLOSE/OPEN)^5", "power(close / open, 5)"),
        ("CLOSE^0.5.*VOL./AMOUNT", "close**0.5 * volume / turnover"),
        ("RET+BANCHMARKINDEXCLOSE", "returns + benchmark_close"),
        ("DELAY(CLOSE)", "delay(close, 1)"),
        ("CLOSE/OPEN;", "close / open"),
    ],
)
def test_the_notation_means(printed: str, canonical: str) -> None:
    assert gtja(printed).text == sluice(canonical).text
    assert sluice(gtja(printed).text) is gtja(printed)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DELAY(CLOSE,-1)", "look_ahead"),
        ("DELTA(CLOSE,-5)", "look_ahead"),
        ("STD(ABS(CLOSE-OPEN))", "look_ahead"),
        ("MEAN(CLOSE)", "look_ahead"),
        ("MAX(SUMAC(CLOSE-MEAN(CLOSE,48)))", "look_ahead"),
        ("SMA(CLOSE,12)", "arity"),
        ("REGBETA(CLOSE,SEQUENCE(6),20)", "unknown_name"),
        ("CLOSE/MEAN(CLOSE,VOLUME)", "window"),
        ("SMA(CLOSE,2,3)", "window"),
        ("CLOSE<OPEN<HIGH", "syntax"),
    ],
)
def test_what_the_notation_cannot_say_is_refused(text: str, code: str) -> None:
    with pytest.raises(FactorError) as refusal:
        gtja(text)
    assert refusal.value.code == code
