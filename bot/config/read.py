"""A document of plain values -> structs, or every reason why not. Nothing here knows files or lines."""

import re
import types
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from bot.config.suggest import LIMITS, as_key, broken, closest, elsewhere, number_in_unit, number_meant, span_meant, text_meant, within
from bot.config.text import Path, dotted
from bot.config.values import SYMBOL, Span, written
from feeds import times

# Any: values as they stand in a TOML document, and annotations, have no narrower type.


class Problem(NamedTuple):
    """Why a setting is refused.

    on          "key" or "value": which of the two is wrong
    suggestion  what to write instead, as TOML has it; empty: nothing to suggest
    near        other settings that it is about, to point at where this one is not written
    """

    path: Path
    on: Literal["key", "value"]
    message: str
    suggestion: str = ""
    near: tuple[str, ...] = ()


class Field(NamedTuple):
    """A key of a table: its type without annotations, its meaning and limits, and its default."""

    name: str
    kind: Any
    meta: msgspec.Meta
    default: Any

    @property
    def extra(self) -> Mapping[str, Any]:
        return self.meta.extra or {}


SHOWN = 50  # problems that are worth reading; more of them mean that this is another file altogether
_MISSING: Any = object()
_SECRET = re.compile(r"secret|passw|passphrase|token|credential|private_?key|api_?key|(^|_)key$|mnemonic", re.IGNORECASE)


def unwrap(hint: Any) -> tuple[Any, msgspec.Meta]:
    """The type and the note of an annotation."""
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        return kind, next((note for note in notes if isinstance(note, msgspec.Meta)), msgspec.Meta())
    return hint, msgspec.Meta()


def fields(table: type[msgspec.Struct]) -> Mapping[str, Field]:
    """The keys of a table, in order."""
    hints = typing.get_type_hints(table, include_extras=True)
    out = {}
    for field in msgspec.structs.fields(table):
        kind, meta = unwrap(hints[field.name])
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        out[field.name] = Field(field.name, kind, meta, default)
    return out


def is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def leaves(table: msgspec.Struct, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field, Any]]:
    """(path, field, value) of every setting; a table of free names is one leaf for each name, or one when it is empty."""
    for field in fields(type(table)).values():
        value, here = getattr(table, field.name), (*path, field.name)
        if is_table(field.kind):
            yield from leaves(value, here)
        elif get_origin(field.kind) is dict and value:
            for name, item in value.items():
                if isinstance(item, msgspec.Struct):
                    yield from leaves(item, (*here, name))
                else:
                    yield (*here, name), field, item
        else:
            yield here, field, value


