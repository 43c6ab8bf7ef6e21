"""Keys and passwords: from the environment, or from a file that only its owner can read. Never from config.toml, never printed."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bot.errors import ConfigError

NAMES: Final = {
    "BYBIT_API_KEY": "Bybit: key of the account that is traded",
    "BYBIT_API_SECRET": "Bybit: its secret",
    "LLM_API_KEY": "language model: key of its API",
    "MQTT_PASSWORD": "MQTT broker: password",
}


class Secret:
    """Text that shows itself only when asked: print, repr, format and log lines all give ***."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


class Secrets:
    """Secrets by name."""

    def __init__(self, known: Mapping[str, Secret]) -> None:
        self._known = dict(known)

    def __getitem__(self, name: str) -> Secret:
        """Raises ConfigError saying where to put it."""
        if name not in self._known:
            raise ConfigError(f"{name} is not set ({NAMES.get(name, 'unknown name')}); export it, or write it into the secrets file")
        return self._known[name]

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def names(self) -> list[str]:
        """Which are set."""
        return sorted(self._known)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{name}=***' for name in self.names())})"


def read_secrets(file: Path | None, env: Mapping[str, str] | None = None) -> Secrets:
    """NAME=value lines of the file (which may be missing), and the environment, which comes first.

    Raises ConfigError when others can read the file or its folder can be written by others, and on a line that is none.
    """
    known: dict[str, Secret] = {}
    if file is not None and file.exists():
        check_private(file)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            words = line.strip().removeprefix("export ").strip()
            if not words or words.startswith("#"):
                continue
            name, equals, value = words.partition("=")
            if not equals or name.strip() not in NAMES:
                raise ConfigError(f"{file}:{number}:1  not one of {', '.join(f'{name}=...' for name in NAMES)}")
            text = value.strip()
            if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
                text = text[1:-1]
            if text:
                known[name.strip()] = Secret(text)
    for name in NAMES:
        text = (os.environ if env is None else env).get(name, "")
        if text:
            known[name] = Secret(text)
    return Secrets(known)


def check_private(file: Path) -> None:
    """Raises ConfigError unless the file is a plain one of ours, mode 0600 or stricter, in a folder that only we can write."""
    mode = file.stat()
    if not stat.S_ISREG(mode.st_mode):
        raise ConfigError(f"{file}: is no plain file")
    if os.name != "posix":
        return
    if mode.st_mode & 0o077:
        raise ConfigError(f"{file}: others can read it (mode {stat.S_IMODE(mode.st_mode):04o}).  Run: chmod 600 {file}")
    if mode.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{file}: belongs to another user.  Run: chown {os.geteuid()} {file}")
    folder = file.resolve().parent.stat()
    if folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX:
        raise ConfigError(f"{file.parent}: others can write into the folder of the secrets file.  Run: chmod go-w {file.parent}")
