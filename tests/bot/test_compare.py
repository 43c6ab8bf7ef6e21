"""Two runs side by side, on runs whose differences are known."""

import re
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bot.compare import Comparison, Filled
from bot.compare_fills import compare_fills
from bot.compare_html import html
from bot.compare_returns import compare_held, compare_returns
from bot.compare_store import compare_stores
from bot.compare_tables import text, verdict
from bot.events import OrderSide
from bot.report import Curve
from bot.store.journal import Journal
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.times import DAY, HOUR, MINUTE, iso
from strategies.events import Reason, Side
from tests.bot.commands.books import document, run
from tests.bot.store.building import decision, fill, order, record
from tests.bot.test_report_html import Page
from tests.builders import START

BARS = 30


def trade(
    path: Path, name: str, *, mode: str = "replay", merge: bool = True, entry: int = 2, price: str = "100", late: int = 0, bars: int = BARS,
    symbols: tuple[str, ...] = ("BTCUSDT",), timeframe: int = MINUTE, scores: dict[int, float] | None = None, first: int = 0,
    setting: str = "0.3", heard: int = 0,
) -> Path:  # fmt: skip
    """A run that goes LONG at bar `entry`, and out at bar 20; fills `late` ms after the next open."""
    config = f'{{"account":{{"cash":10000}},"strategy":{{"entry_threshold":{setting}}}}}'
    with Store.open(path) as store:
        begin(store, Run(id=name, mode=mode, started_ms=START, config=config, config_hash=setting, symbols=symbols, timeframe=timeframe,
                         versions={"sluice": "1"}))  # fmt: skip
        books = Journal(store, name, record=record, keep_inputs=False, merge_repeats=merge)
        with store.transaction():
            held = 0.0
            for row in range(first, bars):
                score = (scores or {}).get(row, 0.1)
                told = {"side": Side.LONG, "reason": Reason.ABOVE_ENTRY} if row == entry else {}
                seq = books.write(decision(symbols[0], row=row, score=score, price=100.0 + row, **told), 0)
                if row in (entry, 20):
                    out = row == 20
                    asked = books.write(order(f"{name}-{row}", row, symbol=symbols[0], quantity=Decimal("0.5")), seq)
                    level, side = ("120", OrderSide.SELL) if out else (price, OrderSide.BUY)
                    at = START + (row + 1) * MINUTE + late
                    done = fill(f"e{row}", order_id=f"{name}-{row}", symbol=symbols[0], side=side, price=level, at=at, slippage="0.05")
                    books.write(msgspec.structs.replace(done, at=done.filled_ms + heard), asked)
                    held = 0.0 if out else 0.5
                books.equity(START + (row + 1) * MINUTE, 10_000.0 + row * held + (10 if row > 20 else 0), 10_000.0, 50 * held, 50 * held)
            books.close()
        summary = {"start": START + first * MINUTE, "stop": START + bars * MINUTE, "equity_start": 10_000, "equity_end": 10_010}
        books.finish("finished", START + DAY, msgspec.json.encode(summary).decode())
    return path


def compared(tmp_path: Path, **other: object) -> Comparison:
    tmp_path.mkdir(exist_ok=True)
    a, b = trade(tmp_path / "a.db", "R-a"), trade(tmp_path / "b.db", "R-b", **other)  # type: ignore[arg-type]
    return compare_stores(a, "R-a", b, "R-b")


def test_a_run_is_identical_to_itself(tmp_path: Path) -> None:
    path = trade(tmp_path / "a.db", "R-a")
    found = compare_stores(path, "R-a", path, "R-a")
    assert found.identical and found.decisions is not None and found.fills is not None
    assert found.decisions.same == found.decisions.compared == BARS and found.decisions.first_view is None
    assert (found.fills.matched, found.fills.only_a, found.fills.only_b, found.fills.worse_bps) == (2, 0, 0, 0)
    assert all(one.difference in (None, 0) for one in (*found.metrics, *found.costs))
    assert found.given == found.settings == () and "identical" in verdict(found)


def test_two_runs_that_did_the_same_under_other_names_are_alike(tmp_path: Path) -> None:
    found = compared(tmp_path, mode="paper", merge=False)
    assert found.alike and not found.identical and found.fills is not None and found.fills.equal == 2
    assert verdict(found).startswith(f"alike: {BARS} decisions and 2 filled orders")
    assert not compared(tmp_path / "later", late=1).alike


