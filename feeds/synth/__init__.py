"""An invented market on disk, in the shapes that history comes in: for the demo and for tests. Never real data.

The rule: the same arguments give the same values to the last bit on any machine, and every file says that it is synthetic.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feeds.synth.market import Coin, Grid, Market, simulate
from feeds.synth.series import observations, settlements
from feeds.synth.stories import Stories, write_stories
from feeds.times import DAY, HOUR, MINUTE, iso, millis, span_text

GENERATOR = "sluice-synth/1"
LABEL = "synthetic market"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
START = millis("2024-03-04T00:00:00Z")  # a Monday
BEFORE = 2 * DAY  # simulated and thrown away, so that slow series are known when the first bar closes

_KNOWN = {
    "BTC": Coin("BTCUSDT", "BTC", 61_000.0, 1, 3, 1.0, 0.15, 6.0e6),
    "ETH": Coin("ETHUSDT", "ETH", 3_350.0, 2, 2, 1.15, 0.22, 2.8e6),
    "SOL": Coin("SOLUSDT", "SOL", 145.0, 2, 1, 1.4, 0.40, 0.9e6),
}
_QUOTES = ("USDT", "USDC", "USD")
MARK = b"sluice"  # in the metadata of a Parquet file: made here, or imported from what was made here


def make_market(
    folder: Path | str,
    seed: int = 7,
    symbols: Sequence[str] = SYMBOLS,
    *,
    days: int = 21,
    timeframe: int = MINUTE,
    start: int = START,
) -> Path:
    """Write a market into `folder` and return the path of its manifest, which is written last.

    candles/<SYMBOL>.parquet, funding.parquet, metrics.parquet, news.parquet, manifest.json. `timeframe` in milliseconds,
    `start` in UTC milliseconds on a whole hour. Raises ValueError naming the argument that cannot be.
    """
    check(seed, symbols, days, timeframe, start)
    target = Path(folder)
    (target / "candles").mkdir(parents=True, exist_ok=True)
    (target / "manifest.json").unlink(missing_ok=True)
    end = start + days * DAY
    coins = tuple(_coin(symbol) for symbol in symbols)
    stories = write_stories(seed, tuple(coin.base for coin in coins), start, end)
    grid = Grid(start - BEFORE, timeframe, (days * DAY + BEFORE) // timeframe)
    market = simulate(seed, coins, grid, stories)
    mark = json.dumps({"synthetic": True, "generator": GENERATOR, "seed": seed}, sort_keys=True)
    files = [_save(target, name, table, mark) for name, table in _tables(seed, market, stories, start).items()]
    settings = _settings(seed, symbols, days, timeframe, start)
    manifest = {"synthetic": True, "label": LABEL, **settings, "first": iso(start), "last": iso(end - timeframe), "files": files}
    path = target / "manifest.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path


def has_market(
    folder: Path | str,
    seed: int = 7,
    symbols: Sequence[str] = SYMBOLS,
    *,
    days: int = 21,
    timeframe: int = MINUTE,
    start: int = START,
) -> bool:
    """Whether `folder` holds this very market, whole: its manifest names these arguments and each file has its checksum."""
    target = Path(folder)
    try:
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        files = {str(entry["file"]): str(entry["sha256"]) for entry in manifest["files"]}
        wanted = _settings(seed, symbols, days, timeframe, start)
        same = all(manifest[key] == value for key, value in wanted.items())
        return same and all(hashlib.sha256((target / name).read_bytes()).hexdigest() == sha for name, sha in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def is_synthetic(path: Path | str) -> bool:
    """Whether a Parquet file says of itself that it was made here; a file that cannot be read is not."""
    try:
        metadata = pq.read_metadata(path).metadata
    except (OSError, pa.ArrowException):
        return False
    return metadata is not None and MARK in metadata


def check(seed: int, symbols: Sequence[str], days: int, timeframe: int, start: int) -> None:
    """Raises ValueError where `make_market` could not obey: names the argument, its value and what it may be."""
    if seed < 0:
        raise ValueError(f"seed is {seed}; take a whole number from 0 on")
    if not 1 <= days <= 3_660:
        raise ValueError(f"days is {days}; take 1 to 3660")
    if timeframe <= 0 or DAY % timeframe or timeframe % 1_000:
        raise ValueError(f"timeframe is {span_text(timeframe)}; take a whole part of a day, such as 1m, 5m, 1h")
    if start % HOUR:
        raise ValueError(f"start is {iso(start)}; take a whole hour")
    if not symbols or len(set(symbols)) != len(symbols):
        raise ValueError(f"symbols are {', '.join(symbols) or 'missing'}; name each once, at least one")
    for symbol in symbols:
        if not symbol.isalnum() or not symbol.isascii():
            raise ValueError(f"symbol {symbol!r} is not a name; take letters and digits, such as BTCUSDT")


def _settings(seed: int, symbols: Sequence[str], days: int, timeframe: int, start: int) -> dict[str, object]:
    frame = {"days": days, "timeframe_ms": timeframe, "start_ms": start}
    return {"generator": GENERATOR, "seed": seed, "symbols": list(symbols), **frame}


def _coin(symbol: str) -> Coin:
    """A known coin, or one invented from the letters of its name: always the same for the same name."""
    base = next((symbol.removesuffix(quote) for quote in _QUOTES if symbol.endswith(quote) and symbol != quote), symbol)
    if base in _KNOWN:
        return _KNOWN[base]._replace(symbol=symbol)
    draw = hashlib.sha256(symbol.encode()).digest()
    price = (draw[0] + 20) / 10.0
    return Coin(symbol, base, price, 4, 0, 1.0 + draw[1] / 512.0, 0.4 + draw[2] / 640.0, 1.5e5 + draw[3] * 1e3)


def _tables(seed: int, market: Market, stories: Stories, start: int) -> dict[str, pa.Table]:
    """Each file's columns, from `start` on."""
    grid = market.grid
    first = (start - grid.start_ms) // grid.timeframe
    opens = start + grid.timeframe * np.arange(grid.bars - first, dtype=np.int64)
    tables: dict[str, pa.Table] = {}
    for s, coin in enumerate(market.coins):
        columns = {"ts_ms": pa.array(opens)}
        for c, name in enumerate(("open", "high", "low", "close", "volume")):
            columns[name] = pa.array(np.ascontiguousarray(market.candles[first:, c, s]))
        tables[f"candles/{coin.symbol}.parquet"] = pa.table(columns)
    rates = settlements(seed, market, start)
    tables["funding.parquet"] = _table(zip(*rates, strict=True), {"symbol": pa.string(), "ts_ms": pa.int64(), "funding_rate": pa.float64()})
    shape = {"metric": pa.string(), "symbol": pa.string(), "ts_ms": pa.int64(), "available_ms": pa.int64(), "value": pa.float64()}
    tables["metrics.parquet"] = _table(zip(*observations(seed, market), strict=True), shape)
    names = ["" if about < 0 else market.coins[about].symbol for about in stories.about]
    tables["news.parquet"] = _table(
        (stories.ts_ms, stories.available_ms, stories.ids, stories.domains, stories.titles, stories.mood.tolist(), stories.kinds, names),
        {"ts_ms": pa.int64(), "available_ms": pa.int64(), "id": pa.string(), "domain": pa.string(), "title": pa.string(),
         "sentiment": pa.float64(), "kind": pa.string(), "symbols": pa.string()},
    )  # fmt: skip
    return tables


def _table(columns: object, shape: Mapping[str, pa.DataType]) -> pa.Table:
    return pa.table({name: pa.array(list(column), kind) for (name, kind), column in zip(shape.items(), columns, strict=True)})  # type: ignore[call-overload]


def _save(folder: Path, name: str, table: pa.Table, mark: str) -> dict[str, object]:
    """Write one file, whole or not at all; what the manifest says about it."""
    path = folder / name
    partial = path.with_suffix(".partial")
    marked = table.replace_schema_metadata({MARK: mark.encode(), b"label": LABEL.encode()})
    pq.write_table(
        marked, partial, compression="none", version="2.6", write_statistics=True, use_dictionary=["symbol"], row_group_size=1 << 20
    )
    os.replace(partial, path)
    body = path.read_bytes()
    values = hashlib.sha256()
    for column in table.column_names:
        values.update(column.encode() + b"\0" + json.dumps(table[column].to_pylist()).encode())
    return {"file": name, "rows": table.num_rows, "sha256": hashlib.sha256(body).hexdigest(), "values_sha256": values.hexdigest()}