class Reader:
    """Reads a document table by table; what is wrong is kept in `problems` and read as the default."""

    def __init__(self, root: type[msgspec.Struct]) -> None:
        self.root = root
        self.problems: list[Problem] = []

    def table(self, kind: type[msgspec.Struct], raw: Any, path: Path = ()) -> Any:
        """The struct; a `kind` with defaults for what was refused."""
        if not isinstance(raw, Mapping):
            self._refuse(path, f"{_shown(raw)} is not a table", f"[{dotted(path)}]" if all(isinstance(p, str) for p in path) else "")
            return kind()
        known = fields(kind)
        good: dict[str, Any] = {}
        for key, value in raw.items():
            here = (*path, key)
            if key not in known:
                suggest = len(self.problems) < SHOWN
                self.problems.append(unknown_key(self.root, path, key, known) if suggest else Problem(here, "key", "unknown key"))
                continue
            read = self.value(known[key].kind, known[key].meta, value, here)
            if read is not _MISSING:
                good[key] = read
        return kind(**good)

    def value(self, kind: Any, meta: msgspec.Meta, raw: Any, path: Path) -> Any:
        """One setting, or _MISSING when it was refused."""
        if is_table(kind):
            return self.table(kind, raw, path)
        origin, extra = get_origin(kind), meta.extra or {}
        if origin is dict:
            return self._names(kind, extra, raw, path)
        if origin is tuple:
            return self._list(kind, raw, path)
        if origin is Literal:
            return self._choice(get_args(kind), raw, path)
        if kind is bool:
            return self._bool(raw, path)
        if origin is types.UnionType:
            plain = float(raw) if isinstance(raw, Decimal) else raw
            return plain if isinstance(plain, kind) else self._refuse(path, f"{_shown(raw)} is no plain value")
        if kind is str:
            return self._text(extra, raw, path)
        if kind is Span:
            return self._span(extra, raw, path)
        return self._number(kind, extra, raw, path)

    def _refuse(self, path: Path, message: str, suggestion: str = "") -> Any:
        self.problems.append(Problem(path, "value", message, suggestion))
        return _MISSING

    def _names(self, kind: Any, extra: Mapping[str, Any], raw: Any, path: Path) -> Any:
        if not isinstance(raw, Mapping):
            return self._refuse(path, f"{_shown(raw)} is not a table", f"[{dotted(path)}]")
        item, meta = unwrap(get_args(kind)[1])
        out = {}
        for key, value in raw.items():
            here = (*path, key)
            if not re.fullmatch(extra["keys"], key):
                said = "is no symbol" if extra["keys"] == SYMBOL else "is no name: lower-case letters, digits and _"
                self.problems.append(Problem(here, "key", f'"{_clean(key)}" {said}', as_key(key, extra["keys"])))
                continue
            read = self.value(item, meta, value, here)
            if read is not _MISSING:
                out[key] = read
        return out

    def _list(self, kind: Any, raw: Any, path: Path) -> Any:
        if not isinstance(raw, list):
            return self._refuse(path, f"{_shown(raw)} is not a list", written([raw]) if isinstance(raw, str) else "")
        item, meta = unwrap(get_args(kind)[0])
        before = len(self.problems)
        out = tuple(self.value(item, meta, value, (*path, number)) for number, value in enumerate(raw))
        return out if len(self.problems) == before else _MISSING

    def _choice(self, choices: tuple[str, ...], raw: Any, path: Path) -> Any:
        if isinstance(raw, str) and raw in choices:
            return raw
        close = closest(str(raw), choices)
        return self._refuse(path, f"{_shown(raw)} is not one of {', '.join(choices)}", written(close) if close else "")

    def _bool(self, raw: Any, path: Path) -> Any:
        if isinstance(raw, bool):
            return raw
        meant = {"true": "true", "yes": "true", "on": "true", "1": "true", "false": "false", "no": "false", "off": "false", "0": "false"}
        return self._refuse(path, f"{_shown(raw)} is neither true nor false", meant.get(str(raw).strip().lower(), ""))

    def _text(self, extra: Mapping[str, Any], raw: Any, path: Path) -> Any:
        if not isinstance(raw, str):
            return self._refuse(path, f"{_shown(raw)} is not text", written(str(raw)) if isinstance(raw, int | float | Decimal) else "")
        shape = extra.get("shape")
        if shape and not re.fullmatch(shape, raw):
            if re.search(r"://[^/\s]*@", raw):
                return self._refuse(path, "an address with a password in it; keys belong in the environment or the secrets file")
            said = (
                "is not how the exchange writes a symbol" if shape == SYMBOL else "is not an address" if "://" in shape else "does not fit"
            )
            return self._refuse(path, f"{_shown(raw)} {said}", text_meant(raw, shape))
        return raw

    def _span(self, extra: Mapping[str, Any], raw: Any, path: Path) -> Any:
        if not isinstance(raw, str):
            seconds = isinstance(raw, int) and not isinstance(raw, bool) and raw > 0
            return self._refuse(
                path, f"{_shown(raw)} has no unit: a duration is text", written(times.span_text(raw * 1000)) if seconds else ""
            )
        try:
            span = Span(raw) if raw != "0s" else Span(0)
        except ValueError:
            return self._refuse(path, f"{_shown(raw)} is not a duration: a whole number and one of ms s m h d w", span_meant(raw))
        for name, limit in (("least", extra.get("least")), ("most", extra.get("most"))):
            if limit is not None and (span < limit if name == "least" else span > limit):
                return self._refuse(
                    path, f"{_shown(raw)} is {'below' if name == 'least' else 'above'} {Span(int(limit))}", written(Span(int(limit)))
                )
        return span

    def _number(self, kind: Any, extra: Mapping[str, Any], raw: Any, path: Path) -> Any:
        if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
            return self._refuse(path, f"{_shown(raw)} is not a number", number_meant(raw, kind is int))
        number = Decimal(str(raw))
        if not number.is_finite():
            return self._refuse(path, f"{_shown(raw)} is not a finite number")
        if kind is int and number != int(number):
            return self._refuse(
                path, f"{_shown(raw)} is not a whole number", str(round(number)) if within(Decimal(round(number)), extra) else ""
            )
        rule = broken(number, extra)
        if rule is not None:
            return self._refuse(path, f"{_shown(raw)} is not {LIMITS[rule][0]} {extra[rule]}{_unit(extra)}", number_in_unit(number, extra))
        if "bps" in str(extra.get("unit")) and 0 < abs(number) < Decimal("0.005"):
            meant = (number * 10_000).normalize()
            return self._refuse(path, f"{_shown(raw)} bps is next to nothing: 1 bps is 0.0001 of the price", f"{meant:f}")
        return number if kind is Decimal else kind(number)


def names_secret(key: str) -> bool:
    """Whether a key is what people call keys and passwords."""
    return _SECRET.search(key.strip().strip("\"'")) is not None


def unknown_key(root: type[msgspec.Struct], path: Path, key: str, known: Mapping[str, Field]) -> Problem:
    """The refusal of a key that is none: a secret in the wrong place, a misspelling, or a key of another table."""
    here = (*path, key)
    if names_secret(key):
        return Problem(
            here, "key", "secrets do not belong in this file: put them in the environment or in the secrets file (account.secrets, 0600)"
        )
    word = "table" if not path and is_table(getattr(known.get(closest(key, known)), "kind", None)) else "key"
    close = closest(key, known)
    if close:
        return Problem(here, "key", f"unknown {word}", close)
    return Problem(here, "key", "unknown key", elsewhere(key, {dotted(path): path[-1] for path, _, _ in leaves(root())}))


def _shown(raw: Any) -> str:
    if isinstance(raw, Mapping):
        return "a table"
    text = written(raw) if isinstance(raw, bool | int | float | Decimal | str | list | tuple) else str(raw)
    return text if len(text) <= 60 else text[:59] + "…"


def _clean(text: str) -> str:
    return written(text)[1:-1][:60]


def _unit(extra: Mapping[str, Any]) -> str:
    unit = extra.get("unit") or ""
    return f": it is a {unit}" if unit.startswith("fraction") else f" {unit}" if unit else ""