def test_the_first_bar_that_differs_is_named_with_the_commands_that_explain_it(tmp_path: Path) -> None:
    found = compared(tmp_path, entry=5)
    told = found.decisions
    assert told is not None and told.first_view is not None
    assert (told.compared, told.same) == (BARS, BARS - 2)
    assert told.changes == (("HOLD weak_score", "LONG above_entry", 1), ("LONG above_entry", "HOLD weak_score", 1))
    first = told.first_view
    assert first.bar_ms == START + 3 * MINUTE and (first.a.side, first.b.side) == ("LONG", "HOLD")
    assert first.explain_a == f"sluice explain BTCUSDT@2024-01-01T00:03:00Z --run R-a --store {tmp_path}/a.db"


def test_scores_that_differ_are_seen_by_their_digest_though_the_view_is_the_same(tmp_path: Path) -> None:
    a, b = (trade(tmp_path / f"{n}.db", f"R-{n}", merge=False, scores=scores) for n, scores in (("a", {}), ("b", {7: 0.25})))
    with Store.open(b) as store:  # a digest is of what was decided, also of the score
        store.conn.execute("UPDATE decisions SET digest = x'ff' WHERE score = 0.25")
    told = compare_stores(a, "R-a", b, "R-b").decisions
    assert told is not None and told.first_view is None and told.first_digest is not None
    assert (told.same, told.digests, told.same_digests) == (BARS, BARS, BARS - 1)
    assert told.first_digest.bar_ms == START + 8 * MINUTE and told.score_gap == pytest.approx(0.15)


def test_merged_and_single_decisions_are_compared_bar_by_bar(tmp_path: Path) -> None:
    found = compared(tmp_path, mode="paper", merge=False)
    told = found.decisions
    assert told is not None and (told.compared, told.same) == (BARS, BARS)
    assert 0 < told.digests < BARS and told.same_digests == told.digests


def test_fills_of_the_same_decision_are_matched_and_measured(tmp_path: Path) -> None:
    found = compared(tmp_path, mode="paper", merge=False, price="100.2", late=350)
    fills = found.fills
    assert fills is not None and (fills.matched, fills.only_a, fills.only_b) == (2, 0, 0)
    assert fills.widest[0].worse_bps == pytest.approx(20.0) and fills.median_bps == pytest.approx(10.0)
    assert fills.worse_bps == pytest.approx(20 * 100 / 220)
    assert (fills.a.latency_ms, fills.b.latency_ms) == (0, 350)
    traded = 0.5 * (100 + 120)
    assert fills.a.slippage_bps == pytest.approx(1e4 * 0.1 / traded) and fills.a.fee_bps == pytest.approx(1e4 * 0.055 / traded)
    (held,) = found.held
    assert held.held_a == held.held_b == pytest.approx(18 / BARS)
    assert held.same_side == pytest.approx(28 / BARS)  # at the closes of entry and exit the late one has not moved yet


def test_paper_against_live_tells_of_latency_slippage_and_fees_as_they_were_recorded(tmp_path: Path) -> None:
    a = trade(tmp_path / "a.db", "P-a", mode="paper", merge=False, late=250)
    b = trade(tmp_path / "b.db", "L-b", mode="live", merge=False, late=420, heard=35, price="100.05")
    found = compare_stores(a, "P-a", b, "L-b")
    assert found.obstacles == () and (found.a.mode, found.b.mode) == ("paper", "live")
    fills = found.fills
    assert fills is not None and (fills.matched, fills.equal) == (2, 0)
    assert (fills.a.latency_ms, fills.b.latency_ms, fills.a.news_ms, fills.b.news_ms) == (250, 420, 0, 35)
    assert fills.worse_bps == pytest.approx(5 * 100 / 220)
    assert found.decisions is not None and found.decisions.same_digests == found.decisions.digests == BARS
    assert {one.name: one.b for one in found.costs}["fees"] == pytest.approx(0.055)


def test_what_only_one_of_them_did_is_listed(tmp_path: Path) -> None:
    found = compared(tmp_path, entry=10)
    fills = found.fills
    assert fills is not None and (fills.matched, fills.only_a, fills.only_b) == (1, 1, 1)
    assert fills.alone_a[0].order == "R-a-2" and fills.alone_b[0].order == "R-b-10"
    assert found.held[0].same_side == pytest.approx(22 / BARS)


