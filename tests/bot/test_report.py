"""The report as tables and as text."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from bot import report_tables as rows
from bot.events import Denial
from bot.metrics import Metrics
from bot.reasons import MEANS
from bot.report import RunReport
from bot.report_figures import FIGURES, shown
from bot.report_tables import tables, text
from tests.bot.reports import SPITE, full, least, trip


def test_every_metric_is_a_figure_with_a_meaning() -> None:
    fields = {field.name for field in msgspec.structs.fields(Metrics)} - {"ic_by_symbol"}
    assert {figure.field for figure in FIGURES} == fields
    assert all(figure.label and figure.meaning for figure in FIGURES)
    assert len({figure.label for figure in FIGURES}) == len(FIGURES)


def test_every_metric_has_its_formula_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
    for field in msgspec.structs.fields(Metrics):
        assert f"`{field.name}`" in page, field.name


def test_what_cannot_be_had_is_a_dash_everywhere() -> None:
    empty = Metrics(num_periods=0, periods_per_year=8760.0)
    assert {shown(empty, f.field) for f in FIGURES} - {"0", "8,760"} == {"-"}


def test_the_report_tells_everything_that_it_must() -> None:
    found = full()
    titles = [one.title for one in tables(found)]
    assert titles == [
        "Metrics", "IC by symbol", "Returns by month", "Costs", "Contribution by symbol", "Contribution by signal",
        "Why there was no order", "Decisions by reason", "Refusals by code", "Signals that were not taken", "Trades", "Factors",
        "Assumptions",
    ]  # fmt: skip
    lines = "\n".join(text(found))
    for words in (
        "synthetic market", "R-9f3c2ab41d00", "BTCUSDT ETHUSDT", "warning: ETHUSDT misses 12 bars", "seed", found.digest, found.data_hash,
        found.config_hash, found.command, "numpy 2.4", "weak_score", "D_COOL_DOWN", "price_momentum", "Returns by month", "Slippage",
    ):  # fmt: skip
        assert words in lines, words


def test_a_report_without_anything_still_stands() -> None:
    assert [one.title for one in tables(least())] == ["Metrics", "Costs"]
    assert "synthetic" not in "\n".join(text(least()))


def test_months_multiply_to_their_year() -> None:
    found = msgspec.structs.replace(full(), months=((2023, 12, 0.10), (2024, 1, 0.10), (2024, 2, -0.05)))
    first, second = rows.months(found).rows
    assert first[0] == "2023" and first[12] == "+10.00%" and first[13] == "+10.00%" and first[1] == ""
    assert second[1:3] == ("+10.00%", "-5.00%") and second[13] == "+4.50%"


def test_trades_are_the_last_ones_newest_first_and_say_how_many_there_are() -> None:
    found = full()
    one = rows.trips(found, 3)
    assert len(one.rows) == 3 and one.note == f"The last 3 of {len(found.trades)}."
    assert one.rows[0][4] == "open" and one.rows[0][9] == "-"
    assert rows.trips(found, 10_000).note == ""


def test_counts_carry_their_share() -> None:
    assert rows.counts("x", (("a", 3), ("b", 1))).rows == (("a", "3", "75.0%"), ("b", "1", "25.0%"))


def test_costs_add_up() -> None:
    paid = full().costs
    assert paid.total == paid.fees + paid.funding + paid.slippage
    lines = rows.costs(full()).rows
    assert [line[0] for line in lines[3:]] == ["Half the spread", "Slippage", "Impact", "Move until met", "Total"]
    assert lines[-1][1] == f"{paid.total:,.2f}"
    assert sum(Decimal(line[1].replace(",", "")) for line in lines[:-1]) == paid.total
    whole = msgspec.structs.replace(full(), costs=msgspec.structs.replace(paid, parts=None))
    assert [line[0] for line in rows.costs(whole).rows[3:]] == ["Slippage", "Total"]


def test_signals_and_what_belongs_to_none_add_up() -> None:
    *parts, (name, _, _, whole) = rows.by_signal(full()).rows
    assert name == "change of equity" and float(whole) == sum(float(part[3]) for part in parts)


def test_the_worst_and_the_best_trades_are_told_where_there_are_many() -> None:
    assert rows.extremes(full(), 10).rows == ()
    many = msgspec.structs.replace(full(), trades=tuple(trip(n, str(n)) for n in (5, 1, 4, 2, 3)))
    assert [row[7] for row in rows.extremes(many, 2).rows] == ["+1.00", "+2.00", "+4.00", "+5.00"]


def test_every_reason_has_a_meaning() -> None:
    assert {code.value for code in Denial} <= set(MEANS)


@pytest.mark.parametrize("spite", SPITE)
def test_text_from_outside_cannot_steer_a_terminal(spite: str) -> None:
    for line in text(full(spite)):
        assert all(letter.isprintable() or letter == "\t" for letter in line)


def test_a_report_is_a_document() -> None:
    assert msgspec.json.decode(msgspec.json.encode(full()), type=RunReport) == full()
