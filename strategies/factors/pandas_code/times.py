"""The time of a bar: what `df.index.hour` and the like say, from the absolute index of the bar and the timeframe. In UTC."""

from strategies.errors import BadSyntax, UnknownName
from strategies.factors.graph import Node, const
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.values import Given, Index, Kind, Series, Value

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
DAYS = 1_000_000  # the cycle of a clock that counts days
THURSDAY = 3  # 1970-01-01, where Monday is 0
_SAME = frozenset({"to_series", "tz_localize", "tz_convert", "to_numpy", "sort_values", "copy", "to_pydatetime"})


def part(reader: "Reader", owner: Index, name: str) -> Value | None:
    """`df.index.hour`; None where it is no such property."""
    if name == "dt":
        return owner
    node = None if owner.lost or owner.missing else _part(reader, name)
    return None if node is None else Series(node, Kind.INT, low=1, known=True, array=True)


def method(reader: "Reader", owner: Index, given: Given, name: str) -> Value:
    """`df.index.normalize()`, `df.index.floor('D')`: the day, to group by."""
    if name in _SAME and given.named.get("tz", given.args[0] if given.args else "UTC") in ("UTC", "utc", None):
        return owner
    if name in ("normalize", "floor", "to_period"):
        unit = given.take("freq", "D")
        days = part(reader, owner, "date") if str(unit).lower() in ("d", "1d") else None
        if days is None:
            raise BadSyntax("of the times of bars the day is understood", suggestion="df.index.floor('D')")
        return days
    raise UnknownName(f"the index has no {name!r} here", suggestion="df.index.hour, .dayofweek, .date")


def bars_a_day(key: Value) -> int:
    """Bars of a group where a column counts days, else 0."""
    if isinstance(key, Series) and key.node.op == "clock" and key.node.params[1] == DAYS:
        return int(key.node.params[0])
    return 0


def _part(reader: "Reader", name: str) -> Node | None:
    match name:
        case "date":
            return _clock(reader, DAY, DAYS, 0)
        case "dayofweek" | "weekday" | "day_of_week":
            return _clock(reader, DAY, 7, THURSDAY)
        case "hour":
            return _clock(reader, HOUR, 24, 0)
        case "minute":
            return _clock(reader, MINUTE, 60, 0)
    return None


def _clock(reader: "Reader", unit: int, cycle: int, later: int) -> Node:
    """Whole units since 1970, modulo the cycle."""
    bar = reader.setting.timeframe
    if unit % bar == 0:
        return node_of("clock", reader.clock, unit // bar, cycle, later * (unit // bar))
    if bar % unit == 0 and unit * cycle % bar == 0:
        return node_of("mul", node_of("clock", reader.clock, 1, unit * cycle // bar, 0), bar // unit)
    if bar % (unit * cycle) == 0:
        return node_of("where", node_of("is_nan", reader.clock), const(0), const(0))
    raise BadSyntax("the timeframe fills no day or hour")
