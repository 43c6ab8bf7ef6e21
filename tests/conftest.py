"""What tests of several floors share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real market data beside the repository, `../shared/data`; its absence fails a test, it never skips one."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "manifest.json").is_file():
        pytest.fail(f"{folder} is not there: these tests read the market data that stands beside the repository")
    return folder
