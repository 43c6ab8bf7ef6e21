"""The factor machine beside other engines, in one process on one data set: `python -m bench.factors [--short] [--json]`.

W1         30 factors, 50 symbols, in one block;   W3  10 factors, 1 symbol;   W2  W1's program, bar by bar
operators  each alone, at windows 20 and 500;  drift  after a long history;  threads  one and two;  start  cold and warm

Engines that are not installed are named, and left out. Values are compared before anything is timed, and what a peer has otherwise is
counted. Times are CPU time, the least of rounds that take turns; ratios hold within one run, times do not carry over to another.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from bench import drift, kunquant, operators
from bench.workloads import FIELDS, FIRST, MINUTE, TEN, W1, W3, Frame, graphs_of, market, peer
from strategies.factors import Machine, compile_factors

Array = NDArray[np.float64]
Work = Callable[[], object]

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-4  # of a column's size: what pandas' running sums are good to over a long history
PACKAGES = {"KunQuant": "KunQuant (and g++)", "bottleneck": "bottleneck", "TA-Lib": "TA-Lib", "numbagg": "numbagg", "polars": "polars"}
TABLES = ("blocks", "live", "operators", "drift", "threads", "start")


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    options.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; all where none is named")
    options.add_argument("--bars", type=int, default=20_000, help="of W1, 50 symbols (default 20000)")
    options.add_argument("--long", type=int, default=500_000, help="of W3, 1 symbol (default 500000)")
    options.add_argument("--drift", type=int, default=10_000_000, help="bars of the history for drift (default 10000000)")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--short", action="store_true", help="a tenth of all sizes")
    options.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    asked = options.parse_args()
    if unknown := set(asked.tables) - set(TABLES):
        options.error(f"no table {', '.join(sorted(unknown))}")
    share = 10 if asked.short else 1
    bars, long = asked.bars // share, asked.long // share
    makers: dict[str, Callable[[], Any]] = {
        "blocks": lambda: [block("W1", W1, bars, 50, asked.rounds), block("W3", W3, long, 1, asked.rounds)],
        "live": lambda: [live("W2, 30 factors", W1, 3_000 // share), live("10 indicators", TEN, 3_000 // share)],
        "operators": lambda: [
            line for wide, size in ((50, bars), (1, long)) for line in operators.measured(alone(size, wide), rounds=asked.rounds)
        ],
        "drift": lambda: drift.measured(asked.drift // share),
        "threads": lambda: threads(bars, asked.rounds * 3),
        "start": start,
    }
    printers = {"operators": operators.text, "drift": drift.text}
    have, results = operators.installed(), {}
    missing = [f"{name}: pip install {package}" for name, package in PACKAGES.items() if name not in have]
    for name in asked.tables or TABLES:
        results[name] = makers[name]()
        if not asked.json:
            print(f"\n## {name}\n\n{printers.get(name, lines)(results[name])}", flush=True)
    if asked.json:
        plain = {name: [row._asdict() if hasattr(row, "_asdict") else row for row in rows] for name, rows in results.items()}
        print(json.dumps({"missing": missing, **plain}))
    elif missing:
        print(f"\nnot here: {'; '.join(missing)}")


def lines(rows: list[dict[str, Any]]) -> str:
    """One line for each row."""
    return "\n".join(f"- {', '.join(f'{key} {_number(value)}' for key, value in row.items())}" for row in rows)


def _number(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def alone(bars: int, symbols: int) -> Array:
    """float64[T, 2, S]: close and volume."""
    return np.ascontiguousarray(market(bars, symbols)[:, 3:5])


def block(what: str, texts: dict[str, str], bars: int, symbols: int, rounds: int) -> dict[str, Any]:
    """Nanoseconds a value, ours and theirs. pandas runs once, over a quarter: it is slow enough to be steady."""
    bars_, graphs = market(bars, symbols), graphs_of(texts)
    program = compile_factors(texts, timeframe=MINUTE, fields=FIELDS)
    data = {name: np.ascontiguousarray(bars_[:, i]) for i, name in enumerate(FIELDS)}
    out, values = np.empty((bars, len(texts), symbols)), bars * symbols * len(texts)
    works: dict[str, Work] = {"ours": lambda: Machine(program, symbols).run(bars_, FIRST, out)}
    works["ours"]()
    found: dict[str, Any] = {"what": what, "factors": len(texts), "symbols": symbols, "bars": bars}
    part = max(2_000, bars // 4)
    frames = {name: Frame(data[name][:part]) for name in FIELDS}
    began = time.process_time()
    theirs = peer(graphs, frames)
    took = (time.process_time() - began) / (values / bars * part) * 1e9
    notes = [note for i, name in enumerate(texts) if (note := agree(name, out[:part, i], theirs[name].to_numpy()))]
    if kunquant.usable() and "KunQuant" in operators.installed():
        engine = kunquant.engines({what: graphs})[what]
        results = engine(data)
        after = 200  # its recursive values begin elsewhere
        notes += [f"KunQuant {note}" for i, name in enumerate(texts) if (note := agree(name, out[after:, i], results[name][after:]))]
        works["KunQuant"] = lambda: engine(data)
    least = operators.interleaved(works, rounds, values)
    found |= {f"{name} ns": value for name, value in least.items()} | {"pandas ns": took}
    found |= {f"times {name}": value / least["ours"] for name, value in (*least.items(), ("pandas", took)) if name != "ours"}
    return found | {"differs": "; ".join(notes) or "nothing"}


def agree(name: str, ours: Array, theirs: Array) -> str:
    """Empty where both know the same bars, and the same values there; else what differs."""
    unknown = np.isnan(ours) != np.isnan(theirs)
    with np.errstate(invalid="ignore"):
        far = np.abs(ours - theirs) > TOLERANCE * np.nanmax(np.abs(ours))
    return f"{name}: {int(unknown.sum()):,} known to one side only, {int(far.sum()):,} others" if unknown.any() or far.any() else ""


def live(what: str, texts: dict[str, str], bars: int, symbols: int = 50) -> dict[str, Any]:
    """Microseconds a bar, call from Python included: the median and the 99th percentile, after the first fifth."""
    machine = Machine(compile_factors(texts, timeframe=MINUTE, fields=FIELDS), symbols)
    blocks, graphs = market(bars, symbols), graphs_of(texts)
    rows = [{name: np.ascontiguousarray(np.pad(bar[i], (0, -symbols % 8), mode="edge")) for i, name in enumerate(FIELDS)} for bar in blocks]
    steps: dict[str, tuple[Callable[[int], object], int]] = {"ours": (lambda i: machine.run(blocks[i : i + 1], FIRST + i), bars)}
    if kunquant.usable() and "KunQuant" in operators.installed():
        step = kunquant.stream(graphs, symbols + -symbols % 8)
        steps["KunQuant stream"] = (lambda i: step(rows[i]), bars)

    def again(i: int) -> object:
        from_ = max(0, i - 500)
        return peer(graphs, {name: Frame(blocks[from_:i, c]) for c, name in enumerate(FIELDS)})

    steps["pandas, last 500 bars"] = (again, 8)
    if texts is TEN and (talipp := _talipp(symbols)):
        steps["talipp"] = (lambda i: talipp(blocks[i]), min(bars, 300))
    found: dict[str, Any] = {"what": what, "symbols": symbols}
    for name, (work, count) in steps.items():
        took = []
        for i in range(bars - count, bars) if name.startswith("pandas") else range(count):
            began = time.perf_counter()
            work(i)
            took.append(time.perf_counter() - began)
        middle, slow = np.percentile(took[len(took) // 5 :], [50, 99]) * 1e6
        found |= {f"{name} p50 us": float(middle), f"{name} p99 us": float(slow)}
    return found


def _talipp(symbols: int) -> Callable[[Array], None] | None:
    try:
        from talipp import indicators
        from talipp.ohlcv import OHLCV
    except ImportError:
        return None
    sets = []
    for _ in range(symbols):
        closes = [indicators.SMA(20), indicators.EMA(12), indicators.StdDev(20), indicators.RSI(14), indicators.MACD(12, 26, 9)]
        sets.append(([*closes, indicators.ROC(20), indicators.WMA(10)], [indicators.ATR(14), indicators.DonchianChannels(20)]))

    def step(bar: Array) -> None:
        for s, (closes, candles) in enumerate(sets):
            values = [float(value) for value in bar[:, s]]
            for one in closes:
                one.add(values[3])
            candle = OHLCV(*values)
            for one in candles:
                one.add(candle)

    return step


def threads(bars: int, rounds: int) -> list[dict[str, Any]]:
    """Wall time of one and of two threads, taking turns, and CPU time of the longer half: what it comes to where both cores are free."""
    program, blocks = compile_factors(W1, timeframe=MINUTE, fields=FIELDS), market(bars, 50)
    one, two = np.empty((bars, len(W1), 50)), np.empty((bars, len(W1), 50))
    wall: dict[str, list[float]] = {"one": [], "two": []}
    cpu: dict[str, list[float]] = {"one": [], "two": []}
    with ThreadPoolExecutor(1) as pool:
        for _ in range(rounds):
            for name, out, beside in (("one", one, None), ("two", two, pool)):
                before = pool.submit(time.thread_time).result()
                began, spent = time.perf_counter(), time.thread_time()
                Machine(program, 50).run(blocks, FIRST, out, beside)
                wall[name].append(time.perf_counter() - began)
                mine = time.thread_time() - spent
                cpu[name].append(max(mine, pool.submit(time.thread_time).result() - before))
    same = bool(((one.view(np.int64) == two.view(np.int64)) | (np.isnan(one) & np.isnan(two))).all())
    found: dict[str, Any] = {"bars": bars, "bits": "equal" if same else "DIFFERENT"}
    found |= {f"{name} ms": min(times) * 1e3 for name, times in wall.items()}
    found |= {"times faster": min(wall["one"]) / min(wall["two"]), "by CPU time of the longer half": min(cpu["one"]) / min(cpu["two"])}
    return [found | {"processors busy with other work": os.getloadavg()[0]}]


def start() -> list[dict[str, Any]]:
    """Seconds: compiling every kernel from nothing, one process a core; then a process from its start to W1's first bar."""
    shares = min(4, os.cpu_count() or 1)
    first = "import numpy as np; from bench.workloads import W1, FIELDS; from strategies.factors import Machine, compile_factors; "
    first += "Machine(compile_factors(W1, timeframe=60000, fields=FIELDS), 50).run(np.ones((1, 5, 50)), 0)"
    light = first.replace("from bench.workloads import W1, FIELDS", f"W1, FIELDS = {W1!r}, {FIELDS!r}")
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": folder}
        share = "import sys, strategies.factors as f; print(f.warm(int(sys.argv[1]), int(sys.argv[2])))"
        began, spent = time.perf_counter(), os.times()
        running = [
            subprocess.Popen([sys.executable, "-c", share, str(k), str(shares)], env=env, stdout=subprocess.PIPE) for k in range(shares)
        ]
        count = sum(int(process.communicate()[0]) for process in running)
        cold, now = time.perf_counter() - began, os.times()
        used = now.children_user + now.children_system - spent.children_user - spent.children_system
        warm = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", light], env=env, check=True)
            warm.append(time.perf_counter() - began)
    return [
        {"kernels": count, "processes": shares, "cold s": cold, "cold CPU s": used, "CPU s a process": used / shares, "warm s": min(warm)}
    ]


if __name__ == "__main__":
    main()
