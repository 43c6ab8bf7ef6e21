"""ccxt.pro's bybit, tapped: every pushed frame is handed on before ccxt can drop its `confirm` or choke on it.

The one file that touches ccxt, and only when a client is made: importing it loads nothing. What ccxt would do
with a data frame is left out (its candle cache coalesces), so a watcher stays pending until the socket is lost.
"""

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

import msgspec

MAX_FRAME = 1 << 20  # bytes, after decompression


class Tap(Protocol):
    """Who is told what happens on a socket."""

    def frame(self, message: dict[str, object]) -> None: ...
    def answer(self, message: dict[str, object]) -> None: ...
    def garbage(self) -> None: ...


Judge = Callable[[int, Mapping[str, str], object], None]  # HTTP status, headers, decoded body; raises


@cache
def _bybit() -> Any:  # ccxt has no type information
    pro = importlib.import_module("ccxt.pro")

    class Bybit(pro.bybit):  # type: ignore[misc, name-defined]
        tap: Tap | None = None
        judge: Judge | None = None
        timeout_on_exit = 0

        def client(self, url: str) -> Any:
            known = url in (self.clients or {})
            client = super().client(url)
            if not known:
                _harden(client, self.tap)
            return client

        def handle_message(self, client: Any, message: Any) -> None:
            if self.tap is None or not isinstance(message, dict):
                return
            if "topic" in message:
                self.tap.frame(message)
            elif message.get("op") in ("subscribe", "ping", "pong"):
                super().handle_message(client, message)
                self.tap.answer(message)
            else:
                self.tap.garbage()  # what ccxt cannot place may raise there, and that would end its receive loop

        def handle_errors(self, code: int, *rest: Any) -> None:
            _reason, _url, _method, headers, _body, response, *_ = rest
            if self.judge is not None:
                self.judge(code, headers, response)

    return Bybit


def _harden(client: Any, tap: Tap | None) -> None:
    """Cap the frame size, and let a frame that is no JSON pass by: in ccxt it would end the receive loop for good."""

    def connect(session: Any) -> Any:
        return session.ws_connect(client.url, autoping=False, autoclose=False, compress=15, max_msg_size=MAX_FRAME).__aenter__()

    def receive(data: str | bytes) -> None:
        try:
            message = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            message = None
        if isinstance(message, dict):
            client.on_message_callback(client, message)
        elif tap is not None:
            tap.garbage()

    client.create_connection = connect
    client.handle_text_or_binary_message = receive


def exchange(rest: str, ws: str, *, timeout: int, keep_alive: int, tap: Tap | None = None, judge: Judge | None = None) -> Any:
    """A ccxt client for public linear data at these addresses; its own limiter is off, timeouts in milliseconds."""
    made = _bybit()(
        {
            "enableRateLimit": False,
            "timeout": timeout,
            "options": {
                "defaultType": "swap",
                "defaultSubType": "linear",
                "ws": {"keepAlive": keep_alive, "connectionTimeout": max(timeout, 1_000)},
            },
        }
    )
    made.urls["api"] = {
        **dict.fromkeys(("public", "private", "spot", "futures", "v2"), rest),
        "ws": {"public": {"linear": f"{ws}/v5/public/linear"}},
    }
    made.tap, made.judge = tap, judge
    return made


def errors() -> tuple[type[BaseException], ...]:
    """What a request through ccxt may raise when the world fails."""
    return (importlib.import_module("ccxt").BaseError, OSError)
