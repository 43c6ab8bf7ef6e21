"""A replay of real bars and its page: every figure there worked out again from the store by other means, and the run had again from it."""

import json
import os
import sqlite3
import struct
import subprocess
import sys
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feeds.times import millis

ROOT = Path(__file__).parents[2]
CONFIG = """
[strategy]
entry_threshold = 0.2
exit_threshold = 0.05
min_confidence = 0.3
[strategy.factors]
reversal = "-zscore(close, 60)"
trend = "momentum_4h"
[trading]
cool_down_bars = 5
stop_loss = 0.004
take_profit = 0.006
"""


class Tables(HTMLParser):
    """The tables of a page by their titles, and the text of every `code`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.codes: list[str] = []
        self._title, self._into = "", ""
        self._rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "h2":
            self._title, self._into = "", "h2"
        elif tag == "table":
            self._rows = self.tables.setdefault(self._title, [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._into = "cell"
        elif tag == "code":
            self.codes.append("")
            self._into += "code"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h2", "td", "th", "code"):
            self._into = "cell" if (tag, self._into) == ("code", "cellcode") else ""

    def handle_data(self, data: str) -> None:
        if self._into == "h2":
            self._title += data
        if self._into.startswith("cell"):
            self._rows[-1][-1] += data
        if self._into.endswith("code"):
            self.codes[-1] += data


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> tuple[Path, dict[str, Any]]:
    """A folder whose name a shell would trip over, with a store and a page in it; and the replay's document."""
    folder = tmp_path_factory.mktemp("it's $HOME & more")
    bars = pd.read_parquet(shared_data / "candles/1m_spot_binance/BTCUSDT.parquet")
    bars[(bars.ts_ms >= millis("2023-10-20")) & (bars.ts_ms < millis("2023-11-05"))].to_parquet(folder / "BTCUSDT.parquet")
    (folder / "my config.toml").write_text(CONFIG)
    words = ["--config", "my config.toml", "--candles", "BTCUSDT.parquet", "--funding", str(shared_data / "derivs/funding_rates.parquet"),
             "--from", "2023-10-22", "--seed", "3", "--store", "r.db", "--html", "r.html"]  # fmt: skip
    environment = os.environ | {"SLUICE__TRADING__COOL_DOWN_BARS": "4", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "bot", "replay", "--json", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture(scope="module")
def page(replayed: tuple[Path, dict[str, Any]]) -> Tables:
    return Tables((replayed[0] / "r.html").read_text(encoding="utf-8"))


@pytest.fixture
def books(replayed: tuple[Path, dict[str, Any]]):  # type: ignore[no-untyped-def]
    conn = sqlite3.connect(replayed[0] / "r.db")
    yield conn
    conn.close()


def test_the_command_on_the_page_gives_the_same_digest_from_anywhere(
    replayed: tuple[Path, dict[str, Any]], page: Tables, tmp_path: Path
) -> None:
    (command,) = [code for code in page.codes if "sluice replay" in code]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} --json"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["digest"] == replayed[1]["digest"] and again["fills"] == replayed[1]["fills"] > 50
    assert replayed[1]["digest"] in page.codes


def test_months_and_the_deepest_fall_are_those_of_the_account(page: Tables, books: sqlite3.Connection) -> None:
    equity = pd.read_sql("SELECT bar_ms, equity FROM equity ORDER BY bar_ms", books)
    levels = pd.Series(equity.equity.to_numpy(), pd.to_datetime(equity.bar_ms - 1, unit="ms"))
    ends = pd.concat([pd.Series([10_000.0]), levels.groupby(levels.index.to_period("M")).last()])
    wanted = [f"{100 * value:+.2f}%" for value in ends.pct_change().dropna()]
    head, row = page.tables["Returns by month"]
    assert [row[head.index(month)] for month in ("Oct", "Nov")] == wanted
    fall = (levels / np.maximum(levels.cummax(), 10_000.0) - 1).min()
    figures = {line[0]: line[1] for line in page.tables["Metrics"]}
    assert figures["Maximum drawdown"] == f"{100 * fall:+.2f}%"
    assert figures["Total return"] == f"{100 * (levels.iloc[-1] / 10_000 - 1):+.2f}%"


