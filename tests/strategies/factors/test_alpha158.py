"""Qlib's Alpha158 and Alpha360 in Qlib's notation: read, and worked out by the machine as the texts say."""

from pathlib import Path

import numpy as np
import pytest

from tests.strategies.factors.oracle_gtja import Array
from tests.strategies.factors.oracle_published import QLIB
from tests.strategies.factors.published import Compared, candles, library, node

ALPHA158, ALPHA360 = library("alpha158"), library("alpha360")


@pytest.fixture(scope="module")
def columns(shared_data: Path) -> dict[str, Array]:
    return candles(shared_data, 240)


def test_the_sets_are_whole() -> None:
    assert len(ALPHA158) == 158
    assert len(ALPHA360) == 360
    assert list(ALPHA158)[:5] == ["KMID", "KLEN", "KMID2", "KUP", "KUP2"]
    assert {name.rstrip("0123456789") for name in ALPHA360} == {"CLOSE", "OPEN", "HIGH", "LOW", "VWAP", "VOLUME"}
    assert not any(row.needs for row in (*ALPHA158.values(), *ALPHA360.values()))


@pytest.mark.parametrize("rows", [ALPHA158, ALPHA360], ids=["Alpha158", "Alpha360"])
def test_values_agree_with_the_published_text(rows: dict, columns: dict[str, Array]) -> None:  # type: ignore[type-arg]
    compared = Compared(rows, QLIB, columns)
    assert compared.agree() == len(rows)
    for name, value in compared.ours.items():
        assert np.isfinite(value[-1]).all(), name


def test_a_factor_has_its_first_value_when_its_windows_are_full(columns: dict[str, Array]) -> None:
    compared = Compared(ALPHA158, QLIB, columns)
    bitcoin = int(np.argmin(np.isnan(columns["close"]).sum(axis=0)))
    for name, row in ALPHA158.items():
        known = np.isfinite(compared.ours[name][:, bitcoin])
        assert int(np.argmax(known)) == node(row.text, row.dialect).look_back, name
