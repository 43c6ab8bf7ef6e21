"""Methods of text, lists and dicts: the few that building a list of columns needs."""

from strategies.errors import BadSyntax, UnknownName
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import MOST_ITEMS, describe, items, operate
from strategies.factors.pandas_code.values import Appended, Columns, Given, Value, Vector

_TEXT = frozenset({"lower", "upper", "strip", "title", "capitalize", "startswith", "endswith", "replace", "split", "isdigit"})


def call(reader: "Reader", of: Value, given: Given, name: str) -> Value:
    match of:
        case str():
            return _text(of, given, name)
        case dict():
            return _dict(reader, of, given, name)
        case list():
            return _list(reader, of, given, name)
        case Appended() if name == "append":
            if of.value is not None:
                raise BadSyntax("the list gets two values in one turn of the loop")
            of.value = given.need("item")
            return None
        case tuple() if name in ("index", "count"):
            return getattr(of, name)(given.need("value"))
        case Columns() if name in ("tolist", "to_list", "copy"):
            return of.names()
        case Columns() if name == "get_loc":
            return of.names().index(given.need("key"))
        case Vector():
            return vector(reader, of, given, name)
        case int() | float() if name in ("item", "astype", "copy", "round", "squeeze"):
            return of
    raise UnknownName(f"{describe(of)} has no {name!r}")


def _text(of: str, given: Given, name: str) -> Value:
    if len(of) > MOST_ITEMS:
        raise BadSyntax("this text is too long")
    if name in _TEXT and all(isinstance(a, str) and len(a) < 100 for a in given.args):
        return getattr(of, name)(*given.args)
    if name == "join":
        parts = [str(p) for p in items(given.need("parts"))]
        if sum(map(len, parts)) < MOST_ITEMS:
            return of.join(parts)
    if name == "format" and "{" in of:
        for place, shown in enumerate(given.args):
            of = of.replace(f"{{{place}}}", str(shown)).replace("{}", str(shown), 1)
        for key, shown in given.named.items():
            of = of.replace(f"{{{key}}}", str(shown))
        given.args, given.named = [], {}
        return of
    raise BadSyntax(f"text has no {name!r} here")


def _dict(reader: "Reader", of: dict[Value, Value], given: Given, name: str) -> Value:
    if name in ("pop", "setdefault", "update"):
        reader.changing(of)
    match name:
        case "items":
            return list(of.items())
        case "keys":
            return list(of)
        case "values":
            return list(of.values())
        case "copy":
            return dict(of)
        case "get":
            key = given.need("key")
            return of.get(key, given.take("default"))
        case "pop":
            return of.pop(given.need("key"), given.take("default"))
        case "setdefault":
            return of.setdefault(given.need("key"), given.take("default"))
        case "update":
            of.update(given.take("other", {}))
            of.update(given.named)
            return None
    raise BadSyntax(f"a dict has no {name!r} here")


def _list(reader: "Reader", of: list[Value], given: Given, name: str) -> Value:
    if len(of) > MOST_ITEMS:
        raise BadSyntax("this list is too long")
    if name in ("append", "extend", "insert", "pop", "reverse"):
        reader.changing(of)
    match name:
        case "append":
            of.append(given.need("item"))
            return None
        case "extend":
            of.extend(items(given.need("items")))
            return None
        case "insert":
            at = given.need("index")
            of.insert(at, given.need("item"))
            return None
        case "copy":
            return list(of)
        case "index":
            return of.index(given.need("item"))
        case "pop":
            return of.pop(given.take("index", -1))
        case "reverse":
            of.reverse()
            return None
        case "difference" | "intersection" | "union":  # of sets, which are lists here
            others = given.need("other")
            return operate(reader, {"difference": "sub", "intersection": "and", "union": "or"}[name], of, others)
        case "issubset":
            others = items(given.need("other"))
            return all(one in others for one in of)
    raise BadSyntax(f"a list has no {name!r} here")


def vector(reader: "Reader", of: Vector, given: Given, name: str) -> Value:
    """Of a constant array."""
    values = of.items
    match name:
        case "sum":
            return float(sum(values))
        case "mean":
            return float(sum(values)) / len(values)
        case "max":
            return max(values)
        case "min":
            return min(values)
        case "astype" | "copy" | "flatten" | "ravel" | "reshape" | "to_numpy":
            return of
        case "tolist":
            return list(values)
        case "cumsum":
            return Vector(tuple(sum(values[: i + 1]) for i in range(len(values))))
        case "std" | "var":
            ddof = int(given.take("ddof", 0))
            mean = sum(values) / len(values)
            var = sum((v - mean) ** 2 for v in values) / (len(values) - ddof)
            return float(var if name == "var" else var**0.5)
        case "dot":
            other = given.need("b")
            return operate(reader, "dot", of, other)
    raise BadSyntax(f"an array has no {name!r} here")
