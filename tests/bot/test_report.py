"""The report as tables and as text."""

from pathlib import Path

import msgspec
import pytest

from bot import report as rows
from bot.metrics import Metrics
from bot.report import FIGURES, RunReport, shown, tables, text
from tests.bot.reports import SPITE, full, least


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
        "Metrics", "IC by symbol", "Returns by month", "Costs", "Contribution by symbol", "Contribution by signal", "Decisions by reason",
        "Refusals by code", "Trades", "Factors", "Assumptions",
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
    assert rows.costs(full()).rows[-1][1] == f"{paid.total:,.2f}"


@pytest.mark.parametrize("spite", SPITE)
def test_text_from_outside_cannot_steer_a_terminal(spite: str) -> None:
    for line in text(full(spite)):
        assert all(letter.isprintable() or letter == "\t" for letter in line)


def test_a_report_is_a_document() -> None:
    assert msgspec.json.decode(msgspec.json.encode(full()), type=RunReport) == full()
