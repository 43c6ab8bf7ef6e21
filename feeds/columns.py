"""Which column of a foreign file is what: by its name, by the kind of file, or as the user says; and never by guessing between two."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from feeds import times
from feeds.errors import BadData
from feeds.instruments import QUOTES, base_of
from feeds.metric_names import RESERVED, metric_name
from feeds.sheets import Sheet, plainer

PRICES = ("open", "high", "low", "close")
TIME = "ts"
# role -> names in groups; an earlier group wins, and two names of one group are one too many
NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    TIME: (
        ("ts_ms", "open_ms", "open_time", "opentime", "open_time_ms", "opentime_ms", "calc_time", "create_time", "funding_time",
         "fundingtime", "funding_rate_timestamp", "settle_ms", "start_at", "starttime", "start_time", "start_ms", "start"),
        ("timestamp", "timestamp_ms", "ts", "unix", "unix_timestamp", "unix_ms", "epoch", "transact_time"),
        ("datetime", "date_time", "date", "gmt_time", "utc_time", "time_utc", "time_period_start", "day"),
        ("time", "t"),
        ("index", "index_level_0", "column_1", "column_last", "unnamed_0"),
    ),
    "open": (("open", "open_price", "price_open", "o", "openprice"), ("first",)),
    "high": (("high", "high_price", "price_high", "h", "max", "highprice"),),
    "low": (("low", "low_price", "price_low", "l", "min", "lowprice"),),
    "close": (("close", "close_price", "price_close", "c", "closeprice", "close_last"), ("last", "price")),
    "volume": (
        ("volume", "vol", "base_volume", "volume_base", "volumefrom", "volume_traded", "v", "tick_volume", "tickvol", "basevolume"),
        ("size", "qty", "quantity", "amount"),
    ),
    "turnover": (("turnover", "quote_volume", "quote_asset_volume", "volume_quote", "volumeto", "volume_currency", "quote_vol",
                  "quotevolume", "amount_quote"),),
    "symbol": (("symbol", "pair", "ticker", "instrument", "tic", "market", "coin"),),
    "funding_rate": (("funding_rate", "last_funding_rate", "fundingrate", "lastfundingrate", "rate"),),
    "mark_price": (("mark_price", "markprice"), ("mark",)),
    "available": (("available_ms", "available_at"),),
    "venue": (("venue", "exchange"),),
}  # fmt: skip
BINANCE = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades", "taker_buy_volume",
    "taker_buy_quote_volume", "ignore",
)  # fmt: skip
PLAIN = BINANCE[:6]
# dumps of trades without a header, by a word of the file's name
TRADES = (
    (
        "aggtrades",
        ("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker", "best_match"),
    ),
    ("trades", ("id", "price", "quantity", "quote_qty", "time", "is_buyer_maker", "best_match")),
)
LEFT = {"ignore", "close_time", "unnamed_0", "index", "adj_close", "funding_interval_hours", "interval"}
# what the name of a file says of its kind
KINDS = (
    (re.compile(r"funding[-_]?rate|fundingrate", re.I), "funding"),
    (re.compile(r"mark[-_]?price|[-_]mark\b|[-_]mark[-_.]", re.I), "mark"),
    (re.compile(r"premium[-_]?index", re.I), "premium"),
    (re.compile(r"index[-_]?price|[-_]index[-_.]", re.I), "index"),
)
SPAN = re.compile(r"(?<![A-Za-z0-9])(\d{1,2}[mhd]|1w)(?![A-Za-z0-9])|(?<![A-Za-z0-9])(\d{1,4})min(?![A-Za-z0-9])")
EMPTY_NAMES = {"data", "prices", "candles", "ohlcv", "history", "download", "export", "klines", "file", "output", "test", "sample", "table"}


class Roles(NamedTuple):
    """What a sheet holds.

    kind     candles, mark, index, premium, funding, trades, or metrics
    columns  role -> plain column; `ts` may be two columns: a day and a clock
    metrics  plain column -> metric;  left  columns that are not read;  notes  what was found out in another way than by the name
    """

    kind: str
    layout: str
    columns: dict[str, tuple[str, ...]]
    metrics: dict[str, str]
    left: tuple[str, ...]
    notes: list[str]


def mapping_of(words: Sequence[str]) -> dict[str, str]:
    """`ts=Date,open=Open` as role -> column. Raises BadData for a role that does not exist."""
    out = {}
    for word in words:
        role, equals, name = word.partition("=")
        role = {"time": TIME, "date": TIME, "timestamp": TIME, "ts_ms": TIME, "available_ms": "available"}.get(role.strip(), role.strip())
        if not equals or not name.strip() or role not in NAMES:
            raise BadData(f"--columns {word}: write ROLE=COLUMN, where ROLE is one of {' '.join(NAMES)}")
        out[role] = name.strip()
    return out


def roles_of(sheet: Sheet, said: Mapping[str, str], kind: str | None, symbol: str | None) -> tuple[Sheet, Roles]:
    """The sheet, with names given to its columns where it has none, and what they are. Raises BadData that says what to add."""
    notes: list[str] = []
    if not sheet.header and not said:
        sheet = _headed(sheet, notes)
    columns = _columns(sheet, said, symbol, notes)
    named = kind or next((one for pattern, one in KINDS if pattern.search(_tail(sheet.path))), None)
    has_bars = all(role in columns for role in PRICES)
    if named == "funding" and "funding_rate" not in columns and has_bars:  # freqtrade keeps rates as candles
        columns["funding_rate"] = columns["open"]
        notes.append("the rate is the open of freqtrade's funding candles")
    found = named or _kind(columns, has_bars, sheet)
    if found == "trades" and "price" in sheet.columns:
        columns.setdefault("close", ("price",))
    if TIME not in columns:
        raise BadData(f"{sheet.name}: no column is the time (columns there: {_there(sheet)}); name it: --columns ts=NAME")
    needed = {"funding": ("funding_rate",), "metrics": (), "trades": ("close", "volume")}.get(found, PRICES)
    lacking = [role for role in needed if role not in columns]
    if found == "candles" and "volume" not in columns:
        lacking.append("volume")
    if lacking:
        words = ",".join(f"{role}=NAME" for role in lacking)
        raise BadData(f"{sheet.name}: no column is {' or '.join(lacking)} (columns there: {_there(sheet)}); name it: --columns {words}")
    metrics = _metrics(sheet, columns) if found == "metrics" else {}
    used = {name for names in columns.values() for name in names} | set(metrics)
    left = tuple(sheet.raw[name] for name in sheet.columns if name not in used)
    return sheet, Roles(found, _layout(sheet, notes), columns, metrics, left, notes)


def _there(sheet: Sheet) -> str:
    return ", ".join(sheet.raw.values())


def _tail(path: Path) -> str:
    return "/".join(path.parts[-3:])


def _layout(sheet: Sheet, notes: list[str]) -> str:
    names = set(sheet.columns)
    if {"taker_buy_volume", "close_time"} <= names or {"taker_buy_base_asset_volume", "close_time"} <= names:
        return "Binance klines" if sheet.header else "klines without header"
    if {"calc_time", "last_funding_rate"} <= names or "sum_open_interest" in names:
        return "Binance dump"
    if {"start_at", "period"} <= names or {"tickdirection", "trdmatchid"} <= names or {"tick_direction", "trd_match_id"} <= names:
        return "Bybit dump"
    if re.search(r"-(futures|mark|index|funding_rate|premiumindex)\.|^[A-Z0-9]+_[A-Z0-9]+-\d+[mhdw]\.", sheet.path.name, re.I) and (
        sheet.path.suffix == ".feather" or ".json" in sheet.path.name
    ):
        return "freqtrade"
    kind = {".parquet": "Parquet", ".pq": "Parquet", ".feather": "Feather", ".arrow": "Feather"}.get(sheet.path.suffix.lower())
    kind = kind or ("JSON" if ".json" in sheet.path.name.lower() else "CSV")
    return kind if sheet.header else f"{kind} without header"


def _headed(sheet: Sheet, notes: list[str]) -> Sheet:
    """A sheet without names, by its width; the values are checked like all others later."""
    width = len(sheet.columns)
    trades = next((found for word, found in TRADES if word in sheet.path.name.lower()), ())
    names = (
        trades[:width]
        if 6 <= width <= len(trades)
        else {len(BINANCE): BINANCE, len(PLAIN): PLAIN, len(PLAIN) + 1: (*PLAIN, "turnover")}.get(width)
    )
    if names is None:
        raise BadData(
            f"{sheet.name}: no header line and {width} columns: cannot tell which is which; "
            "name them by their number: --columns ts=1,open=2,high=3,low=4,close=5,volume=6"
        )
    notes.append(f"no header: taken as {' '.join(names[:7])}{' ...' if width > 7 else ''}")
    columns = dict(zip(names, sheet.columns.values(), strict=True))
    return sheet._replace(columns=columns, raw={name: f"{place + 1} ({name})" for place, name in enumerate(names)})


def _columns(sheet: Sheet, said: Mapping[str, str], symbol: str | None, notes: list[str]) -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    for role, name in said.items():
        found = [_column(sheet, part, role) for part in name.split("+")]
        out[role] = tuple(found)
    taken = {name for names in out.values() for name in names}
    for role, groups in NAMES.items():
        if role in out:
            continue
        names = [name for name in sheet.columns if name not in taken]
        group = next((found for group in groups if (found := [name for name in names if name in group])), [])
        if role == "close" and group == ["price"] and "open" not in out:
            group = []  # a table of trades
        if len(group) > 1 and role == TIME:
            out[role] = _several_times(sheet, group, notes)
        elif len(group) > 1:
            listed = " and ".join(sheet.raw[name] for name in group)
            raise BadData(f"{sheet.name}: columns {listed} could each be the {role}; say which: --columns {role}={sheet.raw[group[0]]}")
        elif group:
            out[role] = (group[0],)
            if role == TIME and group[0] in ("date", "day") and "time" in names:
                out[role] = (group[0], "time")
                notes.append(f"the time is {sheet.raw[group[0]]} and {sheet.raw['time']} together")
    _volumes(sheet, out, symbol, notes)
    return out


def _column(sheet: Sheet, name: str, role: str) -> str:
    if plainer(name) in sheet.columns:
        return plainer(name)
    if name.isdigit() and 1 <= int(name) <= len(sheet.columns):
        return list(sheet.columns)[int(name) - 1]
    raise BadData(f"{sheet.name}: --columns {role}={name}: there is no such column (columns there: {_there(sheet)})")


def _several_times(sheet: Sheet, group: list[str], notes: list[str]) -> tuple[str, ...]:
    listed = " and ".join(sheet.raw[name] for name in group)
    raise BadData(f"{sheet.name}: columns {listed} could each be the time; say which: --columns ts={sheet.raw[group[0]]}")


def _volumes(sheet: Sheet, out: dict[str, tuple[str, ...]], symbol: str | None, notes: list[str]) -> None:
    """`Volume BTC` and `Volume USDT`: base and quote, told by the symbol or by the name of the quote."""
    units = {name: name.removeprefix("volume_") for name in sheet.columns if re.fullmatch(r"volume_[a-z0-9]+", name)}
    units = {name: unit for name, unit in units.items() if not any(name in names for names in out.values())}
    base = base_of(symbol).lower() if symbol else ""
    quotes = {quote.lower() for quote in QUOTES if quote not in ("BTC", "ETH") or base not in (quote.lower(), "")}
    for name, unit in units.items():
        if "volume" not in out and (unit == base or (not base and unit not in quotes)):
            out["volume"] = (name,)
            notes.append(f"{sheet.raw[name]} is the volume in coins")
        elif "turnover" not in out and unit in quotes and unit != base:
            out["turnover"] = (name,)
            notes.append(f"{sheet.raw[name]} is the turnover")


def _kind(columns: Mapping[str, tuple[str, ...]], has_bars: bool, sheet: Sheet) -> str:
    if has_bars:
        return "candles"
    if "funding_rate" in columns:
        return "funding"
    if "price" in sheet.columns and any(name in sheet.columns for name in ("size", "qty", "quantity", "amount", "volume")):
        return "trades"
    lacking = [role for role in PRICES if role not in columns]
    return "metrics" if len(lacking) == len(PRICES) else "candles"


def _metrics(sheet: Sheet, columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    used = {name for names in columns.values() for name in names}
    out = {name: metric_name(name) for name in sheet.columns if name not in used and name not in LEFT}
    wrong = [sheet.raw[name] for name, metric in out.items() if metric in RESERVED]
    if wrong:
        raise BadData(f"{sheet.name}: column {wrong[0]} has the name of a candle's field and stands without the others; rename it")
    return out


def span_in(path: Path) -> int | None:
    """The bar length in a file's name or in that of its folder: `BTCUSDT-1m-2024-01.zip`, `1h/BTCUSDT.csv`."""
    for text in (path.name, path.parent.name):
        found = SPAN.search(re.sub(r"_", "-", text))
        if found:
            return times.span(found[1]) if found[1] else int(found[2]) * times.MINUTE
    return None


