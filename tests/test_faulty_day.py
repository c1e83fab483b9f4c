"""The simulated day with faults: what a person sees who types one command on a fresh machine."""

import re
import subprocess
import sys
from pathlib import Path

from trading_bot.domain.events import BookedEvent, OrderUpdate
from trading_bot.domain.orders import OrderRole
from trading_bot.storage.journal import SqlJournal


def run(*arguments: str) -> str:
    """Run a command, which has to succeed; return what it printed."""
    done = subprocess.run([sys.executable, "-m", "trading_bot", *arguments], capture_output=True, text=True, timeout=240, check=False)  # noqa: S603 - our own command
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_fault_of_the_day_is_told_with_what_came_of_it(tmp_path: Path) -> None:
    """Eleven kinds; none lost an order or a fill, and what is held at the end has its stop."""
    told = run("--home", str(tmp_path), "orchestrator", "--fast", "--faults")
    assert "kinds of fault: 11; saved: 11; not saved: 0" in told
    assert "NOT SAVED" not in told
    assert "The venue's own log agrees" in told
    assert re.search(r"end-of-day\s+done", told)
    with SqlJournal.look(tmp_path / "faulty-day" / "journal.db") as journal:
        updates = [row.event for row in journal.all(BookedEvent) if isinstance(row.event, OrderUpdate)]
    entries = [e for e in updates if e.order.role is OrderRole.ENTRY and e.fill is not None]
    assert entries, "a day without a trade proves nothing"


def test_a_day_with_faults_begins_anew_each_time(tmp_path: Path) -> None:
    """The venue lives as long as the process: the home of the last day is of no use."""
    script = tmp_path / "calm.yaml"
    script.write_text("- {fault: slow, on: order, seconds: 0, nth: 1}\n", "utf-8")
    left = tmp_path / "faulty-day" / "journal.db"
    left.parent.mkdir()
    left.write_text("of another day", "utf-8")
    told = run("--home", str(tmp_path), "orchestrator", "--fast", "--fault-script", str(script))
    assert "kinds of fault: 1; saved: 1; not saved: 0" in told