def test_costs_are_those_of_the_fills(replayed: tuple[Path, dict[str, Any]], page: Tables, books: sqlite3.Connection) -> None:
    fills = books.execute("SELECT price, quantity, fee, slippage, maker FROM fills").fetchall()
    paid = {line[0]: Decimal(line[1].replace(",", "")) for line in page.tables["Costs"][1:]}
    taker = sum(Decimal(fee) for _, _, fee, _, maker in fills if not maker)
    lost = sum(Decimal(slippage) for *_, slippage, _ in fills)
    funding = sum(Decimal(row[0]) for row in books.execute("SELECT payment FROM funding"))
    assert paid["Fees, taker"] == round(taker, 2) and paid["Funding"] == round(funding, 2) != 0
    parts = sum(paid[name] for name in ("Half the spread", "Slippage", "Impact", "Move until met"))
    assert abs(parts - lost) <= Decimal("0.02")
    bars = pd.read_parquet(replayed[0] / "BTCUSDT.parquet").set_index("ts_ms")
    rows = books.execute("SELECT filled_ms, at, price, quantity, side FROM fills WHERE maker = 0").fetchall()
    impact = spread = 0.0
    for _, at, price, quantity, side in rows:  # as docs/fills.md has it: 1 bps spread, 1 bps slippage, 100 bps impact
        share = 100e-4 * np.sqrt(min(1.0, float(quantity) / bars.volume[at - 60_000]))
        touched = float(price) / (1 + (1 if side == "BUY" else -1) * (1.5e-4 + share)) * float(quantity)
        impact, spread = impact + touched * share, spread + touched * 0.5e-4
    assert float(paid["Impact"]) == pytest.approx(impact, abs=0.01) and float(paid["Half the spread"]) == pytest.approx(spread, abs=0.01)


def test_what_signals_earned_adds_up_to_the_account(page: Tables, books: sqlite3.Connection) -> None:
    lines = [(line[0], float(line[3].replace(",", ""))) for line in page.tables["Contribution by signal"][1:]]
    *parts, (name, whole) = lines
    first, last = 10_000.0, books.execute("SELECT equity FROM equity ORDER BY bar_ms DESC LIMIT 1").fetchone()[0]
    assert name == "change of equity" and whole == pytest.approx(last - first, abs=0.01)
    assert sum(value for _, value in parts) == pytest.approx(whole, abs=0.05)
    wanted = _shares(books)
    assert len(wanted) >= 3
    for name, value in parts:
        if name in wanted:
            assert value == pytest.approx(wanted[name], abs=0.006), name


def test_reasons_refusals_and_decisions_are_all_counted(
    replayed: tuple[Path, dict[str, Any]], page: Tables, books: sqlite3.Connection
) -> None:
    told = {line[0]: int(line[1].replace(",", "")) for line in page.tables["Why there was no order"][1:]}
    assert sum(told.values()) == replayed[1]["decisions"]
    assert (
        told["traded"] == books.execute("SELECT count(DISTINCT cause) FROM orders WHERE purpose IN ('entry','exit','flip')").fetchone()[0]
    )
    codes = dict(books.execute("SELECT code, count(*) FROM refusals GROUP BY code").fetchall())
    assert {line[0]: int(line[1].replace(",", "")) for line in page.tables["Refusals by code"][1:]} == codes != {}


