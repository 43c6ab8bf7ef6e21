"""`sluice doctor`: look at everything outside the program that it needs, and say what to do about what is wrong."""

import importlib.metadata
import importlib.util
import os
import shutil
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bot.commands import options, setting
from bot.errors import CheckFailed, SluiceError
from bot.render import Out, plain, when
from feeds import times

if TYPE_CHECKING:
    from bot.config import Loaded

OLDEST = (3, 11)
PACKAGES = ("ccxt", "click", "feedparser", "httpx2", "msgspec", "numba", "numpy", "pyarrow", "rich", "sqlite-utils")
SPACE_FAIL, SPACE_WARN = 200 * 2**20, 2 * 2**30  # bytes free beside the store
CLOCK_WARN, CLOCK_FAIL = 250, 5_000  # milliseconds off: bybit refuses requests from 1 s ahead, a start is refused above 5 s
DASHBOARD = ("127.0.0.1", 8787)
HOSTS = {
    "paper": "https://api.bybit.com",
    "demo": "https://api-demo.bybit.com",
    "testnet": "https://api-testnet.bybit.com",
    "live": "https://api.bybit.com",
}
MARKET_TIME = "/v5/market/time"


class Check(msgspec.Struct, frozen=True):
    """One thing looked at. `status` is ok, warn or fail; `next` says what to do, where something is to be done."""

    name: str
    status: str
    detail: str
    next: str = ""


@click.command(cls=options.Command, examples=("sluice doctor", "sluice doctor --offline --json"))
@options.config_option
@options.store_option
@click.option("--offline", is_flag=True, help="Ask nobody on the network.")
@options.common
def doctor(config_file: Path | None, store_file: Path | None, offline: bool, as_json: bool) -> int:
    """Check python, packages, disk, database, file modes, configuration, port, lock and clock. Exit 8 when a check fails."""
    out = Out(as_json)
    checks = list(examine(config_file, store_file, offline))
    marks = {"ok": "green", "warn": "yellow", "fail": "red"}
    lines = []
    for check in checks:
        lines.append(f"{out.style(f'{check.status:<4}', marks[check.status])}  {check.name:<9}  {plain(check.detail, 1000)}")
        if check.next:
            lines.append(f"{'':<17}{plain(check.next, 1000)}")
    failed = [check.name for check in checks if check.status == "fail"]
    if as_json:
        out.document({"ok": not failed, "checks": checks})
        return CheckFailed.exit_code if failed else 0
    out.say(*lines)
    if failed:
        raise CheckFailed(
            f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}.  Do what stands below them, then: sluice doctor"
        )
    out.say("", f"{len(checks)} checks, none failed")
    return 0


def examine(config_file: Path | None, store_file: Path | None, offline: bool) -> Iterator[Check]:
    """Every check in turn; each answers for itself, none raises."""
    yield python()
    yield packages()
    yield numba_cache()
    checked, loaded = configuration(config_file)
    yield checked
    store = setting.store_path(loaded, store_file)
    config = loaded.config
    yield space(store)
    yield database(store)
    yield modes_of_files(store, loaded.resolve(config.account.secrets))
    yield lock(store)
    yield port(*DASHBOARD)
    if offline:
        yield Check("clock", "warn", "not asked (--offline)")
    else:
        yield clock(config.exchange.rest or HOSTS[config.exchange.mode])


def python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST:
        return Check("python", "fail", f"{found} at {sys.executable}", f"install Python {OLDEST[0]}.{OLDEST[1]} or later")
    return Check("python", "ok", f"{found} at {sys.executable}")


def packages() -> Check:
    """Present and of which version; nothing is imported."""
    missing, found = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "make install")
    return Check("packages", "ok", ", ".join(found))


def numba_cache() -> Check:
    """Compiled kernels are kept beside their source, or where NUMBA_CACHE_DIR says; without that each start compiles again."""
    spec = importlib.util.find_spec("strategies.factors")
    source = Path(spec.origin).parent if spec and spec.origin else Path("strategies/factors")
    place = Path(os.environ.get("NUMBA_CACHE_DIR") or source)
    if _writable(place):
        return Check("cache", "ok", f"compiled kernels are kept in {place}")
    return Check("cache", "warn", f"{place} cannot be written: each start compiles again", "set NUMBA_CACHE_DIR to a directory of yours")


