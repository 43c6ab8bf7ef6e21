"""Every run of a store in one list, with what it came to: read from what each wrote at its end, so that a thousand take no time.

The rule: a run that has not ended, or was cut off, has the figures that its books can give cheaply, and None for the others.
"""

import sqlite3
from typing import NamedTuple

import msgspec
import numpy as np

from bot.store.reader import Reader

_COLUMNS = "id, mode, state, started_ms, ended_ms, config_hash, seed, symbols, timeframe, data_hash, versions, digest, chain, summary"


class Filter(NamedTuple):
    """Which runs: of one mode, with this symbol, begun at or after `since` (UTC milliseconds); None: any."""

    mode: str | None = None
    symbol: str | None = None
    since: int | None = None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the list. Returns are fractions; start_ms, end_ms: the span that was traded; bars: bar closes times symbols."""

    id: str
    mode: str
    state: str
    started_ms: int
    ended_ms: int | None
    symbols: tuple[str, ...]
    timeframe: int
    seed: int
    config_hash: str
    data_hash: str
    versions: dict[str, str]
    digest: str | None
    chain: str | None
    synthetic: bool = False
    start_ms: int | None = None
    end_ms: int | None = None
    bars: int | None = None
    fills: int | None = None
    trades: int | None = None
    total_return: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None


class _Figures(msgspec.Struct, frozen=True):
    trades: int | None = None
    total_return: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None


class _Summary(msgspec.Struct, frozen=True):
    start: int | None = None
    stop: int | None = None
    bars: int | None = None
    fills: int | None = None
    synthetic: bool = False
    metrics: _Figures | None = None


_symbols = msgspec.json.Decoder(tuple[str, ...]).decode
_versions = msgspec.json.Decoder(dict[str, str]).decode
_summary = msgspec.json.Decoder(_Summary).decode


def runs(reader: Reader, chosen: Filter = Filter(), last: int | None = None) -> list[Listed]:  # noqa: B008  # a value, never changed
    """The runs that match, the newest first; at most the `last` so many."""
    where, values = ["1"], list[object]()
    for clause, value in (("mode = ?", chosen.mode), ("started_ms >= ?", chosen.since)):
        if value is not None:
            where.append(clause)
            values.append(value)
    query = f"SELECT {_COLUMNS} FROM runs WHERE {' AND '.join(where)} ORDER BY started_ms DESC, rowid DESC"
    found: list[Listed] = []
    for row in reader.conn.execute(query, values):
        symbols = _symbols(row[7])
        if chosen.symbol is not None and chosen.symbol not in symbols:
            continue
        if last is not None and len(found) == last:
            break
        found.append(_listed(reader, row, symbols))
    return found


def _listed(reader: Reader, row: tuple[object, ...], symbols: tuple[str, ...]) -> Listed:
    id, mode, state, started, ended, config_hash, seed, _, timeframe, data_hash, versions, digest, chain, text = row
    if state == "running":
        state = reader.run(str(id)).state  # whose process is gone, is interrupted
    summary = _summary(str(text)) if text else _Summary()
    figures = summary.metrics
    if figures is None:
        summary, figures = _from_books(reader.conn, str(id), summary)
    return msgspec.convert(
        {
            "id": id, "mode": mode, "state": state, "started_ms": started, "ended_ms": ended, "symbols": symbols, "timeframe": timeframe,
            "seed": seed, "config_hash": config_hash, "data_hash": data_hash, "versions": _versions(str(versions)), "digest": digest,
            "chain": chain, "synthetic": summary.synthetic or mode == "demo", "start_ms": summary.start, "end_ms": summary.stop,
            "bars": summary.bars, "fills": summary.fills, **msgspec.structs.asdict(figures),
        },
        Listed,
    )  # fmt: skip


def _from_books(conn: sqlite3.Connection, run: str, summary: _Summary) -> tuple[_Summary, _Figures]:
    """Of a run without a summary, from the account's points and its fills."""
    rows = conn.execute("SELECT bar_ms, equity FROM equity WHERE run = ? ORDER BY bar_ms", (run,)).fetchall()
    known = [(at, value) for at, value in rows if value is not None]
    if not known:
        return summary, _Figures()
    equity = np.array([value for _, value in known])
    fall = float((equity / np.maximum.accumulate(equity) - 1.0).min()) if (equity > 0).all() else None
    fills = conn.execute("SELECT count(*) FROM fills WHERE run = ?", (run,)).fetchone()[0]
    grown = float(equity[-1] / equity[0] - 1.0) if equity[0] > 0 else None
    told = msgspec.structs.replace(summary, start=known[0][0], stop=known[-1][0], fills=fills)
    return told, _Figures(trades=None, total_return=grown, max_drawdown=fall)
