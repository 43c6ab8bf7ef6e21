"""Any single bar of a row that stands for many is had again exactly: values, contributions, digest; across borders of blocks too."""

import json
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.errors import CheckFailed, NotFound
from bot.modes import replay
from bot.modes.recompute import decision_at
from bot.store.reader import Reader
from bot.store.rows import DecisionRow, RunRow
from feeds.bars import Block
from feeds.times import HOUR, MINUTE, iso
from strategies.engine import StrategyEngine, View
from strategies.events import Decision
from tests.bot.commands.books import run
from tests.e2e.runs import World, world
from tests.e2e.test_strategy_check import LOW
from tests.e2e.test_verify import written

BLOCK = 2 * 37


class Ran:
    """A replay in blocks of 37 bars; what its engine decided, and the rows that it was written down as."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "runs.db"
        self.market: World = world(420, 2, seed=17, holes=0.03, scale=0.002)
        self.files = written(folder, self.market)
        views: list[View] = []
        look = StrategyEngine.look

        def listen(engine: StrategyEngine, block: Block) -> View:
            views.append(look(engine, block))
            return views[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(StrategyEngine, "look", listen)
            factors = {"rev": "-zscore(close, 20)", "mom": "ema(close, 30) / close - 1"}
            config = msgspec.structs.replace(LOW, strategy=msgspec.structs.replace(LOW.strategy, factors=factors, min_confidence=0.3))
            replay(config, **self.files, start=self.market.history.span[0] + HOUR, store=self.store, block=BLOCK)
        self.decided = {
            (d.symbol, d.bar_ms): d
            for view in views for row in range(view.bars.rows) if view.present[row].any()
            for d in (view.decision(row, place) for place in range(2))
        }  # fmt: skip
        with Reader.open(self.store) as reader:
            self.run: RunRow = reader.run()
            self.rows: list[DecisionRow] = list(reader.decisions(self.run.id))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("bars"))


def inner(ran: Ran) -> list[tuple[DecisionRow, int]]:
    """Every bar that has no row of its own, with the row that stands for it."""
    found = []
    for row in ran.rows:
        for close in range(row.first.bar_ms + MINUTE, row.until_ms + 1, MINUTE):
            if (row.first.symbol, close) in ran.decided:
                found.append((row, close))
    return found


def test_repeating_decisions_are_one_row_each_and_lose_none(ran: Ran) -> None:
    """On disk: from bar, to bar, reason; rows cross the borders of blocks, and no two that follow one another say the same."""
    covered = sum(row.bars for row in ran.rows)
    since = ran.market.history.span[0] + HOUR
    assert covered == len([1 for _, close in ran.decided if close > since])
    assert len(ran.rows) < covered / 2
    border = [row for row in ran.rows if (row.first.bar_ms // MINUTE) // 37 != (row.until_ms // MINUTE) // 37 and row.bars > 1]
    assert len(border) > 5
    with sqlite3.connect(ran.store) as conn:
        stood_alone = {
            seq for (seq,) in conn.execute("SELECT cause FROM orders UNION SELECT cause FROM refusals UNION SELECT cause FROM cancels")
        }
    conn.close()
    for symbol in ran.run.symbols:
        mine = [row for row in ran.rows if row.first.symbol == symbol]
        for one, other in pairwise(mine):
            same = (one.first.side, one.first.reason) == (other.first.side, other.first.reason)
            assert not same or {one.seq, other.seq} & stood_alone
            assert one.until_ms < other.first.bar_ms


def test_any_bar_of_a_row_is_had_again_to_the_last_bit(ran: Ran) -> None:
    bars = inner(ran)
    assert len(bars) > 100
    for row, close in bars[:: len(bars) // 14]:
        found = decision_at(ran.run, row, close)
        assert json_of(found) == json_of(ran.decided[row.first.symbol, close])
        assert found.digest != row.first.digest
        assert (found.side, found.reason) == (row.first.side, row.first.reason)
        if close == row.until_ms:
            assert found.score == row.last_score or found.score != found.score


def json_of(decision: Decision) -> Any:
    return json.loads(msgspec.json.encode(decision))


def test_the_command_shows_the_bar_and_the_row_that_it_is_a_part_of(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    row, close = next(
        (row, close) for row, close in inner(ran) if row.bars > 3 and row.last_score == row.last_score and close < row.until_ms
    )
    what = f"{row.first.symbol}@{iso(close)}"
    code, said, _ = run(capsys, "explain", what, "--store", ran.store, "--json")
    document = json.loads(said)
    mine = ran.decided[row.first.symbol, close]
    assert code == 0
    assert (document["recomputed"], document["bar_ms"], document["digest"]) == (True, close, mine.digest)
    assert document["stretch"] == {
        "from_ms": row.first.bar_ms, "bars": row.bars, "until_ms": row.until_ms, "last_score": row.last_score,
    }  # fmt: skip
    assert [one["contribution"] for one in document["contributions"]] == [
        None if part.contribution != part.contribution else part.contribution for part in mine.contributions
    ]
    code, said, _ = run(capsys, "explain", what, "--store", ran.store)
    assert f"one of {row.bars:,} bars" in said
    code, said, _ = run(capsys, "explain", f"{row.first.symbol}@{iso(row.first.bar_ms)}", "--store", ran.store, "--json")
    assert json.loads(said)["recomputed"] is False


def test_a_bar_is_not_believed_when_the_row_does_not_come_out_as_it_was_written(ran: Ran) -> None:
    row, close = inner(ran)[20]
    other = msgspec.structs.replace(row, first=msgspec.structs.replace(row.first, digest="0" * 64))
    with pytest.raises(CheckFailed, match="comes out otherwise"):
        decision_at(ran.run, other, close)
    with pytest.raises(CheckFailed, match="candles of run"):
        decision_at(msgspec.structs.replace(ran.run, data_hash="x"), row, close)


def test_without_the_files_the_first_bar_is_shown_and_said_to_be_that(ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row, close = next((row, close) for row, close in inner(ran) if row.bars > 3)
    gone = msgspec.structs.replace(ran.run, arguments=ran.run.arguments.replace(str(ran.store.parent), str(tmp_path / "gone")))
    with pytest.raises(NotFound, match="cannot be found"):
        decision_at(gone, row, close)
    store = tmp_path / "runs.db"
    store.write_bytes(ran.store.read_bytes())
    with sqlite3.connect(store) as conn:
        conn.execute("UPDATE runs SET arguments = ?", (gone.arguments,))
    conn.close()
    code, said, noted = run(capsys, "explain", f"{row.first.symbol}@{iso(close)}", "--store", store)
    assert code == 0
    assert f"repeated for {row.bars:,} bars" in said
    assert "first bar of a stretch" in noted
