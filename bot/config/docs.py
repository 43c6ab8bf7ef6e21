"""What the settings look like elsewhere: a commented config.toml, docs/config.md, and the JSON Schema. All made from the structs."""

import textwrap
import types
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from bot.config.read import Field, fields, is_table, unwrap
from bot.config.tables import Config
from bot.config.values import Span, written

# Any: annotations, and JSON Schema documents.

HEAD = """\
# Sluice. Every setting with its meaning, its unit and its default; delete what you do not change.
# sluice config check looks for mistakes, sluice config show --origin says what is in force and where it comes from.
# A setting can also come from the environment: SLUICE__RISK__MAX_GROSS=0.5
# Keys and passwords have no place here: they go into the environment or the secrets file (account.secrets).
"""
MARKDOWN_HEAD = """\
# Settings

Every setting of `config.toml`, made from the structs in `bot/config/tables.py` by `make docs`; a test holds this page to them.

A setting comes from, in rising order: the default below, the file, the environment (`SLUICE__RISK__MAX_GROSS=0.5`), the command
line. `sluice config show --origin` says which of them it was. Durations are text (`"15m"`: a whole number and one of
ms s m h d w), rates are fractions (3 % is `0.03`) unless the name says bps (1 bps is 0.0001), money is in the quote currency.
An unknown key, a wrong type or an impossible value stops the start with exit code 4; all problems are shown at once.

Keys and passwords never stand in `config.toml`. They come from the environment (`BYBIT_API_KEY`, `BYBIT_API_SECRET`,
`LLM_API_KEY`, `MQTT_PASSWORD`), or from the file `account.secrets` with lines of the same names, readable by its
owner alone (mode 0600).
"""
EXAMPLES = {
    "strategy.factors": (
        '# reversal = "-ts_zscore(close, 60)"',
        '# breakout = "where(volume > 2 * ts_mean(volume, 240), sign(returns), 0)"',
        '# momentum = "momentum.py"  # def momentum(df): return df["close"].pct_change(20)',
    ),
    "strategy.dialects": ('# reversal = "sluice"',),
    "strategy.weights": ("# reversal = 0.2",),
    "strategy.parameters": ("# lookback = 240",),
}
PROFILES: dict[str, dict[str, str]] = {
    "paper": {},
    "demo": {"exchange.mode": '"demo"', "account.name": '"demo"', "store.path": '".sluice/demo.db"'},
    "testnet": {"exchange.mode": '"testnet"', "account.name": '"testnet"', "store.path": '".sluice/testnet.db"'},
    "live": {
        "exchange.mode": '"live"', "account.name": '"main"', "store.path": '".sluice/live.db"', "trading.share": "0.02",
        "risk.max_order_notional": "500", "risk.max_position_share": "0.05", "risk.max_gross": "0.15", "risk.max_leverage": "1",
    },
}  # fmt: skip


class Section(NamedTuple):
    """A table as it is written: its path, what it is for, its keys with the values that are in force."""

    path: str
    says: str
    keys: list[tuple[Field, Any]]


def default_text(profile: str = "paper") -> str:
    """A commented config.toml. Raises KeyError on a profile that is none of PROFILES."""
    changed = PROFILES[profile]
    lines = [HEAD.rstrip()]
    for section in _sections():
        free = section.path == "instruments"
        head = "# [instruments.BTCUSDT]" if free else f"[{section.path}]"
        lines += ["", *(f"# {line}" for line in textwrap.wrap(section.says, 126)), head]
        for field, value in section.keys:
            text = changed.get(f"{section.path}.{field.name}") or _written(value)
            lines += [f"# {line}" if free else line for line in _assignment(f"{field.name} = {text}", _comment(field))]
        lines += EXAMPLES.get(section.path, ())
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """docs/config.md: every setting with its type, unit, limits and default."""
    lines = [MARKDOWN_HEAD.rstrip()]
    for section in _sections():
        title = "instruments.SYMBOL" if section.path == "instruments" else section.path
        lines += ["", f"## [{title}]", "", section.says]
        if section.keys:
            lines += ["", "| key | default | unit, limits | meaning |", "|---|---|---|---|"]
        for field, value in section.keys:
            default = ", ".join(_code(item) for item in value) if isinstance(value, tuple) and value else _code(value)
            lines.append(f"| `{field.name}` | {default} | {_limits(field)} | {field.meta.description} |")
        if section.path in EXAMPLES:
            lines += ["", "```toml", f"[{section.path}]", *(line.removeprefix("# ") for line in EXAMPLES[section.path]), "```"]
    return "\n".join(lines) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of config.toml, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.toml of Sluice",
        **_table_schema(Config, Config()),
    }