def test_the_worst_and_the_best_trades_are_those_of_the_fills(page: Tables, books: sqlite3.Connection) -> None:
    cash, held, profits = Decimal(0), Decimal(0), []
    for price, quantity, side, fee, kind in _money(books):
        if kind == "funding":
            cash -= Decimal(fee)
            continue
        signed = Decimal(quantity) * (1 if side == "BUY" else -1)
        if held and held * (held + signed) < 0:  # turned round: the fee is shared by quantity
            part = abs(held) / abs(signed)
            profits.append(cash + held * Decimal(price) - Decimal(fee) * part)
            cash, held = -(held + signed) * Decimal(price) - Decimal(fee) * (1 - part), held + signed
            continue
        cash, held = cash - signed * Decimal(price) - Decimal(fee), held + signed
        if held == 0:
            profits.append(cash)
            cash = Decimal(0)
    rows = page.tables["Worst and best trades"][1:]
    told = [Decimal(row[7].replace(",", "")) for row in rows]
    ranked = sorted(profits)
    assert len(told) == 20
    assert [float(x) for x in told] == pytest.approx([float(x) for x in (*ranked[:10], *ranked[-10:])], abs=0.011)


def test_marks_and_settings_are_there(page: Tables, replayed: tuple[Path, dict[str, Any]]) -> None:
    text = (replayed[0] / "r.html").read_text(encoding="utf-8")
    for kind in ("long", "short", "exit", "stop", "target", "refused_long"):
        assert f'href="#m-{kind}"' in text, kind
    settings = {row[0]: row[1] for row in page.tables["To have it again"]}
    assert settings["trading.cool_down_bars"] == "4" and settings["strategy.factors.trend"] == "momentum_4h"
    assumed = {row[0]: row[1] for row in page.tables["Assumptions"]}
    assert "taker 5.5 bps" in assumed["Fees"] and "250 ms" in assumed["Latency"] and "0.1 of a bar" in assumed["Depth"]


def _money(books: sqlite3.Connection) -> list[tuple[str, str, str, str, str]]:
    fills = books.execute("SELECT seq, price, quantity, side, fee, 'fill' FROM fills").fetchall()
    fills += books.execute("SELECT seq, '0', '0', '', payment, 'funding' FROM funding").fetchall()
    return [tuple(row[1:]) for row in sorted(fills)]


def _shares(books: sqlite3.Connection) -> dict[str, float]:
    """Profit of each closed trip by the order that opened it, shared by contribution; only trips that one order opened and none turned."""
    found: dict[str, float] = {}
    trips, cash, held, opened = [], 0.0, 0.0, ""
    for _, order, price, quantity, side, fee in sorted(
        [(*row,) for row in books.execute("SELECT seq, order_id, price, quantity, side, fee FROM fills")]
        + [(seq, "", "0", "0", "BUY", fee) for seq, fee in books.execute("SELECT seq, payment FROM funding")]
    ):
        signed, level, paid = float(quantity) * (1 if side == "BUY" else -1), float(price), float(fee)
        if abs(held) < 1e-12 and signed:
            opened, cash, held = order, 0.0, 0.0
        after = held + signed
        if held and held * after < -1e-12:
            part = abs(held / signed)
            trips.append((opened, cash + held * level - paid * part))
            opened, cash, held = order, -after * level - paid * (1 - part), after
            continue
        cash, held = cash - signed * level - paid, after
        if abs(held) < 1e-12 and signed:
            trips.append((opened, cash))
    for order, profit in trips:
        (text, packed), = books.execute(
            "SELECT s.names, d.contributions FROM orders o JOIN decisions d ON d.run = o.run AND d.seq = o.cause"
            " JOIN signals s ON s.run = d.run AND s.id = d.signals WHERE o.id = ?", (order,)
        ).fetchall()  # fmt: skip
        names = json.loads(text)
        parts = struct.unpack(f"<{4 * len(names)}d", packed)[3 * len(names) :]
        whole = sum(x for x in parts if x == x)
        for name, x in zip(names, parts, strict=True):
            if x == x:
                found[name] = found.get(name, 0.0) + profit * x / whole
    return found
