"""Functions of a DataFrame as models write them, read and rebuilt as a graph. No text is ever run.

The text is parsed, and its tree is walked with a series for each column and a number for each number; what comes back is the graph of
the value that pandas would have given at each bar. Whatever would see bars that have not closed is refused with the causal way to say it.
"""

from collections.abc import Collection

from strategies.errors import FactorError
from strategies.factors.check import TEXT, Limits, check
from strategies.factors.dialects import Setting
from strategies.factors.graph import Node
from strategies.factors.pandas_code import ahead, entry, gates

CODE = TEXT._replace(nodes=256, depth=48)

__all__ = ["CODE", "parse_code"]


def parse_code(code: str, *, timeframe: int, fields: Collection[str], limits: Limits = CODE) -> Node:
    """The factor that a function of a DataFrame computes.

    timeframe  milliseconds of a bar, for windows such as '4h';  fields  what the configured feeds give
    Raises FactorError with code, line, column and suggestion.
    """
    module = gates.tree(code)
    try:
        node = entry.factor(module, Setting(timeframe, frozenset(fields)))
        check(node, limits, units=False)
    except FactorError as refusal:
        seen = ahead.scan(module) if refusal.code != "look_ahead" else None
        raise (seen or refusal).placed(1, 1) from None
    return node
