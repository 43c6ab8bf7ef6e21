"""A store with one run in it that has a little of everything, and a way to run a command on it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.cli import main
from bot.events import FundingPaid, OrderSide, Purpose, StateChanged, Status, TradingState
from bot.store.journal import Journal
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.events import FeedStatus
from feeds.times import MINUTE
from strategies.events import Contribution, Reason, Side
from tests.bot.store.building import NAN, decision, fill, order, record, refusal, update
from tests.builders import START

PARTS = (
    Contribution("momentum", 0.31, 0.80, 0.22, 0.55),
    Contribution("sentiment_news", -0.71, 0.60, 0.10, -0.15),
    Contribution("onchain_flow", NAN, NAN, 0.20, NAN),
)
HOSTILE = "Exchange \x1b[2J\x1b]0;owned\x07halts"


def store_with_a_run(path: Path, *, finish: str = "finished") -> Path:
    """Twelve bars of two symbols. BTCUSDT: eight HOLD, one LONG that is filled and stopped, three refused. ETHUSDT: HOLD throughout."""
    strategy = {"entry_threshold": 0.3, "min_confidence": 0.5, "factors": {"momentum": "ts_mean(returns, 9)"}}
    config = msgspec.json.encode({"strategy": strategy, "account": {"cash": 10000}}).decode()
    with Store.open(path) as store:
        begin(store, Run(id="paper-1", mode="paper", started_ms=START, config=config, symbols=("BTCUSDT", "ETHUSDT"), timeframe=MINUTE))
        journal = Journal(store, "paper-1", record=record, keep_inputs=False, merge_repeats=True)
        with store.transaction():
            journal.write(FeedStatus(START, "bybit", True, HOSTILE), 0)
            for row in range(12):
                _bar(journal, row)
            journal.write(
                FundingPaid(START + 9 * MINUTE, "BTCUSDT", START + 9 * MINUTE, 0.0001, Decimal("0.5"), Decimal(100), Decimal("0.005")), 0
            )
            journal.write(StateChanged(START + 12 * MINUTE, TradingState.REDUCING, "daily_loss", HOSTILE), 0)
            journal.close()
        if finish:
            journal.finish(finish, START + 13 * MINUTE, "{}")
    return path


def _bar(journal: Journal, row: int) -> None:
    at = START + (row + 1) * MINUTE
    if row == 8:
        view = decision(row=row, side=Side.LONG, reason=Reason.ABOVE_ENTRY, score=0.4, confidence=0.66, contributions=PARTS)
        seq = journal.write(view, 0)
        asked = journal.write(order(row=row, stop=Decimal(98)), seq)
        journal.write(update(at=at), asked)
    else:
        held = decision(row=row, reason=Reason.WARMING_UP, score=NAN, confidence=0.0)
        weak = decision(row=row, side=Side.LONG if row > 8 else Side.HOLD, score=0.5, contributions=PARTS)
        seq = journal.write(held if row < 3 else weak, 0)
        if row > 8:
            journal.write(refusal(row), seq)
    journal.write(decision("ETHUSDT", row, score=-0.1, contributions=PARTS), 0)
    if row == 9:
        journal.write(fill("e1", price="101", at=at), 0)
        journal.write(update(status=Status.FILLED, filled=Decimal("0.5"), at=at), 0)
        stop = msgspec.structs.replace(order("v1-A-1s", row), purpose=Purpose.STOP_LOSS, side=OrderSide.SELL, reduce_only=True)
        journal.write(stop, 0)
    if row == 11:
        journal.write(msgspec.structs.replace(fill("e2", order_id="v1-A-1s", side=OrderSide.SELL, price="98", quantity="0.2", at=at),
                                              purpose=Purpose.STOP_LOSS), 0)  # fmt: skip
    journal.equity(at, 10_000.0 + row, 9_950.0, 50.0, 50.0)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of a command line."""
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


def document(capsys: pytest.CaptureFixture[str], *words: object) -> Any:  # Any: JSON
    """The document of a command line that succeeds: the one thing on stdout."""
    code, out, err = run(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)
