"""The report in a real browser, with nothing else to reach: it draws, and asks for nothing."""

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.report_html import html
from bot.report_store import from_store
from tests.bot.commands.books import store_with_a_run

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--virtual-time-budget=2000",
)  # fmt: skip


@pytest.fixture
def browser() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed; make test-system installs it where apt and root are there")
    return found


@pytest.mark.parametrize("size", ["390,844", "1440,900"])
def test_the_report_draws_and_asks_for_nothing(browser: str, size: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(html(from_store(store_with_a_run(tmp_path / "bot.db"))), encoding="utf-8")
    drawn, said, asked = _open(browser, page.as_uri(), size, tmp_path / "page")
    assert drawn.count("<svg") >= 2
    assert "Sluice report" in drawn
    assert "CONSOLE" not in said, said
    _, _, of_itself = _open(browser, "about:blank", size, tmp_path / "blank")
    assert asked - of_itself == set(), "what a browser asks for by itself does not count"


def _open(browser: str, address: str, size: str, folder: Path) -> tuple[str, str, set[str]]:
    """The page as drawn, what the browser said, and the hosts that it asked."""
    folder.mkdir()
    log = folder / "net.json"
    command = [
        browser, *FLAGS, f"--window-size={size}", f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
        "--enable-logging=stderr", "--dump-dom", address,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    urls = [str(event["params"]["url"]) for event in _events(log) if "url" in event.get("params", {})]
    return done.stdout, done.stderr, {urlsplit(url).netloc for url in urls if url.startswith(("http:", "https:", "ws:", "wss:"))}


def _events(log: Path) -> list[dict[str, dict[str, str]]]:
    text = log.read_text(encoding="utf-8").rstrip()
    if not text.endswith("}"):  # a browser that was in a hurry leaves the list open
        text = text.rstrip(",") + "]}"
    events: list[dict[str, dict[str, str]]] = json.loads(text)["events"]
    return events