def test_settings_and_versions_that_differ_are_told_and_equal_ones_are_not(tmp_path: Path) -> None:
    found = compared(tmp_path, setting="0.4")
    assert found.settings == (("strategy.entry_threshold", "0.3", "0.4"),)
    assert found.given == (("settings", "0.3", "0.4"),)


def test_a_table_of_settings_that_is_empty_in_one_run_is_no_difference_beside_its_own(tmp_path: Path) -> None:
    a = trade(tmp_path / "a.db", "R-a", setting='0.3,"parameters":{}')
    b = trade(tmp_path / "b.db", "R-b", setting='0.3,"parameters":{"bars":48}')
    assert compare_stores(a, "R-a", b, "R-b").settings == (("strategy.parameters.bars", "-", "48"),)


def test_a_run_that_risk_stopped_is_named(tmp_path: Path) -> None:
    a, b = trade(tmp_path / "a.db", "R-a"), trade(tmp_path / "b.db", "R-b")
    with Store.open(b) as store, store.transaction():
        moves = ((901, START + MINUTE, "HALTED"), (902, START + 2 * MINUTE, "ACTIVE"), (903, START + 3 * MINUTE, "HALTED"))
        store.conn.executemany("INSERT INTO states VALUES ('R-b', ?, 0, ?, ?, 'max_drawdown', 'lost')", moves)
    found = compare_stores(a, "R-a", b, "R-b")
    assert [one for one in found.obstacles if "HALTED" in one] == [f"B is HALTED by max_drawdown from {iso(START + 3 * MINUTE)} to its end"]


def test_a_worse_price_is_not_coloured_as_a_gain(tmp_path: Path) -> None:
    page = html(compared(tmp_path, price="101"))
    told = re.findall(r'<td class="(number[^"]*)">([+-]\d+\.\d\d)</td>', page.partition("Matched fills, the widest apart</h2>")[2])
    assert ("number", "+100.00") in told and told[0][0] == "number"


