"""What was probably meant: near names, forgotten units, percent for fractions. Returns text as TOML has it, or nothing."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from bot.config.values import SYMBOL, written

# Any: limits come from a note's open dictionary.

LIMITS: dict[str, tuple[str, Callable[[Decimal, Any], bool]]] = {
    "above": ("above", lambda x, limit: x > limit),
    "least": ("at least", lambda x, limit: x >= Decimal(str(limit))),
    "most": ("at most", lambda x, limit: x <= Decimal(str(limit))),
    "below": ("below", lambda x, limit: x < limit),
}
_ALSO = {  # what people call it -> where it is
    "leverage": "risk.max_leverage", "fee": "costs.taker_bps", "fees": "costs.taker_bps", "commission": "costs.taker_bps",
    "slippage": "costs.slippage_bps", "spread": "costs.spread_bps", "pairs": "exchange.symbols", "universe": "exchange.symbols",
    "interval": "exchange.timeframe", "environment": "exchange.mode", "capital": "account.cash", "balance": "account.cash",
    "equity": "account.cash", "database": "store.path", "size": "trading.share", "threshold": "strategy.entry_threshold",
    "drawdown": "risk.max_drawdown", "latency": "execution.latency_ms", "cooldown": "trading.cool_down_bars",
}  # fmt: skip
_UNITS = {
    "": "s", "sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h", "day": "d", "week": "w", "millisecond": "ms",
}  # fmt: skip


def closest(word: str, choices: Iterable[object], cutoff: float = 0.6) -> str:
    """The choice that looks most like the word, or nothing."""
    names = [str(choice) for choice in choices]
    plain = _letters(word)
    close = [name for name in names if _letters(name) == plain] or difflib.get_close_matches(word.lower(), names, 1, cutoff)
    if not close and len(plain) >= 4:
        close = [name for name in names if plain in _letters(name) or (len(name) >= 4 and name in word.lower())]
    return close[0] if close else ""


def elsewhere(key: str, settings: Mapping[str, str]) -> str:
    """The setting of another table that a key was probably meant for; settings  dotted name -> last part."""
    named = [place for place, last in settings.items() if last == key.lower()]
    if named or key.lower() in _ALSO:
        return named[0] if named else _ALSO[key.lower()]
    close = closest(key, settings.values(), 0.75)
    return next((place for place, last in settings.items() if last == close), "")


def as_key(key: str, keys: str) -> str:
    """A free name as it must be written."""
    meant = _symbol(key) if keys == SYMBOL else re.sub(r"\W+", "_", key.lower(), flags=re.ASCII).strip("_")
    return meant if re.fullmatch(keys, meant) else ""


def text_meant(raw: str, shape: str) -> str:
    """BTC/USDT:USDT -> "BTCUSDT"; an address without its scheme -> with it."""
    if shape == SYMBOL:
        meant = _symbol(raw)
        return written(meant) if re.fullmatch(shape, meant) else ""
    if "://" not in raw:
        for scheme in ("https://", "wss://"):
            if re.fullmatch(shape, scheme + raw):
                return written(scheme + raw)
    return ""


def span_meant(raw: str) -> str:
    """5 min -> "5m"."""
    parts = re.fullmatch(r"\s*(\d+)\s*([a-zA-Z]*)\s*", raw)
    if parts is None or int(parts[1]) == 0:
        return ""
    unit = parts[2].lower()
    unit = _UNITS.get(unit.removesuffix("s") if len(unit) > 2 else unit, unit)
    return written(f"{int(parts[1])}{unit}") if unit in ("ms", "s", "m", "h", "d", "w") else ""


def number_meant(raw: object, whole: bool) -> str:
    """3% -> 0.03; "0.5" -> 0.5; 10 bps -> 10."""
    text = str(raw).strip()
    if re.fullmatch(r"[+-]?(\d+,\d{1,2}|\d+,\d{4,}|0,\d+)(\s*%)?", text):
        text = text.replace(",", ".")  # not between thousands
    text = text.replace(",", "").replace("_", "")
    percent = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)\s*%", text)
    if percent:
        return f"{(Decimal(percent[1]) / 100).normalize():f}"
    plain = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)(?:\s*[A-Za-z]+)?", text)
    return plain[1] if plain and not (whole and "." in plain[1]) else ""


def broken(number: Decimal, extra: Mapping[str, Any]) -> str | None:
    """The first limit that a number does not keep."""
    return next((rule for rule, (_, keeps) in LIMITS.items() if extra.get(rule) is not None and not keeps(number, extra[rule])), None)


def within(number: Decimal, extra: Mapping[str, Any]) -> bool:
    """Whether it keeps all limits."""
    return broken(number, extra) is None


def number_in_unit(number: Decimal, extra: Mapping[str, Any]) -> str:
    """A number outside its limits, with the other sign, or as a fraction where percent was written, or at the limit."""
    tries = [-number]
    if str(extra.get("unit")).startswith("fraction"):
        tries += [number / 100, -number / 100]
    for meant in tries:
        if number != 0 and within(meant, extra):
            return f"{meant.normalize():f}"
    rule = broken(number, extra)
    return str(extra[rule]) if rule in ("least", "most") else ""


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _symbol(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.split(":", maxsplit=1)[0].upper())