def _sections() -> list[Section]:
    out: list[Section] = []

    def walk(path: tuple[str, ...], value: Any) -> None:
        table = fields(type(value))
        plain = [
            (field, getattr(value, name))
            for name, field in table.items()
            if not is_table(field.kind) and get_origin(field.kind) is not dict
        ]
        if path and plain:
            out.append(Section(".".join(path), str(type(value).__doc__), plain))
        for name, field in table.items():
            if is_table(field.kind):
                walk((*path, name), getattr(value, name))
            elif get_origin(field.kind) is dict:
                inner = unwrap(get_args(field.kind)[1])[0]
                keys = [(key, key.default) for key in fields(inner).values()] if is_table(inner) else []
                says = f"{inner.__doc__} {field.meta.description}." if is_table(inner) else f"{field.meta.description}."
                out.append(Section(".".join((*path, name)), says, keys))

    walk((), Config())
    return out


def _written(value: Any) -> str:
    if isinstance(value, tuple) and sum(map(len, value)) > 60:
        return "[\n" + "".join(f"    {written(item)},\n" for item in value) + "]"
    return written(value)


def _assignment(text: str, comment: str) -> list[str]:
    if "\n" in text or len(f"{text:<34}  # {comment}") > 130:
        return [*(f"# {line}" for line in textwrap.wrap(comment, 126)), *text.split("\n")]
    return [f"{text:<34}  # {comment}"]


def _comment(field: Field) -> str:
    unit = field.extra.get("unit")
    choices = f" ({', '.join(get_args(field.kind))})" if get_origin(field.kind) is Literal and "paper" not in get_args(field.kind) else ""
    return f"{unit + ': ' if unit else ''}{field.meta.description}{choices}"


def _code(value: Any) -> str:
    return f"`{written(value)}`"


def _limits(field: Field) -> str:
    words = [str(field.extra.get("unit") or "")]
    if get_origin(field.kind) is Literal:
        words.append(" ".join(f"`{choice}`" for choice in get_args(field.kind)))
    if field.kind is bool:
        words.append("`true` `false`")
    signs = {"above": ">", "least": ">=", "most": "<=", "below": "<"}
    for rule, sign in signs.items():
        limit = field.extra.get(rule)
        if limit is not None:
            words.append(f"{sign} {Span(int(limit)) if field.kind is Span else limit}")
    return ", ".join(word for word in words if word)


def _table_schema(table: type[msgspec.Struct], value: Any) -> dict[str, Any]:
    properties = {}
    for name, field in fields(table).items():
        default = getattr(value, name)
        said = {"description": field.meta.description} if field.meta.description else {}
        if is_table(field.kind):
            properties[name] = _table_schema(field.kind, default)
        else:
            properties[name] = {**said, **_kind_schema(field.kind, field.extra), "default": _plain(default)}
            if field.extra.get("unit"):
                properties[name]["x-unit"] = field.extra["unit"]
    return {"type": "object", "description": table.__doc__, "additionalProperties": False, "properties": properties}


def _kind_schema(kind: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
    origin = get_origin(kind)
    if is_table(kind):
        return _table_schema(kind, kind())
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin is tuple:
        inner, meta = unwrap(get_args(kind)[0])
        return {"type": "array", "items": _kind_schema(inner, meta.extra or {})}
    if origin is dict:
        inner, meta = unwrap(get_args(kind)[1])
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^{extra['keys']}$"},
            "additionalProperties": _kind_schema(inner, meta.extra or {}),
        }
    if kind is Span:
        return {"type": "string", "pattern": r"^\d+(ms|s|m|h|d|w)$"}
    if kind is str:
        return {"type": "string", **({"pattern": f"^{extra['shape']}$"} if extra.get("shape") else {})}
    if origin is types.UnionType:
        return {"type": ["boolean", "integer", "number", "string"]}
    names = {"above": "exclusiveMinimum", "least": "minimum", "most": "maximum", "below": "exclusiveMaximum"}
    limits = {word: extra[rule] for rule, word in names.items() if extra.get(rule) is not None}
    return {"type": {bool: "boolean", int: "integer"}.get(kind, "number"), **limits}


def _plain(value: Any) -> Any:
    match value:
        case Span():
            return str(value)
        case Decimal():
            return float(value)
        case tuple():
            return [_plain(item) for item in value]
    return value
