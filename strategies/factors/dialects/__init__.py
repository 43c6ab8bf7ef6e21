"""Dialects: ways to write factors, each a table in a file of its own; and the names that all of them share."""

from collections.abc import Mapping

from strategies.factors.dialects.alphagen import ALPHAGEN
from strategies.factors.dialects.dialect import Dialect, Rule, Table, define, is_so
from strategies.factors.dialects.gtja import GTJA
from strategies.factors.dialects.names import (
    DERIVED,
    LOOKING_AHEAD,
    PANEL_FIELDS,
    UNITS,
    WHOLE_SAMPLE,
    YEAR,
    Setting,
    bars,
    is_derived,
    is_known,
    lacking,
    resolve,
)
from strategies.factors.dialects.qlib import QLIB
from strategies.factors.dialects.sluice import SLUICE
from strategies.factors.dialects.worldquant import WORLDQUANT

__all__ = [
    "DERIVED", "DIALECTS", "LOOKING_AHEAD", "PANEL_FIELDS", "SLUICE", "UNITS", "WHOLE_SAMPLE", "YEAR", "Dialect", "Rule", "Setting",
    "Table", "bars", "define", "is_derived", "is_known", "is_so", "lacking", "resolve",
]  # fmt: skip

DIALECTS: Mapping[str, Dialect] = {d.name: d for d in (SLUICE, WORLDQUANT, GTJA, QLIB, ALPHAGEN)}
