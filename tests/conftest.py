"""What all tests share: the recorded data beside the repository, and plain fakes of clocks."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with recorded data; a machine without it skips, CI fails."""
    if SHARED.is_dir():
        return SHARED
    if os.environ.get("CI"):
        pytest.fail(f"{SHARED} is missing, and CI must not skip the tests on recorded data")
    pytest.skip(f"recorded data is not beside the repository ({SHARED})")
