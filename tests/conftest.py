"""What all tests share: the recorded data beside the repository, and a user whom permissions bind."""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
NOBODY = 65534


def pytest_collection_finish() -> None:
    """Spare the collector what stays until the end anyway: libraries and the tests themselves, a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with recorded data; a machine without it skips, CI fails."""
    if SHARED.is_dir():
        return SHARED
    if os.environ.get("CI"):
        pytest.fail(f"{SHARED} is missing, and CI must not skip the tests on recorded data")
    pytest.skip(f"recorded data is not beside the repository ({SHARED})")


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, and a user whom permissions bind (root's do not)."""
    folder = tempfile.TemporaryDirectory()
    user = os.geteuid()
    if user == 0:
        os.chown(folder.name, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield Path(folder.name)
    os.seteuid(user)
    folder.cleanup()
