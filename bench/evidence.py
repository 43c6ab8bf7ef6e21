"""Measure on this machine and write the table of README.md. Each row names the command that can be run to see it again.

python -m bench.evidence [--days 365] [--dry]
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.pages import into

ROOT = Path(__file__).resolve().parents[1]
SLUICE = (sys.executable, "-m", "bot")


class Row(NamedTuple):
    what: str
    measured: str
    command: str


def run(words: Sequence[str], folder: Path, **env: str) -> tuple[float, str]:
    """Seconds and stdout of a command that must succeed."""
    begun = time.perf_counter()
    done = subprocess.run(
        [*words], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}\n{done.stderr[-2000:]}")
    return time.perf_counter() - begun, done.stdout


def replay_speed(_: Path) -> Iterator[Row]:
    """The replay benchmark without its peers."""
    words = (sys.executable, "-m", "bench.replay", "--rounds", "2", "--only", "R1,R3,memory", "--json")
    table: list[dict[str, Any]] = json.loads(run(words, ROOT)[1])  # Any: JSON
    for row in table:
        what = f"replay of {row['work']}, {row['engine']}"
        if "fills" in row:
            measured = f"{row['bars_cpu_s']:,.0f} bars per CPU second, {row['fills']:,} fills"
        else:
            measured = f"{row['cpu_s']:.1f} s of CPU from start to end, {row['peak_mb']:,.0f} MB"
        yield Row(what, measured, "`make bench`")


def same_digest(folder: Path) -> Iterator[Row]:
    """A replay with all kinds of input, in two processes under different hash seeds."""
    run((*SLUICE, "data", "synth", "market", "--days", "8"), folder)
    files = [word for name in ("funding", "metrics", "news") for word in (f"--{name}", f"market/{name}.parquet")]
    words = (*SLUICE, "replay", "--candles", "market/candles", *files, "--json")
    first, second = (json.loads(run(words, folder, PYTHONHASHSEED=seed)[1]) for seed in ("1", "2"))
    equal = "equal" if first["digest"] == second["digest"] else "DIFFERENT"
    what = f"digests of {first['decisions']:,} decisions and {first['fills']:,} fills in two processes with different hash seeds"
    yield Row(what, equal, "`PYTHONHASHSEED=1 sluice replay ...`, and 2")


def first_fill(folder: Path) -> Iterator[Row]:
    """How long the demo takes to its first fill, at its own speed, from nothing."""
    begun = time.perf_counter()
    demo = subprocess.Popen(
        [*SLUICE, "demo", "--minutes", "3", "--store", "demo.db"], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        while time.perf_counter() - begun < 150:
            words = [*SLUICE, "fills", "--store", "demo.db", "--json"]
            seen = subprocess.run(
                words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
            )
            if seen.returncode == 0 and re.search(r'"exec_id"|"quantity"', seen.stdout):
                yield Row(
                    "`sluice demo`, once installed, from the start to the first fill, its market made included",
                    f"{time.perf_counter() - begun:.1f} s",
                    "`make demo`",
                )
                return
            time.sleep(0.2)
        raise SystemExit("the demo made no fill in 150 seconds")
    finally:
        demo.terminate()
        demo.wait(20)


def answers(folder: Path) -> Iterator[Row]:
    """How long the command line takes to answer."""
    for words in (("--help",), ("config", "check"), ("status", "--store", "demo.db")):
        seconds = statistics.median(run((*SLUICE, *words), folder)[0] for _ in range(5))
        shown = " ".join(word for word in words if word not in ("--store", "demo.db"))
        yield Row(f"`sluice {shown}`", f"{seconds:.2f} s", "median of 5")


def verified(folder: Path) -> Iterator[Row]:
    """The demo's run, decided again."""
    document = json.loads(run((*SLUICE, "verify", "--store", "demo.db", "--json"), folder)[1])
    yield Row(
        "rows of the books of that demo, had again in a fresh process",
        f"{document['checked'] - document['differing']:,} of {document['checked']:,} equal", "`sluice verify`",
    )  # fmt: skip


