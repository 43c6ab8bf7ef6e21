"""A replay of real bars agrees with a second computation from the definitions: scores, decisions, orders, fills, books, metrics.

Everything on the other side stands in recompute.py, retrade.py, resettle.py and remeasure.py: pandas, numpy and Decimal over the
raw files, no line of the product.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from feeds.times import millis
from tests.e2e import remeasure
from tests.e2e.reruns import CASES, SIDES, Ran, rerun
from tests.e2e.resettle import ZERO, Fill
from tests.e2e.retrade import Asked

NEAR = 1e-9
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=CASES)
def ran(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with rerun(request.param, shared_data, tmp_path_factory.mktemp(request.param)) as both:
        yield both


def _span(ran: Ran) -> slice:
    """The rows of the grid that the run went over."""
    return slice(int(np.searchsorted(ran.raw.closes, millis(ran.case.start), side="right")), None)


def _curve(ran: Ran) -> pd.DataFrame:
    """The account at every close of the span: where there was no bar, it is worth what it was."""
    return ran.curve.reindex(ran.raw.closes[_span(ran)]).ffill()


def _decided(ran: Ran) -> Any:
    """Those of them at which there was any bar: a decision for each symbol."""
    there = np.any([frame.close.notna() for frame in ran.raw.bars.values()], axis=0)
    return np.flatnonzero(there & (ran.raw.closes > millis(ran.case.start)))


def _close(mine: Any, theirs: Any) -> bool:
    return bool(np.allclose(mine, theirs, rtol=NEAR, atol=NEAR, equal_nan=True))


def test_every_score_confidence_and_volatility_of_every_bar(ran: Ran) -> None:
    for symbol, told in ran.decisions.items():
        rows, mine = _decided(ran), ran.views[symbol]
        assert [d.bar_ms for d in told] == ran.raw.closes[rows].tolist()
        for name in ("score", "confidence", "volatility"):
            theirs = np.array([getattr(d, name) for d in told])
            np.testing.assert_allclose(getattr(mine, name)[rows], theirs, rtol=NEAR, atol=NEAR, err_msg=f"{symbol} {name}")
        np.testing.assert_array_equal([d.price for d in told], ran.raw.bars[symbol].close.iloc[rows])
        assert all(d.newest_ms <= d.bar_ms == d.at for d in told)
        assert np.isfinite(mine.score[rows]).mean() > 0.8


def test_every_signal_of_every_bar_and_contributions_that_add_up(ran: Ran) -> None:
    for symbol, told in ran.decisions.items():
        rows, mine = _decided(ran), ran.views[symbol]
        names = [part.name for part in told[0].contributions]
        assert names == list(mine.values)
        theirs = np.array([[(p.value, p.confidence, p.contribution) for p in d.contributions] for d in told])
        for place, name in enumerate(names):
            known = np.isfinite(mine.parts[name][rows])
            np.testing.assert_array_equal(known, np.isfinite(theirs[:, place, 2]), err_msg=f"{symbol} {name}")
            for column, of in enumerate((mine.values, mine.confidences, mine.parts)):
                np.testing.assert_allclose(
                    of[name][rows][known], theirs[known, place, column], rtol=NEAR, atol=NEAR, err_msg=f"{symbol} {name} {column}"
                )
        score = np.array([d.score for d in told])
        whole = np.nansum(theirs[:, :, 2], axis=1)
        assert _close(whole[np.isfinite(score)], score[np.isfinite(score)])
        heard = {name for name in names if np.isfinite(mine.parts[name][rows]).any()}
        assert {"price_momentum", "volume_breakout"} < heard
        assert ("onchain_flow" in heard) is (symbol == "BTCUSDT")


def test_every_side_and_reason(ran: Ran) -> None:
    entry, least = ran.settings["strategy"]["entry_threshold"], ran.settings["strategy"]["min_confidence"]
    sides: set[str] = set()
    for symbol, told in ran.decisions.items():
        rows, mine = _decided(ran), ran.views[symbol]
        for place, decision in zip(rows.tolist(), told, strict=True):
            at_the_edge = abs(abs(mine.score[place]) - entry) < NEAR or abs(mine.confidence[place] - least) < NEAR
            same = (SIDES[decision.side.value], decision.reason.value) == (mine.side[place], mine.reason[place])
            assert same or at_the_edge, (symbol, decision, mine.side[place], mine.reason[place])
            sides.add(decision.side.value)
    assert sides == {"LONG", "SHORT", "HOLD"}


def test_the_stored_rows_are_every_decision_and_nothing_else(ran: Ran) -> None:
    every = {(d.symbol, d.bar_ms): d for told in ran.decisions.values() for d in told}
    covered = 0
    for row in ran.reader.decisions(ran.result.run):
        first = every[row.first.symbol, row.first.bar_ms]
        assert msgspec.json.encode(first) == msgspec.json.encode(row.first)
        closes = range(row.first.bar_ms, row.until_ms + 1, ran.case.timeframe)
        part = [every[row.first.symbol, close] for close in closes if (row.first.symbol, close) in every]
        assert len(part) == row.bars
        assert {(d.side, d.reason) for d in part} == {(first.side, first.reason)}
        assert _close(part[-1].score, row.last_score)
        covered += row.bars
    assert covered == len(every) == ran.result.decisions


def test_every_order_and_every_refusal(ran: Ran) -> None:
    rows = [row for row in ran.reader.orders(ran.result.run) if row.purpose.value not in ("stop_loss", "take_profit")]
    theirs = [
        Asked(row.at, row.symbol, row.bar_ms, row.purpose.value, SIDES[row.side.value], row.type.value, row.quantity, row.reference,
              row.price, row.stop, row.take)
        for row in rows
    ]  # fmt: skip
    for mine, told in zip(ran.account.asked, theirs, strict=False):
        assert mine == told
    assert len(theirs) == len(ran.account.asked) == ran.result.orders
    refused = [(r.refusal.bar_ms, r.refusal.symbol, r.refusal.purpose.value, r.refusal.code.value)
               for r in ran.reader.refusals(ran.result.run)]  # fmt: skip
    assert refused == ran.account.refused
    assert len(refused) == ran.result.refusals
    states = [(row.at, row.state.value, row.by) for row in ran.reader.states(ran.result.run)]
    assert states == ran.account.states


def test_every_fill_to_the_last_digit(ran: Ran) -> None:
    orders = {row.id: (row.bar_ms, row.purpose.value) for row in ran.reader.orders(ran.result.run)}
    theirs = [
        Fill(f.symbol, orders[f.order_id], f.at, SIDES[f.side.value], f.price, f.quantity, f.fee, f.maker, f.filled_ms, f.slippage)
        for f in (row.fill for row in ran.reader.fills(ran.result.run))
    ]
    assert len({row.fill.exec_id for row in ran.reader.fills(ran.result.run)}) == len(theirs) == ran.result.fills
    for symbol, market in ran.account.markets.items():
        told = [fill for fill in theirs if fill.symbol == symbol]
        for mine, fill in zip(market.fills, told, strict=False):
            assert mine == fill
        assert len(told) == len(market.fills) > 20


def test_funding_fees_and_every_position(ran: Ran) -> None:
    theirs = [
        (p.at, p.symbol, p.rate, p.quantity, p.mark, p.payment, p.settle_ms)
        for p in (row.paid for row in ran.reader.funding(ran.result.run))
    ]
    assert theirs == ran.paid
    assert len(theirs) > 5
    if ran.case is CASES["minutes"]:
        assert theirs[-1][0] == millis(ran.case.stop)
    assert any(row[0] != row[6] for row in theirs) is (ran.case is CASES["halves"])
    for row in ran.reader.positions(ran.result.run):
        market = ran.account.markets[row.symbol]
        assert (row.quantity, row.fees, row.funding) == (market.position, market.fees, market.funding)
        assert _close(float(row.realised), float(market.realised))
    for name in ("fees", "funding", "slippage"):
        assert getattr(ran.result, name) == sum(getattr(market, name) for market in ran.account.markets.values()), name


def test_the_account_at_every_stored_close(ran: Ran) -> None:
    points = list(ran.reader.equity(ran.result.run))
    mine = _curve(ran).loc[[point.bar_ms for point in points]]
    closes = ran.raw.closes[_span(ran)]
    assert len(points) == len(closes) if len(closes) <= 20_000 else 10_000 < len(points) <= 20_000
    assert (points[0].bar_ms, points[-1].bar_ms) == (closes[0], closes[-1])
    for name in ("equity", "gross", "net", "cash"):
        theirs = np.array([getattr(point, name) for point in points])
        np.testing.assert_allclose(mine[name], theirs, rtol=NEAR, atol=1e-6 * NEAR, err_msg=name)


def test_the_document_adds_up(ran: Ran) -> None:
    result, markets = ran.result, ran.account.markets.values()
    assert ran.reader.run(result.run).summary == msgspec.json.encode(result).decode()
    realised = sum(row.realised for row in ran.reader.positions(result.run))
    unrealised = sum((m.position * Decimal(repr(m.mark)) - m.cost for m in markets if m.position), ZERO)
    gained = result.equity_end - result.equity_start
    assert abs(gained - (realised + unrealised - result.fees - result.funding)) < Decimal("1e-15") * result.equity_start
    assert result.equity_end == ran.account.equity()
    assert _close(result.metrics["total_return"], float(result.equity_end / result.equity_start - 1))
    last = list(ran.reader.equity(result.run))[-1]
    assert _close(
        [last.equity, last.cash], [float(result.equity_end), float(result.equity_start + realised - result.fees - result.funding)]
    )
    bars = sum(int(frame.close.iloc[_span(ran)].notna().sum()) for symbol, frame in ran.raw.bars.items())
    assert (result.bars, result.decisions) == (bars, len(_decided(ran)) * len(ran.case.symbols))
    assert result.metrics["num_periods"] == len(ran.raw.closes[_span(ran)])


@pytest.mark.parametrize("ran", ["holes"], indirect=True)
def test_the_command_prints_the_same_document(ran: Ran, shared_data: Path) -> None:
    command = [
        sys.executable, "-m", "bot", "replay", "--json", "--config", str(ran.folder / "config.toml"), "--timeframe", "1h",
        "--candles", str(ran.folder / "candles"), "--symbols", ",".join(ran.case.symbols), "--news", str(ran.folder / "news.parquet"),
        "--funding", str(shared_data / "derivs/funding_rates.parquet"), "--metrics", str(shared_data / "onchain/coinmetrics_daily.parquet"),
        "--from", ran.case.start, "--to", ran.case.stop,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "3"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    encoder = msgspec.json.Encoder(decimal_format="number")
    printed, mine = (json.loads(text, parse_float=Decimal) for text in (done.stdout, encoder.encode(ran.result)))
    for name in ("run", "command", "seconds", "bars_per_second", "warnings"):  # the run is named by its arguments too, paths included
        printed.pop(name)
        mine.pop(name)
    assert printed == mine
    money = {name: Decimal(printed[name]) for name in ("equity_start", "equity_end", "fees", "funding")}
    trades = sum(market.realised for market in ran.account.markets.values())
    open_ = sum((m.position * Decimal(repr(m.mark)) - m.cost for m in ran.account.markets.values() if m.position), ZERO)
    gained = money["equity_end"] - money["equity_start"]
    assert abs(gained - (trades + open_ - money["fees"] - money["funding"])) < Decimal("1e-15") * money["equity_start"]


def test_every_metric(ran: Ran) -> None:
    case, result = ran.case, ran.result
    curve = _curve(ran)
    fills = [fill for market in ran.account.markets.values() for fill in market.fills]
    traded = pd.Series(0.0, curve.index)
    for fill in fills:
        traded[fill.at] += float(fill.price * fill.quantity)
    path = remeasure.Path(
        float(ran.account.cash), curve.index.to_numpy(), curve.equity.to_numpy(), curve.gross.to_numpy(), traded.to_numpy(),
        {symbol: np.where(ran.raw.bars[symbol].close.isna(), np.nan, ran.views[symbol].score)[_span(ran)] for symbol in case.symbols},
        {symbol: ran.raw.bars[symbol].open.to_numpy()[_span(ran)] for symbol in case.symbols},
    )  # fmt: skip
    trips = remeasure.trips_of(fills, [(row[6], row[1], row[5]) for row in ran.paid], case.timeframe)
    mine = remeasure.metrics_of(path, case.timeframe, trips, float(result.fees + result.funding + result.slippage))
    theirs = dict(result.metrics)
    assert set(mine) == set(theirs)
    for mine_of, told in zip(mine.pop("ic_by_symbol"), theirs.pop("ic_by_symbol"), strict=True):
        mine |= {f"{mine_of['symbol']} {name}": value for name, value in mine_of.items()}
        theirs |= {f"{mine_of['symbol']} {name}": value for name, value in told.items()}
    wrong = {name: (value, theirs[name]) for name, value in mine.items() if not _same(value, theirs[name])}
    assert not wrong
    assert result.metrics["trades"] > 20


def _same(mine: Any, theirs: Any) -> bool:
    if mine is None or theirs is None or isinstance(mine, str):
        return bool(mine == theirs)
    return abs(float(mine) - float(theirs)) <= NEAR * max(1.0, abs(float(theirs)))
