"""A real browser that is told what to do: opens a page, clicks in it, and says what was asked for and what was complained about."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip


class Tab:
    """One page. `asked`: addresses other than its own; `said`: everything on its console, and every refusal of its policy."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket, self._session = socket, session
        self._number = 0
        self.asked: list[str] = []
        self.said: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **given: Any) -> Any:  # Any: the browser's JSON
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": given, "sessionId": self._session}))
        while True:
            told = json.loads(self._socket.recv(timeout=30))
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
            self._hear(told)

    def open(self, page: Path, width: int, *, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=page.as_uri())
        end = time.monotonic() + 30
        while self.value("document.readyState + location.href") != f"complete{page.as_uri()}":
            assert time.monotonic() < end, "the page does not finish"

    def value(self, script: str) -> Any:  # Any: what the script gives
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def move(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _hear(self, told: dict[str, Any]) -> None:
        match told.get("method"):
            case "Network.requestWillBeSent":
                url = told["params"]["request"]["url"]
                if not url.startswith(("file:", "data:")):
                    self.asked.append(url)
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.said.append(json.dumps(told["params"]))


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A browser with an empty profile in the folder; the test is skipped where none is installed."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed; make test-system installs it where apt and root are there")
    command = [found, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as browser:
        try:
            assert browser.stderr is not None
            address = next(line.split()[-1] for line in browser.stderr if "DevTools listening on" in line)
            with connect(address, max_size=None, proxy=None) as socket:
                yield Tab(socket, _session(socket))
        finally:
            browser.terminate()


def _session(socket: ClientConnection) -> str:
    """Attach to the page that the browser opened with."""
    wanted, given = "Target.getTargets", dict[str, Any]()
    target = ""
    for number in (-1, -2):
        socket.send(json.dumps({"id": number, "method": wanted, "params": given}))
        while (told := json.loads(socket.recv(timeout=30))).get("id") != number:
            pass
        if number == -1:
            target = next(one["targetId"] for one in told["result"]["targetInfos"] if one["type"] == "page")
            wanted, given = "Target.attachToTarget", {"targetId": target, "flatten": True}
    return str(told["result"]["sessionId"])
