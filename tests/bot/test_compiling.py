"""A first run says that it compiles, once."""

import os
import subprocess
import sys
from pathlib import Path

RUN = "from bot.compiling import announce; announce(); announce(); from strategies.factors import kernels; kernels.addresses({names})"
NAMES = ["elementwise.sign", "elementwise.neg"]


def run(folder: Path) -> str:
    command = [sys.executable, "-c", RUN.format(names=NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "NUMBA_CACHE_DIR": str(folder)})
    assert done.stdout == ""
    return done.stderr


def test_the_first_run_says_so_once_and_the_second_has_nothing_to_say(tmp_path: Path) -> None:
    assert run(tmp_path).count("compiling the factor kernels") == 1
    assert sorted(path.name.split(".")[1] for path in tmp_path.iterdir()) == ["neg", "sign"]
    assert run(tmp_path) == ""
