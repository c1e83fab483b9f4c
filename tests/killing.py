"""Kills a simulated day at its write points and at random moments, resumes it, and compares with a day that was left alone.

A child process is forked with everything imported. Around every transaction of journal and venue, and around every report, it counts;
at the wanted count it kills itself with SIGKILL. The parent starts the next child on the same home until one comes through.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading_bot import config
from trading_bot.backtest import report
from trading_bot.bootstrap import desk as bootstrap
from trading_bot.bootstrap.setting import Setting
from trading_bot.brokers.venue_store import SqliteVenueStore
from trading_bot.cli import running
from trading_bot.config import Config
from trading_bot.domain.mandate import Mode
from trading_bot.domain.records import DeskStart, TaskRun
from trading_bot.execution.ledger import Ledger
from trading_bot.orchestrator import reviewing
from trading_bot.storage.audit import verify
from trading_bot.storage.database import Database
from trading_bot.storage.export import export
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

_FOREVER = 60


@dataclass
class Day:
    """One simulated session, as often started as it takes."""

    home: Path
    seed: int
    sessions: int = 1
    came_through: bool = False
    """Whether the newest process lived to its end."""

    @property
    def settings(self) -> Config:
        """Defaults with this seed."""
        return config.load(flags={"seed": self.seed})

    @property
    def setting(self) -> Setting:
        """A simulated paper desk."""
        return Setting(Mode.PAPER, simulated=True, home=Home(self.home), operator=self.home / "nobody")

    def run(self, kill_at: int | None = None, kill_after_s: float | None = None) -> bool:
        """Run in a child; True if it came through. `kill_at`: number of the write point to die at, from 1."""
        child = os.fork()
        if child == 0:
            self._live(kill_at, kill_after_s)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and os.waitstatus_to_exitcode(status) != 0:
            raise AssertionError((self.home / "child.txt").read_text("utf-8"))
        self.came_through = not killed
        return self.came_through

    def _live(self, kill_at: int | None, kill_after_s: float | None) -> None:
        code = 1
        try:
            with (self.home / "child.txt").open("w", encoding="utf-8") as output:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                _die_at(kill_at)
                if kill_after_s is not None:
                    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
                    signal.setitimer(signal.ITIMER_REAL, kill_after_s)
                running.trade(self.settings, self.setting, lambda assembly: assembly.scheduler.first_slots(self.sessions))
                sys.stdout.flush()
            code = 0
        except BaseException:  # noqa: BLE001  # edge: whatever happens in the child must become its exit status
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def finish(self, **kill: Any) -> int:  # noqa: ANN401 - how to kill the first run
        """Run, killed as wanted, and resume until it comes through; return how many processes it took."""
        runs = 1
        through = self.run(**kill)
        while not through and not self.is_over() and runs < _FOREVER:
            runs += 1
            through = self.run()
        return runs

    def is_over(self) -> bool:
        """Whether the day had ended when the process was killed; another start would begin the next day."""
        if not (self.home / "journal.db").exists():
            return False
        with SqlJournal.look(self.home / "journal.db") as journal:
            ended = [r for r in journal.all(TaskRun) if r.task == "end-of-day" and r.status.is_end]
        return len(ended) >= self.sessions

    def exported(self) -> list[str]:
        """The journal as canonical lines."""
        with SqlJournal.look(self.home / "journal.db") as journal:
            return list(export(journal))

    def problems(self) -> list[str]:
        """What is wrong with journal, books and venue after the end; nothing, if all is well."""
        wrong = []
        audit = verify(self.home / "journal.db")
        if not audit.intact:
            wrong.append(f"audit: {audit.problem}")
        assembly = bootstrap.build(self.settings, self.setting)
        with SqlJournal.look(self.home / "journal.db") as journal:
            ledger = Ledger(journal)
            wrong += [f"unresolved: {identity}" for identity in ledger.pending]
            if journal.count(DeskStart) < 1:
                wrong.append("no start was journaled")
        wrong += [str(difference) for difference in assembly.desk.engine.start()]
        ids = [e.order.client_order_id for e in assembly.broker.events(0) if e.type == "order" and e.order.state == "accepted"]
        wrong += [f"placed twice: {identity}" for identity in set(ids) if ids.count(identity) > 1 and _is_entry(identity, assembly)]
        return wrong


def _is_entry(identity: str, assembly: bootstrap.Assembly) -> bool:
    """Whether an id is an entry's; exits are told again as accepted when the venue changes their quantity."""
    return any(i.order.spec.client_order_id == identity and i.order.spec.role.adds_risk for i in assembly.desk.engine.ledger.intents)


def _die_at(number: int | None) -> None:
    """Count before and after every transaction and report, and die at `number`."""
    passed = 0

    def point() -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(method: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def counted(self: object) -> Iterator[object]:
            point()
            with method(self) as inner:
                yield inner
                point()
            point()

        return counted

    Database.writing = around(Database.writing)  # type: ignore[method-assign]
    SqliteVenueStore.exclusive = around(SqliteVenueStore.exclusive)  # type: ignore[method-assign]
    write = report.write

    def counted_write(*arguments: Any) -> Any:  # noqa: ANN401 - as the function
        point()
        done = write(*arguments)
        point()
        return done

    vars(reviewing)["write"] = counted_write
