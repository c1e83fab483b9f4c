"""The desk's switch: running, reduce-only or halted, read fresh before every send, failing closed.

Promises that the desk counts as halted if the HALT file exists, cannot be looked at, or has lost its folder, or if the
journal says so or cannot be read. Refuses to loosen: a halted desk does not become reduce-only, and only `resume` gives
back `running`; whether the caller may resume is proven by a signed statement (`risk/operator.py`), not here.
"""

import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from trading_bot.domain.errors import DeskError, HomeError, JournalConflictError, JournalDamagedError
from trading_bot.domain.records import DeskState, DeskStateChange
from trading_bot.domain.values import canonical_json
from trading_bot.ports import Journal

_SEVERITY = {DeskState.RUNNING: 0, DeskState.REDUCE_ONLY: 1, DeskState.HALTED: 2}
_LONGEST = 4096


class DeskSwitch:
    """Reads and moves the desk's state. `halt_file` is None only for a backtest, which has no home."""

    def __init__(self, halt_file: Path | None, journal: Journal) -> None:
        self._file = halt_file
        self._journal = journal
        self._newest: DeskStateChange | None = None

    def state(self) -> DeskState:
        """The state now; other processes' changes count at once. Never raises for what it cannot read: that is halted."""
        return self.explain()[0]

    def explain(self) -> tuple[DeskState, str]:
        """The state now, and why, in words."""
        if (reason := self._file_says()) is not None:
            return DeskState.HALTED, reason
        try:
            newest = self._read()
        except DeskError as error:
            return DeskState.HALTED, f"the journal cannot be read: {error}"
        if newest is None:
            return DeskState.RUNNING, "never halted"
        return newest.state, f"{newest.by}: {newest.reason}"

    def number(self) -> int:
        """Running number of the newest change, 0 before the first; a statement to resume is bound to it."""
        return self._journal.count(DeskStateChange)

    def halt(self, by: str, reason: str, at: datetime) -> None:
        """Stop new risk: HALT file first, then the journal. If one cannot be written the other is, and the error is raised."""
        try:
            if self._file is not None:
                write_halt_file(self._file, by, reason, at)
        finally:
            self._tighten(DeskState.HALTED, by, reason, at)

    def reduce_only(self, by: str, reason: str, at: datetime) -> None:
        """Let only closing and protective orders pass; a halted desk stays halted."""
        self._tighten(DeskState.REDUCE_ONLY, by, reason, at)

    def resume(self, by: str, reason: str, at: datetime) -> None:
        """Give back `running`. A crash at any moment in between leaves the desk halted."""
        self.release(by, at)
        self._append(DeskState.RUNNING, by, reason, at)

    def release(self, by: str, at: datetime) -> None:
        """Take the HALT file away; the journal keeps the desk halted until the row of `resumption` is written."""
        if self._file is not None and self._file.is_dir():
            msg = f"{self._file} is a folder; remove it by hand, then resume"
            raise HomeError(msg)
        if self._file_says() is not None:
            self._tighten(DeskState.HALTED, by, "a HALT file was found", at)
        self._remove_file()

    def resumption(self, by: str, reason: str, at: datetime) -> DeskStateChange:
        """The row that gives back `running`, for a caller who has to write it together with others."""
        return DeskStateChange(at=at, state=DeskState.RUNNING, by=by, reason=reason, number=self.number() + 1)

    def _read(self) -> DeskStateChange | None:
        # Rows are never changed or removed, so an unchanged count means an unchanged newest row.
        count = self._journal.count(DeskStateChange)
        if count and (self._newest is None or self._newest.number != count):
            self._newest = self._journal.get(DeskStateChange, DeskStateChange.key_of(count))
            if self._newest is None:
                msg = f"desk state {count} is missing from the journal; run `audit verify`"
                raise JournalDamagedError(msg)
        return self._newest if count else None

    def _tighten(self, state: DeskState, by: str, reason: str, at: datetime) -> None:
        newest = self._read()
        if newest is None or _SEVERITY[newest.state] < _SEVERITY[state]:
            self._append(state, by, reason, at)

    def _append(self, state: DeskState, by: str, reason: str, at: datetime) -> None:
        number = self.number() + 1
        change = DeskStateChange(at=at, state=state, by=by, reason=reason, number=number)
        try:
            self._journal.append(change)
        except JournalConflictError:
            # Another process took the number first. A tightening is looked at again; a resume was meant for the state before.
            if state is DeskState.RUNNING:
                raise
            self._tighten(state, by, reason, at)

    def _file_says(self) -> str | None:
        """Why the file halts the desk, or None if it does not."""
        if self._file is None:
            return None
        try:
            found = os.lstat(self._file)
        except FileNotFoundError:
            return self._folder_says(self._file.parent)
        except OSError as error:
            return f"{self._file} cannot be looked at: {error}"
        told = _told(self._file) if S_ISREG(found.st_mode) else "something was put there"
        return f"{told}; only `resume` removes {self._file}"

    def _folder_says(self, folder: Path) -> str | None:
        try:
            return None if S_ISDIR(os.stat(folder).st_mode) else f"{folder} is not a folder"  # noqa: PTH116 - asked before every send; pathlib costs twice as much
        except OSError as error:
            return f"{folder}, where HALT would lie, cannot be looked at: {error}"

    def _remove_file(self) -> None:
        if self._file is None:
            return
        try:
            self._file.unlink(missing_ok=True)
            _sync_folder(self._file.parent)
        except OSError as error:
            msg = f"{self._file} could not be removed, so the desk stays halted: {error}; remove it by hand"
            raise HomeError(msg) from error


def write_halt_file(path: Path, by: str, reason: str, at: datetime) -> None:
    """Halt the desk whose HALT file is `path`, durably, also if it is wedged; an older file is kept. HomeError if it cannot be written."""
    text = canonical_json({"by": by, "reason": reason, "at": at.isoformat()})
    try:
        with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        msg = f"{path} could not be written: {error}; create it by hand to be sure that the desk stays halted"
        raise HomeError(msg) from error


def _told(path: Path) -> str:
    """Who halted and why, as `write_halt_file` wrote it. Whatever else is in the file halts as well."""
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(_LONGEST))
        return f"{found['by']}: {found['reason']} ({datetime.fromisoformat(found['at']):%Y-%m-%d %H:%M} UTC)"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "a HALT file without a reason was put there"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