def tests(_: Path) -> Iterator[Row]:
    """How many tests there are, and how many broken configs among them."""
    listed = run((sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"), ROOT)[1]
    found = re.search(r"(\d+) tests collected", listed)
    yield Row("tests", f"{int(found[1]):,}" if found else "?", "`make test`")
    broken = listed.count("test_a_broken_config_is_refused_at_its_line_and_column[")
    yield Row("configs with a mistake, each pointed at by line and column", f"{broken}", "`tests/bot/test_config.py`")


def published(folder: Path) -> Iterator[Row]:
    """How much of the published sets is read, each in its own notation."""
    for name, what in (
        ("alpha158", "Qlib's Alpha158"), ("alpha360", "Qlib's Alpha360"), ("alpha101", "WorldQuant's 101"),
        ("alpha191", "Guotai Junan's 191"),
    ):  # fmt: skip
        words = ("factor", "parse", "--batch", name, "--timeframe", "1d")
        answers = [json.loads(line)["ok"] for line in run((*SLUICE, *words), folder)[1].splitlines()]
        yield Row(f"{what}, read as printed", f"{sum(answers)} of {len(answers)}", f"`sluice factor parse --batch {name}`")


def corpus(_: Path) -> Iterator[Row]:
    """Pandas functions as models write them, against pandas itself."""
    document = json.loads(run((sys.executable, "-m", "tests.corpus.report", "--json"), ROOT)[1])
    how = "`python -m tests.corpus.report`"
    yield Row("pandas functions as models write them, read, and equal to pandas", f"{document['equal']} of {document['causal']}", how)
    yield Row("pandas functions that look ahead, refused for it", f"{document['refused']} of {document['ahead']}", how)


def machine(peers: str, bars: int) -> Callable[[Path], Iterator[Row]]:
    """The factor machine beside other engines, by an interpreter that has them."""

    def rows(_: Path) -> Iterator[Row]:
        words = [peers, "-m", "bench.factors", "blocks", "live", "drift", "threads", "start", "--drift", str(bars), "--json"]
        found: dict[str, Any] = json.loads(run(words, ROOT, PYTHONPATH=str(ROOT))[1])
        for block in found["blocks"]:
            size = f"{block['factors']} factors, {block['symbols']} symbol{'s'[: block['symbols'] > 1]}, {block['bars']:,} bars"
            others = [f"{name} {block[f'{name} ns']:.1f}" for name in ("KunQuant", "pandas") if f"{name} ns" in block]
            yield Row(f"{size}, ns a value", f"{block['ours ns']:.1f} ({', '.join(others)})", "`python -m bench.factors blocks`")
        for live in found["live"]:
            others = [f"{k.removesuffix(' p50 us')} {v:,.0f}" for k, v in live.items() if k.endswith("p50 us") and not k.startswith("ours")]
            mine = f"{live['ours p50 us']:.1f} us, p99 {live['ours p99 us']:.1f}"
            what = f"one live bar of {live['symbols']} symbols, {live['what'].removeprefix('W2, ')}"
            yield Row(what, f"{mine} (p50: {', '.join(others)})", "`python -m bench.factors live`")
        worst = {name: max(line["errors"].get(name, 0.0) for line in found["drift"]) for name in ("ours", "pandas", "TA-Lib")}
        others = [f"{name} {worst[name]:.0e}" for name in ("pandas", "TA-Lib") if worst[name]]
        yield Row(
            f"largest relative error of mean, std, var, zscore, corr, skew, slope after {bars:,} bars with one tick of 1e9",
            f"{worst['ours']:.0e} ({', '.join(others)})", "`python -m bench.factors drift`",
        )  # fmt: skip
        (threads,) = found["threads"]
        yield Row("two threads against one, bits equal, wall time", f"{threads['times faster']:.2f} x", "`python -m bench.factors threads`")
        (start,) = found["start"]
        took = f"{start['cold s']:.1f} s; from then on {start['warm s']:.2f} s from a process's start to its first bar"
        yield Row(f"{start['kernels']} kernels compiled once", took, "`python -m bench.factors start`")

    return rows


def table(rows: Sequence[Row]) -> str:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [f"On {machine}:", "", "| what | measured | how |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="print the table, leave README.md as it is")
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON", help="interpreter that has the engines to compare with")
    parser.add_argument("--drift", type=int, default=10_000_000, help="bars of the history for drift")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measures: list[Callable[[Path], Iterator[Row]]] = [
            published, corpus, machine(options.peers, options.drift), replay_speed, same_digest, first_fill, verified, answers, tests,
        ]  # fmt: skip
        rows = [row for measure in measures for row in measure(folder)]
    text = table(rows)
    print(text)
    if not options.dry:
        into(ROOT / "README.md", "evidence", text)


if __name__ == "__main__":
    main()