def symbol_in(path: Path) -> str | None:
    """The symbol that a file's name holds, as an exchange writes it; None where no word of it is clearly one.

    Two words of which the second is a quote (`BTC_USDT-1h`, `BTC-USD`), a word that ends in one (`Binance_BTCUSDT_1h`), or a name
    that is one word in capitals (`AAPL`). A month of an archive is named after its folder.
    """
    stem = re.split(r"\.(?:csv|zip|parquet|pq|feather|arrow|json|tsv|txt)\b", path.name, maxsplit=1, flags=re.I)[0]
    if re.fullmatch(r"\d{4}-\d\d", stem):
        stem = path.parent.name
    words = [word for word in re.split(r"[-_ ()]+", stem) if word]
    plain = [word.upper() for word in words if word in (word.upper(), word.lower())]  # `bitstampUSD` is no symbol
    for first, second in pairwise(plain):
        if second in QUOTES and re.fullmatch(r"[A-Z0-9]{1,20}", first) and base_of(first) == first:
            return first + second
    paired = next((found for word in plain if (found := named_symbol(word)) and base_of(found) != found and found not in QUOTES), None)
    if paired is not None:
        return paired
    alone = len(words) == 1 and words[0] == words[0].upper()
    return named_symbol(words[0]) if alone and words[0].lower() not in EMPTY_NAMES else None


def named_symbol(text: str) -> str | None:
    """`BTC/USDT:USDT` -> BTCUSDT; None for what cannot be a symbol."""
    word = re.sub(r"(?<=[A-Z0-9])[/_-](?=[A-Z0-9]+$)", "", text.strip().upper().partition(":")[0])
    day = re.match(r"([A-Z0-9]+?(?:USDT|USDC|USD|BTC|ETH|EUR))(?:\d{4}.*)?$", word)
    word = day[1] if day else word
    return word if re.fullmatch(r"[A-Z0-9][A-Z0-9.]{0,30}", word) and not word.isdigit() else None
