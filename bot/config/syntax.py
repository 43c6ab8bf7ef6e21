"""What is wrong with a text that is no TOML, said in terms of what people write: percent signs, missing quotes, YAML."""

import re
from decimal import Decimal

from bot.config.suggest import number_meant
from bot.config.text import Place, dotted, scan
from bot.config.values import written

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_PAIR = re.compile(r"""^(\s*)([A-Za-z0-9_."'-]+)(\s*)([=:])(\s*)(.*?)\s*(?:#.*)?$""")


def syntax_problem(text: str, said: str) -> tuple[Place, str, str]:
    """(place, message, suggestion) from what tomllib said."""
    lines = text.split("\n")
    found = _PLACE.search(said)
    message = (said[: found.start()] if found else said).rstrip(".")
    row = int(found[1]) if found and found[1] else max(1, len(text.rstrip("\n").split("\n")))
    line = lines[row - 1] if row <= len(lines) else ""
    column = int(found[2]) if found and found[2] else len(line) + 1
    if message.startswith("Cannot"):
        twice = scan(text).twice
        if twice:
            path, place = twice[0]
            first = scan(text).found[path].key.line
            return place, f"{dotted(path)}: written twice, first in line {first}", ""
    pair = _PAIR.match(line)
    if pair is not None and pair[4] == ":" and "=" not in line:
        return Place(row, pair.end(2) + len(pair[3]) + 1, 1), "a key and its value are joined by =", f"{pair[2]} = {_quoted(pair[6])}"
    if pair is not None and pair[4] == "=":
        value, start = pair[6], pair.start(6) + 1
        if not value:
            return Place(row, pair.start(4) + 1, 1), f"{pair[2]}: there is no value", ""
        if re.match(r"[\"'][^\"']*$", value):
            return Place(row, start, len(value)), f"{pair[2]}: the quotes do not end", written(value[1:])
        if value[0] not in "\"'[{":
            return Place(row, start, len(value)), f"{pair[2]}: {value[:60]} is no TOML value", _quoted(value)
    header = re.match(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*$", line)
    if header is not None:
        close = "]" * len(header[1])
        return Place(row, len(line.rstrip()) + 1, 1), f"the name of a table ends in {close}", f"{header[1]}{header[2]}{close}"
    if "escape" in message.lower() or "'\\\\'" in message:
        return Place(row, column, 1), f"{message}; in single quotes a backslash is a backslash", ""
    return Place(row, column, 1), message[0].upper() + message[1:], ""


def _quoted(value: str) -> str:
    low = value.strip().lower()
    if low in ("true", "yes", "on"):
        return "true"
    if low in ("false", "no", "off"):
        return "false"
    if re.fullmatch(r"[+-]?\.\d+|[+-]?\d+\.", value):
        return f"{Decimal(value):f}"
    if re.fullmatch(r"[+-]?[\d,_.]+\s*%?", value) and number_meant(value, False):
        return number_meant(value, False)
    return value if re.fullmatch(r"[+-]?\d+(\.\d+)?", value) or value[:1] in "\"'[{" else written(value)
