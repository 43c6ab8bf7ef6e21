"""How fast and how lean a replay is, beside other engines where they are installed; each run in a process of its own, in turn.

    python -m bench.replay [--rounds 3] [--only R1,R3,...] [--data DIR] [--peers DIR --adapters DIR] [--json] [--write]

--data      a folder of real market data: the year of minutes with 25 factors, funding, news and on-chain data is run on it
--peers     a folder of environments with one engine each, and
--adapters  a folder with a script for each that runs the same workloads: then they run in between, and the table has their rows

The machine is shared, so compare CPU seconds and ratios of one run, not seconds of two. Bars per CPU second are those of the engine
run; CPU, time and peak memory of the process are everything from its start to its end: import, reading, measuring, the document.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.pages import into
from bench.peers import PEERS, Result, installed, measured, python_of, script_of
from bench.replay_cases import TWENTY_FIVE, WORKLOADS, settings, toml

ROOT = Path(__file__).resolve().parents[1]
OURS = "Sluice"
YEAR = (
    ("--candles", "candles/1m_spot_binance/BTCUSDT.parquet"), ("--funding", "derivs/funding_rates.parquet"),
    ("--metrics", "onchain/coinmetrics_daily.parquet"), ("--news", "news/gdelt_crypto_titles.parquet"),
)  # fmt: skip


class Case(NamedTuple):
    """One row: a command to be run again and again. once: it is slow, and one round is enough."""

    work: str
    name: str
    words: tuple[str, ...]
    peer: bool = False
    once: bool = False


class Results:
    """What was measured, by work and engine; kept in a file where one is named."""

    def __init__(self, path: Path | None) -> None:
        self.found: dict[tuple[str, str], list[Result]] = {}
        self._path = path
        for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
            work, engine, result = json.loads(line)
            self.found.setdefault((work, engine), []).append(result)

    def keep(self, case: Case, result: Result) -> None:
        self.found.setdefault((case.work, case.name), []).append(result)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as out:
                out.write(json.dumps([case.work, case.name, result]) + "\n")


def ours(folder: Path, only: Sequence[str]) -> list[Case]:
    """What is measured of this project."""
    found = []
    for work in ("R1", "R2", "R3"):
        for name, words in (("blocks", ()), ("--step", ("--step",))):
            found.append(Case(work, f"{OURS}, {name}", _one(folder, work, *words)))
    disk = ("--store", str(folder / "factors.db"), "--factors", str(len(TWENTY_FIVE)))
    found.append(Case("R1 with 25 factors, fusion, risk, journal on disk", f"{OURS}, blocks", _one(folder, "R1", *disk)))
    found.append(Case("R1 as a whole process", f"{OURS}, `sluice replay --store --json`", _command(folder, "R1")))
    found += [Case("memory of R1", f"{OURS}, {part} of the bars", _command(folder, f"R1-{part}")) for part in ("quarter", "half")]
    found.append(Case("memory of R1", f"{OURS}, all bars", _command(folder, "R1")))
    return [case for case in found if not only or case.work.split()[0] in only or case.work in only]


def _one(folder: Path, work: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "bench.replay_one", "--folder", str(folder / work), "--workload", work, *words)


def _command(folder: Path, bars: str) -> tuple[str, ...]:
    files = ("--config", str(folder / "R1.toml"), "--candles", str(folder / bars), "--store", str(folder / f"{bars}.db"))
    return (sys.executable, "-m", "bot", "replay", *files, "--json")


def year(folder: Path, data: Path) -> list[Case]:
    """A year of real minutes with everything, kept, then told as a page."""
    files = [word for option, path in YEAR for word in (option, str(data.absolute() / path))]
    store = ("--store", str(folder / "year.db"))
    span = ("--from", "2023-07-01", "--to", "2024-06-25")
    words = (sys.executable, "-m", "bot", "replay", "--config", str(folder / "year.toml"), *files, *span, *store, "--json")
    page = (sys.executable, "-m", "bot", "report", "--html", str(folder / "year.html"), *store)
    work = "year of BTC minutes with 25 factors, funding, news, on-chain"
    return [Case(work, f"{OURS}, replay", words), Case(work, f"{OURS}, `report --html`", page)]


def others(folder: Path, environments: Path, adapters: Path, works: Sequence[str]) -> list[Case]:
    """Every engine that is installed, on every workload that it can run."""
    found = []
    for work in works:
        for name, peer in installed(environments, adapters, WORKLOADS[work]).items():
            script = (str(python_of(environments, peer)), "-W", "ignore", "-B", str(script_of(adapters, peer)))
            found.append(Case(work, name, (*script, "--workload", work), True, peer.slow))
    return found


def prepare(folder: Path, works: set[str], feather: bool) -> None:
    """The bars and the configurations; made elsewhere, so that this process stays small."""
    bars = [sys.executable, "-m", "bench.replay_bars"]
    for work in sorted(works):
        _must(measured([*bars, str(folder / work), work], ROOT))
        if feather and work != "R2":
            _must(measured([*bars, str(folder), work, "--feather"], ROOT))
    whole = WORKLOADS["R1"].bars
    for part, share in (("quarter", 4), ("half", 2)):
        _must(measured([*bars, str(folder / f"R1-{part}"), "R1", "--bars", str(whole // share)], ROOT))
    (folder / "R1.toml").write_text(toml(settings(WORKLOADS["R1"])), encoding="utf-8")
    (folder / "year.toml").write_text(toml({"strategy.factors": TWENTY_FIVE}), encoding="utf-8")


def _must(result: Result | None) -> Result:
    if result is None:
        raise SystemExit("it could not be measured; see above")
    return result


def rounds(cases: Sequence[Case], folder: Path, count: int, keep: Callable[[Case, Result], None]) -> None:
    """Every case once, then again: a slow spell of the machine hits each alike."""
    for number in range(count):
        for case in cases:
            if number and case.once:
                continue
            result = measured(case.words, folder if case.peer else ROOT, REPLAY_BENCH_DATA=str(folder))
            if result is not None:
                keep(case, result)
                said = f"[{number + 1}] {case.work}, {case.name}: {result['p_cpu']:.1f} s CPU, {result['p_mb']:.0f} MB"
                print(said, file=sys.stderr, flush=True)


def rows(results: Mapping[tuple[str, str], list[Result]]) -> list[dict[str, Any]]:
    """For each case the best of its rounds, the median beside it, and how many times faster the blocks of the same work are."""
    table = []
    for (work, engine), found in results.items():
        row: dict[str, Any] = {"work": work, "engine": engine, "rounds": len(found)}
        if "cpu_run" in found[0]:
            speeds = [result["bars"] / max(result["cpu_run"], 1e-9) for result in found]
            row |= {"bars": found[0]["bars"], "fills": found[0]["fills"], "equity": found[0]["equity"], "bars_cpu_s": max(speeds),
                    "median": statistics.median(speeds)}  # fmt: skip
        row |= {
            "cpu_s": min(r["p_cpu"] for r in found),
            "wall_s": min(r["p_wall"] for r in found),
            "peak_mb": max(r["p_mb"] for r in found),
        }
        table.append(row)
    fastest = {row["work"]: row["bars_cpu_s"] for row in table if row["engine"] == f"{OURS}, blocks"}
    for row in table:
        if "bars_cpu_s" in row and row["work"] in fastest:
            row["ratio"] = fastest[row["work"]] / row["bars_cpu_s"]
    return sorted(table, key=lambda row: (row["work"], -row.get("bars_cpu_s", 0.0)))


def markdown(table: Sequence[dict[str, Any]]) -> str:
    head = (
        "| work | engine | bars per CPU s, best / median | our blocks to it | process CPU s | process s | peak MB | fills | final equity |"
    )
    lines = [head, "|---" * 9 + "|"]
    for row in table:
        speed = f"{row['bars_cpu_s']:,.0f} / {row['median']:,.0f}" if "bars_cpu_s" in row else ""
        ratio = f"{row['ratio']:,.1f} x" if row.get("ratio", 1.0) != 1.0 else ""
        fills, equity = (f"{row['fills']:,}", f"{row['equity']:,.2f}") if "fills" in row else ("", "")
        lines.append(
            f"| {row['work']} | {row['engine']} | {speed} | {ratio} | {row['cpu_s']:.2f} | {row['wall_s']:.2f} | {row['peak_mb']:.0f} "
            f"| {fills} | {equity} |"
        )
    return "\n".join(lines)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="first words of works, comma separated: R1,R2,R3,memory,year")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--adapters", type=Path)
    parser.add_argument("--skip", default="", help=f"engines to leave out, separated by semicolons, of {OURS}, {', '.join(PEERS)}")
    parser.add_argument("--results", type=Path, help="a file of what was measured: it grows, and the table is of all that is in it")
    parser.add_argument("--folder", type=Path, help="where bars and stores are made  [default: a temporary one]")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/replay.md")
    given = parser.parse_args()
    only = [name for name in given.only.split(",") if name]
    if (given.peers is None) != (given.adapters is None):
        parser.error("--peers and --adapters belong together")
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as made:
        folder = given.folder or Path(made)
        cases = ours(folder, only)
        works = {case.work for case in cases} & set(WORKLOADS)
        if given.peers is not None:
            cases += others(folder, given.peers, given.adapters, sorted(works))
        if given.data is not None and (not only or "year" in only):
            cases += year(folder, given.data)
        skipped = given.skip.split(";")
        cases = [case for case in cases if case.name not in skipped and (case.peer or OURS not in skipped)]
        prepare(folder, works | {"R1"}, given.peers is not None)
        results = Results(given.results)
        rounds(cases, folder, given.rounds, results.keep)
    table = rows(results.found)
    most = max((row["rounds"] for row in table), default=0)
    said = f"{time.strftime('%Y-%m-%d', time.gmtime())}, {machine()}, load {os.getloadavg()[1]:.0f}, the best of up to {most} rounds"
    text = f"{said}:\n\n{markdown(table)}"
    print(json.dumps(table, indent=1) if given.json else text)
    if given.write:
        into(ROOT / "docs" / "replay.md", "replay", text)


if __name__ == "__main__":
    main()
