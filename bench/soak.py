"""The demo for a long time at high speed: does its memory stay where it is, and can every decision be had again?

    python -m bench.soak [--minutes 10] [--speed 3000]

Prints one line a second of resident memory and ends with code 8 when it grows, or when a decision differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SLUICE = (sys.executable, "-m", "bot")
WARM_UP_DAYS = 9  # of the demo's market that pass before it begins, and what is left over
WARM = 1 / 3  # the part of the time in which memory may still grow: caches fill, pages are touched


def resident(pid: int) -> float | None:
    """MiB of a process; None when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), None)


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """MiB an hour by least squares; samples are (seconds, MiB)."""
    n = len(samples)
    mean_t, mean_m = sum(t for t, _ in samples) / n, sum(m for _, m in samples) / n
    spread = sum((t - mean_t) ** 2 for t, _ in samples)
    return 3600 * sum((t - mean_t) * (m - mean_m) for t, m in samples) / spread if spread else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long")
    parser.add_argument("--speed", type=float, default=3_000.0, help="times the clock")
    parser.add_argument("--allowed", type=float, default=1.0, help="MiB that memory may grow in an hour of the market")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        days = min(366, int(options.minutes * options.speed / 1440) + WARM_UP_DAYS)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "SLUICE__DEMO__DAYS": str(days)}
        words = [*SLUICE, "demo", "--speed", str(options.speed), "--minutes", str(options.minutes), "--store", "soak.db", "--json"]
        with (folder / "out").open("w") as out:
            process = subprocess.Popen(words, cwd=folder, env=env, stdout=out, stderr=subprocess.DEVNULL)
            begun, samples = time.perf_counter(), []
            while process.poll() is None:
                memory = resident(process.pid)
                if memory is not None:
                    samples.append((time.perf_counter() - begun, memory))
                    print(f"{samples[-1][0]:7.0f} s  {memory:8.1f} MiB", flush=True)
                time.sleep(1.0)
        if process.returncode != 0:
            print((folder / "out").read_text()[-2000:], file=sys.stderr)
            return process.returncode
        document = json.loads((folder / "out").read_text())
        done = subprocess.run(
            [*SLUICE, "verify", "--store", "soak.db", "--json"], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
    hour = 1 / options.speed  # an hour of the market
    grown = hour * slope([sample for sample in samples if WARM <= sample[0] / samples[-1][0] <= 0.9])  # it ends by writing a report
    print(f"{document['bars']:,} bars, {document['fills']:,} fills; verify ended with {done.returncode}")
    print(f"memory {grown:+.2f} MiB in an hour of the market")
    return 0 if grown <= options.allowed and done.returncode == 0 else 8


if __name__ == "__main__":
    sys.exit(main())
