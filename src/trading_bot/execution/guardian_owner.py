"""Who holds the home's lock, and taking the home from a desk that hangs.

Promises that only the process which really holds the lock is killed: the kernel's own list of locks has to name the process that the lock
file names, and that very process (by a descriptor, which no later process can inherit) gets the signal. Refuses to ask: a process
that hangs would not answer, and one that does not hang could still send. Linux only.
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
    told = _announced(home)
    if told is None:
        return None
    if not isinstance(told, Owner) or told.pid == os.getpid() or holder(home.lock_file) != told.pid:
        raise HomeLockedError(f"{home.path} is owned by {told}, and the system does not confirm which process that is: end it by hand")
    try:
        handle = os.pidfd_open(told.pid)
    except OSError:
        return told if home.lock_owner() is None else _cannot(home, told)
    try:
        # The handle is of whoever has this number now; only if that one still holds the lock is it the owner.
        if holder(home.lock_file) != told.pid:
            return told if home.lock_owner() is None else _cannot(home, told)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        if not select.select([handle], [], [], patience_s)[0]:
            _cannot(home, told)
    except PermissionError:
        _cannot(home, told)
    finally:
        os.close(handle)
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


def _cannot(home: Home, owner: Owner) -> Owner:
    raise HomeLockedError(f"{home.path} is owned by {owner}, which could not be killed: end it by hand")


def _has_open(pid: int, file: Path) -> bool:
    wanted = file.stat()
    with suppress(OSError):
        return any(os.path.samestat(entry.stat(), wanted) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.exists())
    return False
