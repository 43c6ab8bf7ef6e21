"""Recursive operators, indicators and operators across symbols, again from their definitions."""

from collections.abc import Callable
from typing import Any

ORACLE: dict[str, Callable[..., Any]] = {}
