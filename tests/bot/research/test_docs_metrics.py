"""Every figure that research computes is on its page, under its own name."""

import inspect
import re

import msgspec

from bot.research import decay, estimates, ic, labels, performance, quantiles, selection
from bot.research.performance import Performance
from tests.source import ROOT

PAGE = (ROOT / "docs" / "factor-metrics.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_0-9]+)`", PAGE))
MODULES = (decay, estimates, ic, labels, performance, quantiles, selection)
NOT_FIGURES = {
    # the container's own facts, explained in its ground rules
    "evidence", "horizon", "block", "draws",
    # makers of what is on the page
    "estimate", "bootstrapped", "evidence_of", "information", "decay", "half_life_of", "quantile_returns", "performance", "capacity",
    "break_even", "sharpe_bootstrap", "fall_bootstrap", "normal_cdf", "normal_quantile",
}  # fmt: skip


def test_every_field_of_every_result_is_documented() -> None:
    missing = [
        f"{module.__name__}.{kind.__name__}.{field}"
        for module in MODULES
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
        for field in kind.__struct_fields__
        if field not in NAMED | NOT_FIGURES
    ]
    assert missing == []


def test_every_public_function_is_documented() -> None:
    missing = [
        f"{module.__name__}.{name}"
        for module in MODULES
        for name, item in vars(module).items()
        if inspect.isfunction(item) and item.__module__ == module.__name__ and not name.startswith("_") and name not in NAMED | NOT_FIGURES
    ]
    assert missing == []


def test_every_figure_of_a_back_test_s_document_is_documented() -> None:
    from bot.research.document import ROWS
    from bot.research.evidence import NAMES

    assert ({name for name, *_ in ROWS} | set(NAMES)) - NAMED == set()


def test_the_page_names_nothing_that_is_not_there() -> None:
    rows = re.findall(r"^\| ((?:`[a-z_0-9]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row)}
    there = {name for module in MODULES for name in vars(module)}
    there |= {
        field
        for module in MODULES
        for kind in vars(module).values()
        if hasattr(kind, "__struct_fields__")
        for field in kind.__struct_fields__
    }
    assert documented - there == {"net", "costs", "funding", "trades"}  # of the book that is measured
    assert set(Performance.__struct_fields__) - {"bars"} <= documented
