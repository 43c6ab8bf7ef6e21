"""Where log lines go, and what is never in them."""

import logging
import stat
from pathlib import Path

import pytest

from bot import logs

log = logging.getLogger("bot.feed")


def records(count: int, second: float) -> list[logging.LogRecord]:
    made = [logging.LogRecord("bot", logging.INFO, "x.py", 1, "tick n=%d", (n,), None) for n in range(count)]
    for record in made:
        record.created = second
    return made


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("api_key=AbCdEf123456 symbol=BTCUSDT", "api_key=*** symbol=BTCUSDT"),
        ("SLUICE_BYBIT_SECRET: 'hunter22'", "SLUICE_BYBIT_SECRET: '***'"),
        ("password=hunter2222&x=1", "password=***&x=1"),
        ("tokens=12 spent", "tokens=12 spent"),
        ("reconnected feed=bybit gap_ms=12000", "reconnected feed=bybit gap_ms=12000"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    assert logs.masked(text) == shown


def test_a_line_is_one_line_and_cannot_steer_a_terminal(capsys) -> None:  # type: ignore[no-untyped-def]
    logs.to_stderr(verbose=False)
    log.warning("story title=%s", "a\x1b[2J\nb")
    log.info("not shown")
    said = capsys.readouterr().err
    assert said.endswith("Z WARNING bot.feed story title=a b\n")
    assert said.count("\n") == 1


def test_more_is_said_when_more_is_asked_for_and_once(capsys) -> None:  # type: ignore[no-untyped-def]
    logs.to_stderr(verbose=True)
    logs.to_stderr(verbose=True)
    log.debug("detail n=%d", 1)
    logs.to_stderr(verbose=False)
    assert capsys.readouterr().err.count("detail n=1") == 1


def test_a_traceback_follows_its_line_indented_and_without_secrets(capsys) -> None:  # type: ignore[no-untyped-def]
    logs.to_stderr(verbose=False)
    try:
        raise ValueError("secret=abcdefgh \x1b[31m")
    except ValueError:
        log.exception("failed")
    said = capsys.readouterr().err
    assert "    ValueError: secret=***" in said
    assert "\x1b" not in said


def test_a_storm_of_one_line_is_cut_and_counted() -> None:
    calm = logs.Calm()
    passed = [record for record in records(10_000, 100.0) if calm.filter(record)]
    assert len(passed) == logs.STORM
    [after] = [record for record in records(1, 101.0) if calm.filter(record)]
    assert after.getMessage() == f"tick n=0 (and {10_000 - logs.STORM} more like the last)"


def test_the_file_is_private_and_cannot_grow_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 500)
    monkeypatch.setattr(logs, "STORM", 10_000)
    path = tmp_path / "state" / "bot.log"
    with logs.to_file(path):
        for n in range(200):
            log.info("tick n=%d", n)
    log.info("after the end")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 1 + logs.KEPT
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 500 * (1 + logs.KEPT)
    assert "after the end" not in path.read_text()