@pytest.mark.parametrize(
    ("other", "says", "comparable"),
    [
        ({"symbols": ("ETHUSDT",)}, "share no symbol", False),
        ({"symbols": ("BTCUSDT", "ETHUSDT")}, "only B trades ETHUSDT", True),
        ({"timeframe": HOUR}, "bars of 1m and of 1h", True),
        ({"bars": 25}, "is covered by both", True),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, other: dict[str, object], says: str, comparable: bool) -> None:
    found = compared(tmp_path, **other)
    assert any(says in one for one in found.obstacles), found.obstacles
    assert found.comparable is comparable
    assert says in "\n".join(text(found)) and "<svg" not in verdict(found)


def test_only_the_common_span_is_compared(tmp_path: Path) -> None:
    found = compared(tmp_path, first=10, bars=25, entry=12)
    assert found.decisions is not None and found.decisions.compared == 15
    assert found.fills is not None and (found.fills.matched, found.fills.only_a, found.fills.only_b) == (1, 0, 1)


def curve(returns: np.ndarray, step: int = HOUR) -> Curve:
    levels = 10_000 * np.concatenate([[1.0], np.cumprod(1 + returns)])
    return Curve(tuple((START + step * np.arange(levels.size)).tolist()), tuple(levels.tolist()))


def test_the_difference_of_returns_is_tested_in_pairs() -> None:
    """Two noisy accounts on one market: neither mean is known, and their difference is."""
    rng = np.random.default_rng(1)
    market = rng.normal(0, 0.01, 2_000)
    mine, theirs = market, market + 1e-4 + rng.normal(0, 2e-4, 2_000)
    found = compare_returns(curve(mine), curve(theirs), START, START + 2_000 * HOUR, HOUR)
    assert found is not None and found.low is not None and found.high is not None and found.p is not None
    assert found.step == DAY and found.count == 83
    days = [np.prod((1 + x[: 83 * 24].reshape(83, 24)), axis=1) - 1 for x in (mine, theirs)]
    apart = days[1] - days[0]
    assert found.difference == pytest.approx(apart.mean() * 365, rel=1e-9)
    assert found.tracking == pytest.approx(apart.std(ddof=1) * np.sqrt(365), rel=1e-9)
    assert found.correlation == pytest.approx(np.corrcoef(*days)[0, 1], rel=1e-9)
    sharpe = [x.mean() / x.std(ddof=1) * np.sqrt(365) for x in days]
    assert found.sharpe_gap == pytest.approx(sharpe[1] - sharpe[0], rel=1e-9)
    assert found.error == pytest.approx(apart.std(ddof=1) / np.sqrt(83) * 365, rel=0.35)
    assert 0 < found.low < found.difference < found.high and found.p < 1e-6
    again = compare_returns(curve(mine), curve(theirs), START, START + 2_000 * HOUR, HOUR)
    assert again == found


def test_accounts_that_are_the_same_differ_by_nothing() -> None:
    same = curve(np.random.default_rng(2).normal(0, 0.01, 500))
    found = compare_returns(same, same, START, START + 500 * HOUR, HOUR)
    assert found is not None and (found.difference, found.p, found.widest_gap, found.sharpe_gap) == (0.0, 1.0, 0.0, 0.0)
    assert compare_returns(same, Curve(), START, START + HOUR, HOUR) is None


def one(order: str, ms: int, *, bar: int = 0, price: float = 100.0, side: str = "BUY", purpose: str = "stop_loss") -> Filled:
    return Filled(order=order, symbol="BTCUSDT", side=side, purpose=purpose, bar_ms=bar, asked_ms=None, first_ms=ms, known_ms=ms,
                  quantity=1.0, price=price, fee=0.1, slippage=0.0)  # fmt: skip


def test_orders_of_other_decisions_are_matched_by_time_and_never_twice() -> None:
    a = [one("a1", 1_000), one("a2", 90_000), one("a3", 500_000)]
    b = [one("b1", 40_000, price=100.5), one("b2", 95_000, price=101.0), one("b3", 700_000)]
    found = compare_fills(a, b, MINUTE)
    assert [(pair.a.order, pair.b.order) for pair in sorted(found.widest, key=lambda pair: pair.a.first_ms)] == [("a1", "b1"), ("a2", "b2")]
    assert (found.matched, found.only_a, found.only_b) == (2, 1, 1)
    short = compare_fills([one("a", 0, side="SELL")], [one("b", 0, side="SELL", price=99.0)], MINUTE)
    assert short.worse_bps == pytest.approx(100)  # sold for less


def test_positions_are_compared_at_bar_closes() -> None:
    minutes = [START + n * MINUTE for n in range(11)]
    long, short = ((minutes[2], minutes[6]), (1.0, 0.0)), ((minutes[4], minutes[6]), (-1.0, 0.0))
    held = compare_held("X", long, short, START, minutes[10], MINUTE)
    assert (held.held_a, held.held_b, held.same_side) == (0.4, 0.2, 0.6)


def test_the_command_answers_in_text_json_and_html(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    a, b = trade(tmp_path / "a.db", "R-a"), trade(tmp_path / "b.db", "R-b<script>alert(1)</script>", entry=5)
    words = ["compare", "R-a", "R-b", "--store-a", a, "--store-b", b]
    code, out, _ = run(capsys, *words, "--html", tmp_path / "c.html")
    assert code == 0 and "first view that differs" in out and "sluice explain" in out
    assert document(capsys, *words)["decisions"]["same"] == BARS - 2
    page = Page((tmp_path / "c.html").read_text())
    assert page.open == [] and [tag for tag, _ in page.tags].count("script") == 1


def test_runs_without_anything_in_common_end_with_8(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    a, b = trade(tmp_path / "a.db", "R-a"), trade(tmp_path / "b.db", "R-b", symbols=("ETHUSDT",))
    code, _, err = run(capsys, "compare", "R-a", "R-b", "--store-a", a, "--store-b", b)
    assert code == 8 and "share no symbol" in err


def test_a_page_of_a_comparison_keeps_out_what_texts_mean(tmp_path: Path) -> None:
    found = compared(tmp_path, entry=5)
    bad = msgspec.structs.replace(found, settings=(("x<script>alert(1)</script>", "\x1b]0;owned\x07", "'><img src=x onerror=alert(1)>"),))
    calm, spited = Page(html(msgspec.structs.replace(found, settings=(("x", "1", "2"),)))), Page(html(bad))
    assert [tag for tag, _ in spited.tags] == [tag for tag, _ in calm.tags]
