"""Other engines, each in its own environment: where they are, how they are started, and what a process took.

An adapter is a script that runs the shared workloads on one engine and prints a line `RESULT {json}` with bars, fills, equity, t_run and
cpu_run. The folder of adapters and the folder of environments are given on the command line; what is not there is left out. Nothing
heavy is imported here: a process that is started has at least the peak memory of the one that starts it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.replay_cases import Workload

Result = dict[str, Any]


class Peer(NamedTuple):
    """environment: folder of its interpreter; single: it trades one symbol only; slow: it takes minutes, and runs once."""

    environment: str
    script: str
    single: bool = False
    slow: bool = False


PEERS = {
    "hftbacktest": Peer("hft", "run_hftbacktest.py", single=True),
    "vectorbt": Peer("vbt", "run_vectorbt.py"),
    "nautilus_trader, Rust core": Peer("nautilus", "run_nautilus_rs.py"),
    "backtesting.py": Peer("btpy", "run_backtestingpy.py", single=True),
    "basana": Peer("basana", "run_basana.py"),
    "zipline": Peer("zipline", "run_zipline.py", slow=True),
    "jesse": Peer("jesse", "run_jesse.py", slow=True),
    "backtrader": Peer("bt", "run_backtrader.py", slow=True),
    "freqtrade": Peer("freqtrade", "run_freqtrade.py", slow=True),
    "nautilus_trader": Peer("nautilus", "run_nautilus.py", slow=True),
}


def installed(environments: Path, adapters: Path, work: Workload) -> dict[str, Peer]:
    """The engines that are there and can run this workload."""
    return {
        name: peer
        for name, peer in PEERS.items()
        if python_of(environments, peer).exists() and script_of(adapters, peer).exists() and not (peer.single and work.symbols > 1)
    }


def python_of(environments: Path, peer: Peer) -> Path:
    return environments.absolute() / peer.environment / "bin" / "python"


def script_of(adapters: Path, peer: Peer) -> Path:
    return adapters.absolute() / "engines" / peer.script


def measured(words: Sequence[str], folder: Path, *, timeout: float = 1_800, **env: str) -> Result | None:
    """What the command said in its RESULT line, with CPU, time and peak memory of its process; None: it failed, stderr says how."""
    with tempfile.TemporaryFile() as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*words], cwd=folder, env={**os.environ, **env}, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )  # fmt: skip
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() - begun > timeout:
                process.kill()
            time.sleep(0.005)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = out.read().decode(errors="replace").splitlines()
    if process.returncode != 0:
        print(f"{' '.join(words)} ended with {process.returncode}: {lines[-1:]}", file=sys.stderr)
        return None
    told: Result = next((json.loads(line[7:]) for line in lines if line.startswith("RESULT ")), {})
    return told | {"p_wall": wall, "p_cpu": used.ru_utime + used.ru_stime, "p_mb": used.ru_maxrss / 1024}
