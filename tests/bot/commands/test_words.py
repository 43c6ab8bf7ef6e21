"""The command that has a run again stands alone: from the root, quoted, with the environment's settings."""

import os
import shlex
from pathlib import Path

from bot.commands.words import replay_command
from feeds.times import MINUTE, millis


def test_every_path_begins_at_the_root_and_is_quoted(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    files = {"candles": [Path("my data/B'TC.parquet"), Path("/x/$(rm -rf)")], "funding": [], "news": [Path("n")]}
    said = replay_command(Path("conf ig.toml"), files, ("BTCUSDT", "ETHUSDT"), 5 * MINUTE, millis("2024-01-01"), None, 7, environment={})
    assert shlex.split(said) == [
        "sluice", "replay", "--config", f"{tmp_path}/conf ig.toml", "--candles", f"{tmp_path}/my data/B'TC.parquet", "/x/$(rm -rf)",
        "--news", f"{tmp_path}/n", "--symbols", "BTCUSDT,ETHUSDT", "--timeframe", "5m", "--from", "2024-01-01T00:00:00Z", "--seed", "7",
    ]  # fmt: skip


def test_settings_of_the_environment_and_the_lack_of_a_file_are_said() -> None:
    said = replay_command(None, {"candles": [Path("/c")]}, (), None, None, None, 0, environment={"SLUICE__A__B": "x y", "HOME": "/root"})
    assert said == f"SLUICE__A__B='x y' sluice replay --config {os.devnull} --candles /c"
