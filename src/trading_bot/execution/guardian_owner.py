"""Who holds the home's lock, asking it to end, and taking the home from a desk that hangs.

Promises that only the process which really holds the lock gets a signal: the kernel's own list of locks has to name the process that the
lock file names, and that very process (by a descriptor, which no later process can inherit) gets it. Who takes the home refuses to ask: a
process that hangs would not answer, and one that does not hang could still send. Linux only.
"""

import os
import select
import signal
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from trading_bot.domain.errors import HomeLockedError
from trading_bot.storage.home import Home, Owner, Starting

_LOCKS = Path("/proc/locks")
_LOOKS, _PAUSE_S = 50, 0.01


def holder(lock_file: Path) -> int | None:
    """Id of the process that holds `lock_file` exclusively, as the kernel says; None if none does, or if it cannot be seen from here."""
    with suppress(OSError):
        inode = str(lock_file.stat().st_ino)
        for line in _LOCKS.read_text("ascii").splitlines():
            fields = line.split()  # 1: FLOCK  ADVISORY  WRITE 11917 fe:00:2146341 0 EOF
            if (
                fields[1:4] == ["FLOCK", "ADVISORY", "WRITE"]
                and fields[5].rsplit(":", 1)[-1] == inode
                and _has_open(int(fields[4]), lock_file)
            ):
                return int(fields[4])
    return None


def kill_owner(home: Home, patience_s: float) -> Owner | None:
    """Kill who owns the home, and return who that was once it is gone; None if nobody owns it.

    HomeLockedError if it cannot be proven who that is, may not be killed, or does not go within `patience_s`.
    """
    return _end(home, signal.SIGKILL, patience_s, "could not be killed: end it by hand")


def stop_owner(home: Home, patience_s: float) -> Owner | None:
    """Ask who owns the home to end after the step that it is at, and return who that was once it is gone; None if nobody owns it.

    HomeLockedError as for `kill_owner`; who does not go in time was asked all the same.
    """
    return _end(home, signal.SIGTERM, patience_s, f"was asked to end and has not within {patience_s:g} s")


def _end(home: Home, number: signal.Signals, patience_s: float, failed: str) -> Owner | None:
    told = _announced(home)
    if told is None:
        return None
    if not isinstance(told, Owner) or told.pid == os.getpid() or holder(home.lock_file) != told.pid:
        raise HomeLockedError(f"{home.path} is owned by {told}, and the system does not confirm which process that is: end it by hand")
    cannot = HomeLockedError(f"{home.path} is owned by {told}, which {failed}")
    try:
        handle = os.pidfd_open(told.pid)
    except OSError:
        return _gone(home, told, cannot)
    try:
        # The handle is of whoever has this number now; only if that one still holds the lock is it the owner.
        if holder(home.lock_file) != told.pid:
            return _gone(home, told, cannot)
        signal.pidfd_send_signal(handle, number)
        if not select.select([handle], [], [], patience_s)[0]:
            raise cannot
    except PermissionError as error:
        raise cannot from error
    finally:
        os.close(handle)
    return told


def _gone(home: Home, told: Owner, cannot: HomeLockedError) -> Owner:
    if home.lock_owner() is not None:
        raise cannot
    return told


def acting_elsewhere(owner: Owner | Starting | None, purpose: str, now: datetime, patience: timedelta) -> bool:
    """Whether another process has the home for this purpose, and not for so long that it must hang."""
    return isinstance(owner, Owner) and owner.purpose == purpose and owner.pid != os.getpid() and now - owner.since < patience


def _announced(home: Home) -> Owner | Starting | None:
    """Who owns the home; a process that took the lock a moment ago has to write first who it is."""
    for _ in range(_LOOKS):
        told = home.lock_owner()
        if not isinstance(told, Starting):
            return told
        time.sleep(_PAUSE_S)
    return home.lock_owner()


def _has_open(pid: int, file: Path) -> bool:
    wanted = file.stat()
    with suppress(OSError):
        return any(os.path.samestat(entry.stat(), wanted) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.exists())
    return False
