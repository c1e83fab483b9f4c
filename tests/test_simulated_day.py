"""The main job, as the README's first command runs it: one simulated session, start to end, in a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRESS = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d ET .*$", re.MULTILINE)


def desk(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a home, in an environment without settings of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRADING_BOT")}
    command = [sys.executable, "-m", "trading_bot", "--home", str(home), *arguments]
    return subprocess.run(command, cwd=home.parent, env=clean, capture_output=True, text=True, check=False)  # noqa: S603 - our own program


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The home of one simulated session on the defaults, and what it printed."""
    home = tmp_path_factory.mktemp("simulated") / "var"
    return home, desk(home, "orchestrator", "--fast")


def test_the_day_goes_as_the_readme_shows(day: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Every line of progress in the README is printed by the real run, in that order."""
    home, done = day
    shown = PROGRESS.findall((ROOT / "README.md").read_text("utf-8"))
    assert done.returncode == 0, done.stderr
    assert [line.rstrip() for line in PROGRESS.findall(done.stderr)] == shown
    assert str(home / "journal.db") in done.stdout


def test_the_tables_are_as_the_readme_shows(day: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The README's picture of a day is what the real run printed, up to where its files lie."""
    _, done = day
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme[readme.index("Session 2024-03-05") : readme.index("journal  var/")].splitlines()
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    assert shown == printed[: len(shown)]


def test_the_day_is_fully_accounted_for(day: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Status, report and audit agree: positions are protected, nothing is unresolved, the chain verifies against the report."""
    home, _ = day
    status = json.loads(desk(home, "status", "--json").stdout)
    report = json.loads((home / "logs" / "reports" / "daily_20240305.json").read_text("utf-8"))
    audit = json.loads(desk(home, "audit", "verify", "--json").stdout)
    assert status["positions"]
    assert all(held["protected"] == held["quantity"] for held in status["positions"])
    assert (status["unresolved"], status["desk_state"], status["mode"]) == (0, "running", "paper")
    assert report["equity"]["end"] == status["equity"]
    assert report["review"]["grade"] in {"EXCELLENT", "GOOD", "ACCEPTABLE", "NEEDS_IMPROVEMENT"}
    assert (audit["intact"], audit["anchors"]) == (True, 1)


def test_a_second_run_with_the_same_seed_exports_the_same_bytes(day: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """Another home, another folder, another hash seed of the interpreter: the same journal."""
    home, _ = day
    other = tmp_path / "other"
    desk(other, "orchestrator", "--fast")
    exported = [desk(place, "journal", "export").stdout for place in (home, other)]
    assert exported[0] == exported[1]
    assert len(exported[0].splitlines()) > 50


def test_running_the_finished_day_again_trades_nothing(day: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """A desk that has traded its session says so and leaves the journal as it is."""
    home, _ = day
    before = desk(home, "journal", "export").stdout
    again = desk(home, "orchestrator", "--fast")
    assert again.returncode == 0
    assert "--sessions 2" in again.stdout
    assert desk(home, "journal", "export").stdout == before
