"""A real browser for tests of pages: headless Chromium, started anew for each look, without a network.

A machine without it skips; CI fails. Debian: `apt-get install --no-install-recommends chromium`.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ALONE = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
"""No window, no profile of a person, no name that leads anywhere. Root, as in CI, has no sandbox."""
_PATIENCE = 90
_TIME = 8_000
"""Milliseconds of the page's own time, which runs ahead while the page waits."""


@dataclass(frozen=True)
class Seen:
    """What a page became: its document after its scripts ran, and what they (or the content policy) said on the console."""

    document: str
    console: tuple[str, ...]


@dataclass(frozen=True)
class Browser:
    """Chromium at `binary`, with a profile under `folder`."""

    binary: str
    folder: Path

    def look(self, page: Path) -> Seen:
        """Open a page, let its scripts run, and tell what it became."""
        done = self._run("--enable-logging=stderr", f"--virtual-time-budget={_TIME}", "--dump-dom", page.as_uri())
        said = tuple(line.split("CONSOLE", 1)[1] for line in done.stderr.splitlines() if "CONSOLE" in line)
        return Seen(done.stdout, said)

    def picture(self, page: Path, to: Path, *, dark: bool = False, width: int = 1200, height: int = 4000) -> None:
        """Write what a person sees as PNG."""
        look = ["--force-dark-mode"] if dark else []
        shot = (f"--window-size={width},{height}", f"--screenshot={to}", "--hide-scrollbars")
        self._run(*look, *shot, f"--virtual-time-budget={_TIME}", page.as_uri())

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.binary, *_ALONE, f"--user-data-dir={self.folder}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)  # noqa: S603 - a browser on our own page


def found(folder: Path) -> Browser:
    """The machine's browser. Skips without one; in CI it fails."""
    binary = next((path for name in NAMES if (path := shutil.which(name))), None)
    if binary is None:
        missing = f"no browser here ({', '.join(NAMES)}): apt-get install --no-install-recommends chromium"
        if os.environ.get("CI"):
            pytest.fail(f"{missing}; CI must not skip the tests that look at pages")
        pytest.skip(missing)
    return Browser(binary, folder)