def configuration(file: Path | None) -> tuple[Check, "Loaded"]:
    """Where it is wrong, the built-in values: the rest is then looked at where it would be by default."""
    from bot.config import Config, Loaded

    try:
        loaded = setting.configuration(file)
    except SluiceError as error:
        count = len(getattr(error, "lines", ())) or 1
        return Check("config", "fail", f"{str(error).splitlines()[0]}  ({count} in all)", "sluice config check"), Loaded(
            Config(), {}, None, ""
        )
    where = f"{loaded.file}, mode {loaded.config.exchange.mode}" if loaded.file else "none here: built-in values"
    return Check("config", "ok", where), loaded


def space(store: Path) -> Check:
    place = _existing(store.absolute().parent)
    free = shutil.disk_usage(place).free
    text = f"{free / 2**30:.1f} GiB free at {place}"
    if free < SPACE_FAIL:
        return Check("disk", "fail", text, "make room, or keep the store elsewhere: [store] path")
    return Check("disk", "warn" if free < SPACE_WARN else "ok", text)


def database(store: Path) -> Check:
    """Whether the store is a sound database; not there yet is sound."""
    if not store.exists():
        if not _writable(_existing(store.absolute().parent)):
            return Check("store", "fail", f"{store} is not there and its directory cannot be written", "[store] path, or --store FILE")
        return Check("store", "ok", f"{store} is not there yet; the first run makes it")
    try:
        connection = sqlite3.connect(f"file:{store.absolute().as_posix()}?mode=ro", uri=True, timeout=2)
        try:
            said = [str(row[0]) for row in connection.execute("pragma quick_check(5)")]
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Check("store", "fail", f"{store}: {error}", "restore it from a backup, or move it away")
    if said != ["ok"]:
        return Check("store", "fail", f"{store}: {said[0]}", "restore it from a backup, or move it away")
    return Check("store", "ok", f"{store}, {store.stat().st_size / 2**20:.1f} MiB, quick_check ok")


def modes_of_files(store: Path, secrets: Path) -> Check:
    """Secrets are for their owner alone; the store is written by its owner alone."""
    if secrets.exists() and stat.S_IMODE(secrets.stat().st_mode) & 0o077:
        mode = f"{stat.S_IMODE(secrets.stat().st_mode):04o}"
        return Check("modes", "fail", f"{secrets} has mode {mode}: others can read it", f"chmod 600 {secrets}")
    if store.exists() and stat.S_IMODE(store.stat().st_mode) & 0o022:
        return Check("modes", "warn", f"{store} can be written by others", f"chmod go-w {store}")
    return Check("modes", "ok", f"{secrets} is private" if secrets.exists() else f"no {secrets.name}: none is needed on paper")


def lock(store: Path) -> Check:
    """Who runs on the store, and a name that a process left behind when it was killed."""
    from bot.lock import running, stale

    try:
        holder, left = running(store), stale(store)
    except SluiceError as error:
        return Check("lock", "fail", str(error))
    if holder is not None:
        return Check("lock", "ok", f"process {holder.pid} runs on this store since {when(holder.started_ms, times.now())}")
    if left is not None:
        return Check("lock", "warn", f"process {left.pid} ended without letting go", "nothing: the next start takes over")
    return Check("lock", "ok", "nothing runs on this store")


def port(host: str, number: int) -> Check:
    """Whether the dashboard's port is free, or taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            return Check("port", "warn", f"{host}:{number} is taken: {error.strerror}", "another session, or choose another port")
    return Check("port", "ok", f"{host}:{number} is free")


def clock(base: str, read: Callable[[str], bytes] | None = None) -> Check:
    """Our clock against the exchange's, half of the round trip taken off. Not reachable is a warning: a replay needs no network."""
    import urllib.error
    import urllib.request

    def get(url: str) -> bytes:
        with urllib.request.urlopen(url, timeout=3) as reply:  # the address comes from the configuration
            return bytes(reply.read(65_536))

    sent = times.now()
    try:
        body = msgspec.json.decode((read or get)(base + MARKET_TIME))
        came = times.now()
        theirs = int(body["result"]["timeNano"]) // 1_000_000
    except (OSError, urllib.error.URLError, ValueError, KeyError, TypeError) as error:
        return Check("clock", "warn", f"{base} not reachable: {plain(error)}", "fine for replay and demo; paper needs it")
    off = (sent + came) // 2 - theirs
    text = f"{off:+d} ms against {base}, {when(theirs, came)}"
    if abs(off) > CLOCK_FAIL:
        return Check("clock", "fail", text, "synchronise this machine's clock (NTP)")
    return Check("clock", "warn", text, "synchronise this machine's clock (NTP)") if abs(off) > CLOCK_WARN else Check("clock", "ok", text)


def _existing(place: Path) -> Path:
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _writable(place: Path) -> bool:
    return os.access(_existing(place), os.W_OK)
