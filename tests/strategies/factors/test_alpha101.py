"""The 101 Formulaic Alphas in the notation of the paper: read, and worked out by the machine as the texts say."""

import re
from pathlib import Path

import numpy as np
import pytest

from strategies.errors import FactorError
from strategies.factors import compile_factors
from tests.strategies.factors.oracle_published import WORLDQUANT
from tests.strategies.factors.published import CANDLES, DAY, PANEL, Compared, candles, library, node

ALPHA101 = library("alpha101")
NEEDY = {name: row for name, row in ALPHA101.items() if row.needs}


@pytest.fixture(scope="module")
def compared(shared_data: Path) -> Compared:
    return Compared(ALPHA101, WORLDQUANT, candles(shared_data, 560))


def test_all_101_are_read() -> None:
    assert list(ALPHA101) == [f"alpha_{n:03}" for n in range(1, 102)]
    for row in ALPHA101.values():
        assert set(row.needs) == node(row.text, row.dialect).inputs() & set(PANEL)


def test_values_agree_with_the_published_text(compared: Compared) -> None:
    assert compared.agree() >= 80


def test_each_says_something_on_real_candles(compared: Compared) -> None:
    silent = [name for name, value in compared.ours.items() if not np.isfinite(value).any()]
    assert silent == ["alpha_096"]  # it wants the place of a 60-day mean in 4 days to move within each of 37 runs of 3 days


@pytest.mark.parametrize("name", NEEDY)
def test_what_needs_a_class_or_a_size_is_refused_by_the_name_of_the_column(name: str) -> None:
    row = ALPHA101[name]
    with pytest.raises(FactorError) as text:
        compile_factors({name: row.text}, timeframe=DAY, fields=CANDLES, dialect="worldquant")
    with pytest.raises(FactorError) as graph:
        compile_factors({name: node(row.text, row.dialect)}, timeframe=DAY, fields=CANDLES)
    for refusal in (text.value, graph.value):
        assert refusal.code == "unknown_name"
        lacking = re.search(r"the field '(\w+)'$", refusal.message)
        assert lacking is not None
        assert lacking[1] in row.needs
        assert f"column {lacking[1]}" in refusal.suggestion


def test_nineteen_of_them_need_more_than_candles() -> None:
    assert len(NEEDY) == 19
    assert [name for name, row in NEEDY.items() if "cap" in row.needs] == ["alpha_056"]
