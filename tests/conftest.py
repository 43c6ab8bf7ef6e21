"""What holds for every test: nothing but loopback, no settings or keys of the person who runs them, examples that can be repeated."""

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

LOCAL_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname()}


def _is_local(host: object) -> bool:
    if host is None or isinstance(host, int):
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _loopback_only(event: str, args: tuple[object, ...]) -> None:
    """The machine of a test has no network: names are not found, other machines not reached."""
    if event == "socket.getaddrinfo" and not _is_local(args[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"tests have no network: {args[0]!r}")
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple) and not _is_local(args[1][0]):
        raise OSError(errno.ENETUNREACH, f"tests have no network: {args[1][0]!r}")


sys.addaudithook(_loopback_only)

settings.register_profile("quick", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def _ours(name: str) -> bool:
    if name.startswith("SLUICE_FUZZ"):  # how many texts to try, not a setting of the bot
        return False
    return name.startswith(("SLUICE", "BYBIT_", "LLM_", "MQTT_")) or name.lower() in ("http_proxy", "https_proxy", "all_proxy")


for _name in [name for name in os.environ if _ours(name)]:
    del os.environ[_name]
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"


@pytest.fixture(autouse=True)
def _environment_is_left_as_it_was() -> Iterator[None]:
    before = dict(os.environ)
    yield
    changed = {name for name in {*before, *os.environ} if before.get(name) != os.environ.get(name)} - {"PYTEST_CURRENT_TEST"}
    for name in changed:
        os.environ.pop(name) if name not in before else os.environ.__setitem__(name, before[name])
    assert not changed, f"a test changed the environment: {sorted(changed)}"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real market data beside the repository, `../shared/data`. Without it a test of real data is skipped, which the gate
    (.ci/run) does not let pass."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"there is no market data in {folder}")
    return folder
